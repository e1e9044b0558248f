import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { processedEntrySchema } from '../../src/shared/lake/entries.ts';
import { logKey } from '../../src/shared/lake/key.ts';
import { Log } from '../../src/shared/lake/log.ts';
import { transform } from '../../src/transform/transform.ts';
import { teams } from '../support/teams.ts';
import { fuzz, FUZZ_TIMEOUT_MS } from './fuzzing.ts';
import { type Mutated, mutationsOf, without } from './mutations.ts';
import { expectTold, neverSync, restore, watched, write } from './places.ts';
import { type Base, prepared, resultOf } from './two-batches.ts';

/** A table read whole, or not: nobody can know that the other was meant. */
function saysSomethingElse({ path }: Mutated): boolean {
  const [first, , field] = path;
  return first === 'tables' && field === 'whole';
}

let base: Base;
beforeAll(async () => {
  await neverSync();
  base = await prepared();
});

test('an entry of the ingestion log with anything wrong in it stops transform, or makes no difference', { timeout: FUZZ_TIMEOUT_MS }, async () => {
  const { place, entry, files, named, result } = base;
  const inside = join(place.processed.location, '/');
  await restore(place.root, files, (path) => path.startsWith(inside));
  const path = join(place.ingestion.location, logKey(2));
  const before = new Map([...files].filter(([file]) => file !== path));
  await fuzz('entry: transform', mutationsOf(entry, named), async (mutated) => {
    await write(path, mutated.bytes);
    const read = new Set<string>();
    const ran = await transform({
      model: teams,
      ingestion: watched(place.ingestion, read),
      processed: place.processed,
      report: () => undefined,
      now: () => new Date('2024-08-07T12:00:00.000Z'),
    }).then(() => null, (error: unknown) => error);
    const head = await new Log(place.processed, processedEntrySchema).head();
    const made = head === 2 ? await resultOf(place) : null;
    await restore(place.root, before, (written) => written === path || written.startsWith(inside));
    if (ran !== null) expectTold(ran, /^(lake|model)_/);
    expect(head).toBe(ran === null ? 2 : 1);
    const isSame = ran !== null || saysSomethingElse(mutated) || made === result;
    expect([mutated.what, isSame ? result : made]).toEqual([mutated.what, result]);
    expect([...read].filter((key) => !named.has(key))).toEqual([]);
  }, teams.tables.map(({ name }) => without(entry, ['tables', name])));
});
