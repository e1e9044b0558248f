import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { IngestedTable } from '../../src/shared/lake/entries.ts';
import type { Lake } from '../../src/shared/lake/lake.ts';
import { applyBatch, Mirror, type MirrorRow, readMirror, writeMirror } from '../../src/transform/mirror.ts';
import type { Reject } from '../../src/transform/reject.ts';
import { freshLakes, ingested, type Lakes } from '../support/batches.ts';
import type { CsvCell } from '../support/csv.ts';
import { teams } from '../support/teams.ts';
import { heapMegabytes } from '../support/heap.ts';

type People = readonly (readonly CsvCell[])[];

async function people(lakes: Lakes, rows: People, whole: string | null, parts = 1): Promise<IngestedTable> {
  const entry = await ingested(lakes, teams, { person: { rows, whole, parts } });
  const table = entry.tables['person'];
  if (!table) throw new Error('no people');
  return table;
}

const COLUMNS = ['person_id', 'name', 'team_id'];
const row = (id: number, name: string, teamId: string | null = null): readonly CsvCell[] => [
  String(id),
  name,
  teamId,
  'secret',
];
const rowsOf = (mirror: Mirror): readonly MirrorRow[] => [...mirror.entries].map(([, each]) => each);

/** Where no row is expected to be without a key. */
async function apply(mirror: Mirror, lake: Lake, table: string, rows: IngestedTable): Promise<void> {
  await applyBatch(mirror, lake, table, rows, () => Promise.reject(new Error('a row has no key')));
}

describe('two rows of one key in a batch', () => {
  test.each<[string, readonly (readonly CsvCell[])[], string | null]>([
    ['of a key that is new', [row(3, 'Cat'), row(3, 'Kit')], null],
    ['of a key that was there', [row(1, 'Ann'), row(1, 'Anna')], null],
    ['of a new key in a table that is read whole', [row(1, 'Ann'), row(3, 'Cat'), row(3, 'Kit')], 'first read'],
    ['of a known key in a table that is read whole', [row(1, 'Ann'), row(3, 'Cat'), row(1, 'Ann')], 'first read'],
  ])('are refused, %s: which one is looked up would be left to chance', async (_which, rows, whole) => {
    const lakes = await freshLakes();
    const mirror = new Mirror(COLUMNS, new Map([['1', ['1', 'Ann', null]]]));
    await expect(apply(mirror, lakes.ingestion, 'person', await people(lakes, rows, whole, 2))).rejects.toMatchObject({
      kind: 'key_not_unique',
      message: 'a batch holds two rows of person with one key, so person.person_id is no key',
      context: { table: 'person', column: 'person_id' },
    });
  });
});

