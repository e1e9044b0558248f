/** An S3 that says to slow down for ten minutes: as many runs as a schedule makes in that time. */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { PipelineContext } from '../../src/cli/context.ts';
import { runPipeline } from '../../src/cli/pipeline.ts';
import { liveOneDay } from '../../src/local/totesys/day.ts';
import { randomFrom } from '../../src/local/totesys/random.ts';
import { S3Lake } from '../../src/shared/lake/s3.ts';
import { type Fault, type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { startMoto } from '../support/moto.ts';
import { afterwards, connectTo } from '../support/postgres.ts';
import { freshBucket, testS3Client } from '../support/s3.ts';
import { contextOf, countOf, freshPlace, type Place, totesysTemplate } from '../support/totesys.ts';
import { expectExact } from '../processes/warehouses.ts';
import { deployed, logged } from './deployed.ts';

const moto = await startMoto();
if (moto) afterwards(() => moto.stop());

const SLOW_DOWN: Fault = { status: 503, code: 'SlowDown' };

/** Every 30 seconds for ten minutes. */
const RUNS = 20;

// The client's pauses between its tries are random, from nothing to seconds.
beforeEach(() => {
  vi.spyOn(Math, 'random').mockReturnValue(0);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

interface Scene {
  readonly place: Place;
  readonly proxy: FaultProxy;
  readonly context: PipelineContext;
}

/** A place whose lake is in two buckets, behind a proxy. */
async function scene(): Promise<Scene> {
  if (!moto) throw new Error('no moto');
  const place = await freshPlace(await totesysTemplate());
  const proxy = await startFaultProxy(moto.endpoint);
  const client = testS3Client(proxy.endpoint);
  afterwards(async () => {
    client.destroy();
    await proxy.stop();
  });
  const freshLake = async (): Promise<S3Lake> => new S3Lake({ bucket: await freshBucket(client), client });
  const context = contextOf(place, { ingestion: await freshLake(), processed: await freshLake() });
  return { place, proxy, context };
}

/** The kinds of what failed, in one run. */
async function kindsOf(context: PipelineContext): Promise<readonly unknown[]> {
  const errors = await runPipeline(context);
  return errors.map((error) => (error instanceof Error && 'kind' in error ? error.kind : error));
}

describe.runIf(moto)('an S3 that says to slow down', { timeout: 180_000 }, () => {
  test('for ten minutes makes every run fail as lake_unavailable; the first one behind that does it all', async () => {
    const { place, proxy, context } = await scene();
    expect(await kindsOf(context)).toEqual([]);
    await liveOneDay(place.source, { seed: 1 });
    proxy.fault = () => SLOW_DOWN;
    for (let run = 0; run < RUNS; run += 1) {
      expect(await kindsOf(context)).toEqual(['lake_unavailable', 'lake_unavailable', 'lake_unavailable']);
    }
    expect(await countOf(place.warehouse, 'select max(batch_id) from pipeline.ledger')).toBe(1);
    proxy.fault = () => null;
    expect(await kindsOf(context)).toEqual([]);
    expect(await countOf(place.warehouse, 'select max(batch_id) from pipeline.ledger')).toBe(2);
    await expectExact(place);
  });

  test('now and then makes runs fail as lake_unavailable or not at all, and what they leave is never wrong', async () => {
    const { place, proxy, context } = await scene();
    const random = randomFrom(1, 'slow down');
    proxy.fault = ({ method }) => (random.int(1, 100) <= (method === 'PUT' || method === 'POST' ? 70 : 50) ? SLOW_DOWN : null);
    const kinds: unknown[] = [];
    for (let run = 0; run < RUNS; run += 1) {
      if (run % 7 === 0) await liveOneDay(place.source, { seed: run });
      kinds.push(...(await kindsOf(context)));
    }
    expect(new Set(kinds)).toEqual(new Set(['lake_unavailable']));
    proxy.fault = () => null;
    expect(await kindsOf(context)).toEqual([]);
    await expectExact(place);
  });

  test('is asked three times by a function, which tells it by SMS once, and a later call goes on', async () => {
    if (!moto) return;
    const proxy = await startFaultProxy(moto.endpoint);
    afterwards(proxy.stop);
    const functions = await deployed(moto, { AWS_ENDPOINT_URL_S3: proxy.endpoint });
    const messages = logged();
    proxy.fault = () => SLOW_DOWN;
    for (let call = 1; call <= 2; call += 1) {
      await expect(functions.wake('ingest')).rejects.toMatchObject({ kind: 'lake_unavailable' });
      expect(messages.filter((message) => message.startsWith('SlowDown from s3://'))).toHaveLength(3 * call);
    }
    expect(await functions.alerts.heard()).toEqual([expect.stringContaining('ingest batch 1 failed, lake_unavailable')]);
    proxy.fault = () => null;
    for (const stage of ['ingest', 'transform', 'load'] as const) {
      expect(await functions.wake(stage)).toMatchObject({ batches: 1, head: 1 });
    }
    expect(await countOf(await connectTo(functions.warehouseUrl), 'select count(*) from fact_sales_order')).toBe(50);
  });
});
