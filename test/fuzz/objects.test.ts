import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { type Part, processedEntrySchema } from '../../src/shared/lake/entries.ts';
import { stateKey } from '../../src/shared/lake/key.ts';
import { Log } from '../../src/shared/lake/log.ts';
import { recorded } from '../../src/shared/stage.ts';
import { transform } from '../../src/transform/transform.ts';
import { teams } from '../support/teams.ts';
import { damagedObjects, type StoredObject } from './damage.ts';
import { CLEAN, type Figures, fuzz, FUZZ_TIMEOUT_MS, type Fuzzer } from './fuzzing.ts';
import { mutationsOf } from './mutations.ts';
import { expectTold, neverSync, restore, write } from './places.ts';
import { type Base, prepared, resultOf } from './two-batches.ts';

let base: Base;
let mirrors: readonly Part[];
beforeAll(async () => {
  await neverSync();
  base = await prepared();
  const { processed } = base.place;
  mirrors = Object.values((await new Log(processed, processedEntrySchema).read(1)).mirrors).flatMap(({ parts }) => parts);
  await putBack();
});

/** Takes batch 2 out of the processed bucket again. */
async function putBack(): Promise<void> {
  const inside = join(base.place.processed.location, '/');
  await restore(base.place.root, base.files, (path) => path.startsWith(inside));
}

const noon = () => new Date('2024-08-07T12:00:00.000Z');

async function transformed(): Promise<unknown> {
  const { ingestion, processed } = base.place;
  const work = async () => transform({ model: teams, ingestion, processed, report: () => undefined, now: noon });
  return recorded('transform', processed, noon, work).then(() => null, (error: unknown) => error);
}

function stored(key: string, bytes: Buffer): StoredObject {
  return { key, bytes, head: key.endsWith('.csv') ? bytes.indexOf('\n') + 1 : 0 };
}

async function fuzzObjects(fuzzer: Fuzzer, directory: string, parts: readonly Part[]): Promise<Figures> {
  const paths = new Map(parts.map(({ key }) => [key, join(directory, key)]));
  const objects = await Promise.all(parts.map(async ({ key }) => stored(key, await readFile(paths.get(key) ?? ''))));
  const damaged = fc.constantFrom(...objects).chain((object) => damagedObjects(object, objects));
  return fuzz(fuzzer, damaged, async ({ key, bytes, whole, what, isNoticed }) => {
    await write(paths.get(key) ?? '', bytes);
    const error = await transformed();
    const head = await new Log(base.place.processed, processedEntrySchema).head();
    await write(paths.get(key) ?? '', whole);
    await putBack();
    if (error !== null) expectTold(error, /^lake_corrupt$/);
    const outcome = { key, what, isNoticed: isNoticed && error !== null, head };
    expect(outcome).toEqual({ key, what, isNoticed, head: error === null ? 2 : 1 });
  });
}

test('CSV that is not what was written stops transform with nothing of its batch', { timeout: FUZZ_TIMEOUT_MS }, async () => {
  const parts = Object.values(base.entry.tables).flatMap((table): readonly Part[] => table.parts);
  expect(await fuzzObjects('csv: records', base.place.ingestion.location, parts)).toMatchObject(CLEAN);
});

test('a mirror that is not what was written stops transform with nothing of its batch', { timeout: FUZZ_TIMEOUT_MS }, async () => {
  expect(await fuzzObjects('object: mirror', base.place.processed.location, mirrors)).toMatchObject(CLEAN);
});

test('a state that says anything at all changes nothing that is transformed, and is written anew', { timeout: FUZZ_TIMEOUT_MS }, async () => {
  const { processed } = base.place;
  const state = { stage: 'transform', looked_at: '2024-08-07T12:00:00.000Z', batch: 1, outcome: 'failed', error: { kind: 'bug', message: 'x' }, detail: { a: 1 } };
  await fuzz('state: stages', mutationsOf(state), async ({ bytes, what }) => {
    const path = join(processed.location, stateKey('transform'));
    await write(path, bytes);
    const error = await transformed();
    const result = error === null ? await resultOf(base.place) : null;
    const written: unknown = JSON.parse(await readFile(path, 'utf8'));
    await putBack();
    expect({ what, error, result }).toEqual({ what, error: null, result: base.result });
    expect(written).toMatchObject({ stage: 'transform', batch: 2, outcome: 'committed' });
  });
});
