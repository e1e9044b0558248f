/** Servers that are restarted while they are worked with. */

import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runPipeline, runStage } from '../../src/cli/pipeline.ts';
import { type Cluster, startCluster } from '../../src/local/postgres/cluster.ts';
import type { Lake } from '../../src/shared/lake/lake.ts';
import { changedLake } from '../ingest/lakes.ts';
import { expectExact } from '../processes/warehouses.ts';
import { connectTo, ownServer, temporaryDirectory } from '../support/postgres.ts';
import { contextOf, freshPlace, type Place, totesysTemplate } from '../support/totesys.ts';

/** The lake, in which something happens the first time that an object of such a key is written, or read. */
function interrupted(lake: Lake, when: RegExp, happens: () => Promise<unknown>): Lake {
  let isOver = false;
  const at = async (key: string): Promise<void> => {
    if (isOver || !when.test(key)) return;
    isOver = true;
    await happens();
  };
  return changedLake(lake, {
    get: async (key) => {
      await at(key);
      return lake.get(key);
    },
    put: async (key, body) => lake.put(key, (async function* () {
      for await (const chunk of body) {
        yield chunk;
        await at(key);
      }
    })()),
  });
}

interface Scene {
  readonly place: Place;
  readonly server: Cluster;
  /** Starts it again, with the same data and port. */
  readonly start: () => Promise<Cluster>;
}

/** Source and warehouse on a server of their own. */
async function scene(): Promise<Scene> {
  const options = { directory: join(await temporaryDirectory(), 'postgres'), fsync: false };
  const server = await ownServer(options);
  return { place: await freshPlace(await totesysTemplate(60, server)), server, start: async () => startCluster(options) };
}

describe.each([
  ['is restarted in order', 'fast'],
  ['crashes and starts again', 'immediate'],
] as const)('a server that %s', (_how, mode) => {
  test('while a table is read, and then while a batch is loaded, ends the stage as unreachable, and the next run carries on', async () => {
    const it = await scene();
    const { ingestion, processed } = contextOf(it.place);
    const stop = async () => it.server.stop(mode);
    const reading = contextOf(it.place, { ingestion: interrupted(ingestion, /^data\/sales_order\//, stop) });
    await expect(runStage('ingest', reading)).rejects.toMatchObject({
      kind: 'source_unreachable', context: { stage: 'ingest', batch: 1 },
    });
    await it.start();
    for (const stage of ['ingest', 'transform'] as const) await runStage(stage, contextOf(it.place));
    const loading = contextOf(it.place, { processed: interrupted(processed, /^data\/fact_sales_order\//, stop) });
    await expect(runStage('load', loading)).rejects.toMatchObject({
      kind: 'warehouse_unreachable', context: { stage: 'load', batch: 1 },
    });
    await it.start();
    expect(await runPipeline(contextOf(it.place))).toEqual([]);
    await expectExact({ ...it.place, warehouse: await connectTo(it.place.warehouseUrl) });
  });
});
