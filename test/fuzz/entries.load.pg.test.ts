import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { type Part, type ProcessedEntry, processedEntrySchema } from '../../src/shared/lake/entries.ts';
import { logKey } from '../../src/shared/lake/key.ts';
import { Log } from '../../src/shared/lake/log.ts';
import { teams } from '../support/teams.ts';
import { damagedObjects } from './damage.ts';
import { CLEAN, fuzz, FUZZ_TIMEOUT_MS } from './fuzzing.ts';
import { mutationsOf, without } from './mutations.ts';
import { expectTold, filesIn, neverSync, restore, watched, write } from './places.ts';
import { type Base, prepared } from './two-batches.ts';
import { FuzzedWarehouse } from './warehouse.ts';

/** A warehouse that holds batch 1, and what it is with batch 2. */
interface Loaded extends Base {
  readonly warehouse: FuzzedWarehouse;
  readonly output: ProcessedEntry;
  readonly before: string;
  readonly after: string;
}

async function loaded(): Promise<Loaded> {
  const base = await prepared();
  const { processed } = base.place;
  const log = new Log(processed, processedEntrySchema);
  const [first, output] = [await log.read(1), await log.read(2)];
  const warehouse = await FuzzedWarehouse.open();
  const second = join(processed.location, logKey(2));
  const bytes = await readFile(second);
  await processed.delete(logKey(2));
  if ((await warehouse.load(teams, processed)) !== null) throw new Error('batch 1 was not loaded');
  await warehouse.keep();
  const before = await warehouse.contents();
  await write(second, bytes);
  if ((await warehouse.load(teams, processed)) !== null) throw new Error('batch 2 was not loaded');
  const after = await warehouse.contents();
  await warehouse.reset();
  const parts = [first, output].flatMap(({ outputs }) => Object.values(outputs).flatMap((each) => each.parts));
  const named = new Set([...parts.map(({ key }) => key), logKey(1), logKey(2)]);
  return { ...base, warehouse, output, before, after, named, files: await filesIn(base.place.root) };
}

let base: Loaded;
beforeAll(async () => {
  await neverSync();
  base = await loaded();
});

/** Loads what is in the lake now, and puts everything back. */
async function tried(isOther: boolean, kinds: RegExp, what: string): Promise<void> {
  const { warehouse, place, named } = base;
  const read = new Set<string>();
  const error = await warehouse.load(teams, watched(place.processed, read));
  const contents = await warehouse.contents();
  if (contents !== base.before) await warehouse.reset();
  if (error !== null) expectTold(error, kinds);
  const isLoaded = error === null;
  const expected = isLoaded ? base.after : base.before;
  expect({ what, contents: isLoaded && isOther ? expected : contents }).toEqual({ what, contents: expected });
  expect([...read].filter((key) => !named.has(key))).toEqual([]);
}

test('an entry of the processed log with anything wrong in it stops load, or makes no difference', { timeout: FUZZ_TIMEOUT_MS }, async () => {
  const { place, output, files, named } = base;
  const path = join(place.processed.location, logKey(2));
  const before = new Map([...files].filter(([file]) => file !== path));
  const figures = await fuzz('entry: load', mutationsOf(output, named), async (mutated) => {
    await write(path, mutated.bytes);
    await tried(false, /^(lake|model)_/, mutated.what);
    await restore(place.root, before, (written) => written === path);
  }, Object.keys(output.outputs).map((name) => without(output, ['outputs', name])));
  expect(figures).toMatchObject(CLEAN);
});

test('a Parquet object that is not what was written stops load with nothing of its batch', { timeout: FUZZ_TIMEOUT_MS }, async () => {
  const { place, output } = base;
  await write(join(place.processed.location, logKey(2)), JSON.stringify(output));
  const parts = Object.values(output.outputs).flatMap((each): readonly Part[] => each.parts);
  const objects = await Promise.all(parts.map(async ({ key }) => ({ key, bytes: await readFile(join(place.processed.location, key)) })));
  const damaged = fc.constantFrom(...objects).chain((object) => damagedObjects(object, objects));
  const figures = await fuzz('object: output', damaged, async ({ key, what, bytes, whole, isNoticed }) => {
    const path = join(place.processed.location, key);
    await write(path, bytes);
    const kinds = isNoticed ? /^lake_corrupt$/ : /^(lake_corrupt|model_mismatch|key_not_unique|warehouse_failed)$/;
    try {
      await tried(!isNoticed, kinds, `${key} ${what}`);
    } finally {
      await write(path, whole);
    }
  });
  expect(figures).toMatchObject(CLEAN);
});
