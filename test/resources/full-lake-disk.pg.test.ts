/** A disk under a lake in a directory that is full: a real one, of a few megabytes. */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { runPipeline } from '../../src/cli/pipeline.ts';
import { ingestionEntrySchema, processedEntrySchema } from '../../src/shared/lake/entries.ts';
import type { Lake } from '../../src/shared/lake/lake.ts';
import { Log } from '../../src/shared/lake/log.ts';
import { changedLake } from '../ingest/lakes.ts';
import { expectExact } from '../processes/warehouses.ts';
import { eventsOf, runMain } from '../support/cli.ts';
import { canMount, type SmallDisk, smallDisk } from '../support/small-disk.ts';
import { contextOf, freshPlace, type Place, type Template, totesysTemplate } from '../support/totesys.ts';

const mayMount = canMount('all tests of a disk that is full');

let template: Template;
beforeAll(async () => {
  template = await totesysTemplate();
});

/** A place whose lake is on a disk of its own. */
async function placeOnDisk(): Promise<{ readonly disk: SmallDisk; readonly place: Place }> {
  const disk = await smallDisk(4);
  const lake = join(disk.directory, 'lake');
  const place = await freshPlace(template);
  return { disk, place: { ...place, lake, environment: { ...place.environment, LAKE_DIR: lake } } };
}

/** The lake, on a disk that is filled up (but for so many bytes) when the first object of such a key is being written. */
function fillingUp(lake: Lake, disk: SmallDisk, when: RegExp, butBytes: number): Lake {
  const fillAt = async (key: string): Promise<void> => {
    if (when.test(key)) await disk.fill(butBytes);
  };
  return changedLake(lake, {
    put: async (key, body) => lake.put(key, (async function* () {
      await fillAt(key);
      yield* body;
    })()),
    putIfAbsent: async (key, body) => {
      await fillAt(key);
      return lake.putIfAbsent(key, body);
    },
  });
}

async function leftAside({ lake }: Place): Promise<readonly string[]> {
  const folders = ['ingestion', 'processed'].map((name) => join(lake, name, '.incoming'));
  return (await Promise.all(folders.map(async (folder) => readdir(folder).catch(() => [])))).flat();
}

async function objectsIn(lake: Lake): Promise<readonly string[]> {
  const keys: string[] = [];
  for (const prefix of ['data/', 'mirror/']) for await (const key of lake.list(prefix)) keys.push(key);
  return keys;
}

const PLACES: readonly (readonly [string, 'ingestion' | 'processed', RegExp, number])[] = [
  ['the first table', 'ingestion', /^data\//, 0],
  ['a later table', 'ingestion', /^data\/sales_order\//, 4_096],
  ['the entry of a batch', 'ingestion', /^log\//, 0],
  ['a dimension', 'processed', /^data\/dim_/, 0],
  ['a fact', 'processed', /^data\/fact_sales_order\//, 4_096],
  ['a mirror', 'processed', /^mirror\//, 0],
  ['the entry of a transformed batch', 'processed', /^log\//, 0],
];

describe.runIf(mayMount)('a disk that is full', () => {
  test.each(PLACES)('when %s is to be written ends the stage as lake_full, leaves no half object, and the next run carries on', async (_what, bucket, when, butBytes) => {
    const { disk, place } = await placeOnDisk();
    const context = contextOf(place);
    const errors = await runPipeline({ ...context, [bucket]: fillingUp(context[bucket], disk, when, butBytes) });
    expect(errors).toMatchObject([{
      kind: 'lake_full', message: expect.stringContaining('ENOSPC'),
      context: { stage: bucket === 'ingestion' ? 'ingest' : 'transform', key: expect.stringMatching(when) },
    }]);
    expect(await leftAside(place)).toEqual([]);
    // Once its entry was to be written it may be there after all: then nothing is given back.
    const isEntry = when.test('log/');
    expect((await objectsIn(context[bucket])).length > 0).toBe(isEntry);
    const heads = [new Log(context.ingestion, ingestionEntrySchema), new Log(context.processed, processedEntrySchema)];
    expect(await Promise.all(heads.map(async (log) => log.head()))).toEqual(bucket === 'ingestion' ? [0, 0] : [1, 0]);
    await disk.free();
    expect(await runPipeline(context)).toEqual([]);
    await expectExact(place);
  });

  test('from the beginning is told by each run, with what to do; what needs no space goes on', async () => {
    const { disk, place } = await placeOnDisk();
    expect(await runMain(['ingest'], place.environment)).toMatchObject({ status: 0 });
    await place.source.query('update sales_order set units_sold = units_sold + 1');
    await disk.fill();
    for (let run = 1; run <= 2; run += 1) {
      const { status, stderr } = await runMain(['run', '--json'], place.environment);
      expect(status).toBe(1);
      const kinds = eventsOf(stderr).map(({ kind }) => kind);
      expect(kinds).toEqual(['lake_full', 'lake_full']);
      expect(stderr).toContain('free some space');
    }
    expect((await runMain(['status'], place.environment)).stdout).toMatch(/ingest.*1/);
    await disk.free();
    expect(await runMain(['run'], place.environment)).toMatchObject({ status: 0, stderr: '' });
    await expectExact(place);
  });

  test('does not keep a loaded batch from being loaded: only the state is missing', async () => {
    const { disk, place } = await placeOnDisk();
    for (const stage of ['ingest', 'transform']) expect(await runMain([stage], place.environment)).toMatchObject({ status: 0 });
    await disk.fill();
    expect(await runMain(['load'], place.environment)).toMatchObject({ status: 0 });
    await expectExact(place);
  });
});