describe('a mirror', () => {
  test('takes new rows and changed ones, and knows what there was before', async () => {
    const lakes = await freshLakes();
    const mirror = new Mirror(
      COLUMNS,
      new Map([
        ['1', ['1', 'Ann', null]],
        ['2', ['2', 'Bob', '7']],
      ]),
    );
    await apply(mirror, lakes.ingestion, 'person', await people(lakes, [row(2, 'Rob', '7'), row(3, 'Cat')], null));
    expect(rowsOf(mirror)).toEqual([
      ['1', 'Ann', null],
      ['2', 'Rob', '7'],
      ['3', 'Cat', null],
    ]);
    expect([...mirror.changedKeys]).toEqual(['2', '3']);
    expect(['1', '2', '3', '4'].map((key) => mirror.before(key))).toEqual([
      ['1', 'Ann', null],
      ['2', 'Bob', '7'],
      undefined,
      undefined,
    ]);
    expect(['1', '2', '3', '4'].map((key) => mirror.now(key)?.[1])).toEqual(['Ann', 'Rob', 'Cat', undefined]);
  });

  test('is not changed by rows that are as they were, nor by columns that nobody reads', async () => {
    const lakes = await freshLakes();
    const mirror = new Mirror(COLUMNS, new Map([['1', ['1', 'Ann', '']]]));
    await apply(
      mirror,
      lakes.ingestion,
      'person',
      await people(lakes, [['1', 'Ann', '', 'another secret']], null),
    );
    expect([mirror.changed, [...mirror.changedKeys]]).toEqual([false, []]);
    await apply(mirror, lakes.ingestion, 'person', await people(lakes, [['1', 'Ann', null, '']], null));
    expect(mirror.changed).toBe(true);
  });

  test('is replaced by a whole read: what the source deleted leaves it', async () => {
    const lakes = await freshLakes();
    const mirror = new Mirror(
      COLUMNS,
      new Map([
        ['1', ['1', 'Ann', null]],
        ['2', ['2', 'Bob', null]],
      ]),
    );
    await apply(
      mirror,
      lakes.ingestion,
      'person',
      await people(lakes, [row(2, 'Bob'), row(3, 'Cat')], 'restored'),
    );
    expect(rowsOf(mirror).map(([id]) => id)).toEqual(['2', '3']);
    expect([...mirror.changedKeys]).toEqual(['3', '1']);
    expect(mirror.before('1')).toEqual(['1', 'Ann', null]);
    await apply(mirror, lakes.ingestion, 'person', await people(lakes, [], 'restored'));
    expect(rowsOf(mirror)).toEqual([]);
  });

  test('reads all the objects of a batch, and null for a column that the batch lacks', async () => {
    const lakes = await freshLakes();
    const mirror = new Mirror([...COLUMNS, 'motto']);
    const rows = [1, 2, 3, 4, 5].map((id) => row(id, `n${id}`));
    await apply(mirror, lakes.ingestion, 'person', await people(lakes, rows, null, 3));
    expect(rowsOf(mirror).map(([id, , , motto]) => [id, motto])).toEqual(rows.map(([id]) => [id, null]));
  });

  test('leaves out a row without a key, which goes to quarantine whole', async () => {
    const lakes = await freshLakes();
    const table = await people(lakes, [row(1, 'Ann'), [null, 'Bob', null, 'secret']], null);
    const mirror = new Mirror(COLUMNS);
    const rejects: Reject[] = [];
    await applyBatch(mirror, lakes.ingestion, 'person', table, async (reject) => void rejects.push(reject));
    expect(rowsOf(mirror)).toEqual([['1', 'Ann', null]]);
    expect(rejects).toMatchObject([{ table: 'person', key: null, column: 'person_id', reason: 'is null' }]);
    expect(Object.values(rejects[0]?.row ?? {})).toEqual([null, 'Bob', null, 'secret']);
  });
});

describe('a written mirror', () => {
  const name = { table: 'person', batch: 3, attempt: 'a' };

  test('is read as it was: every character, null and the empty string', async () => {
    const lakes = await freshLakes();
    const text = fc.option(fc.string({ unit: 'binary', maxLength: 9 }), { freq: 3 });
    const rows = fc.uniqueArray(fc.tuple(fc.integer().map(String), text, text), { selector: ([key]) => key });
    let attempt = 0;
    await fc.assert(
      fc.asyncProperty(rows, async (each) => {
        const mirror = new Mirror(COLUMNS, new Map(each.map((fields) => [fields[0], fields])));
        const objects = await writeMirror(lakes.processed, mirror, { ...name, attempt: `a${(attempt += 1)}` });
        expect([objects.columns, objects.rows]).toEqual([COLUMNS, each.length]);
        const read = await readMirror(lakes.processed, objects);
        expect([rowsOf(read), read.columns, read.changed]).toEqual([each, COLUMNS, false]);
      }),
      { numRuns: 30 },
    );
  });

  test('is written under the batch and the attempt, as a file for every 65,536 rows', async () => {
    const lakes = await freshLakes();
    const many = Array.from({ length: 65_537 }, (_, id): [string, MirrorRow] => [String(id), [String(id), 'n', null]]);
    const objects = await writeMirror(lakes.processed, new Mirror(COLUMNS, new Map(many)), name);
    expect(objects.parts.map(({ key, rows }) => [key, rows])).toEqual([
      ['mirror/person/00000000000000000003/a/part-0.parquet', 65_536],
      ['mirror/person/00000000000000000003/a/part-1.parquet', 1],
    ]);
    expect(rowsOf(await readMirror(lakes.processed, objects))).toHaveLength(65_537);
  });
});

test('a mirror does not keep the chunks that its rows came in', async () => {
  const lakes = await freshLakes();
  const secret = 'x'.repeat(250_000);
  const table = await people(
    lakes,
    Array.from({ length: 200 }, (_, id) => [String(id), `a name of some length ${id}`, null, secret]),
    null,
  );
  const before = heapMegabytes();
  const mirror = new Mirror(COLUMNS);
  await apply(mirror, lakes.ingestion, 'person', table);
  const grown = heapMegabytes() - before;
  expect(rowsOf(mirror)).toHaveLength(200);
  // 50 MB went through.
  expect(grown).toBeLessThan(10);
});
