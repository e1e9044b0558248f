import { describe, expect, test } from 'vitest';
import { logKey } from '../../src/shared/lake/key.ts';
import type { Lake } from '../../src/shared/lake/lake.ts';
import type { RangeRef } from '../../src/shared/lake/split.ts';
import { expectAll, fortyItems, none, RANGE_BYTES, work } from './forty.ts';
import { changedLake, once } from './lakes.ts';
import { type Divided, Handed, planOf } from './splitting.ts';

const { divided, begun } = fortyItems();

/** Batches 1 and 2 are committed; batch 3 is begun, in ranges. */
async function third(): Promise<{ readonly batch: Divided; readonly refs: readonly RangeRef[] }> {
  const { batch, refs } = await begun();
  await work(batch, refs);
  await batch.source.sql.query(`update item set name = 'second' where item_id = 1`);
  await batch.source.ingest();
  await batch.source.sql.query(`update item set name = 'third'`);
  await batch.look();
  return { batch, refs: batch.handed.take() };
}

/** The lake, where something happens before the first such object is put. */
function lakeAt({ source: { lake } }: Divided, where: RegExp, happens: () => Promise<unknown>): Lake {
  const first = once(async () => void (await happens()));
  return changedLake(lake, {
    putIfAbsent: async (key, body) => {
      if (where.test(key)) await first(key);
      return lake.putIfAbsent(key, body);
    },
  });
}

describe('a plan whose batch before was taken back', () => {
  test('is not committed behind a gap', async () => {
    const { batch, refs } = await third();
    await batch.source.lake.delete(logKey(2));
    expect(await work(batch, refs)).toEqual(refs.map(() => 'gone'));
    expect(await batch.source.entries()).toHaveLength(1);
    await batch.look();
    expect((await batch.workAll()).at(-1)).toBe('committed');
    await batch.look();
    expect(await batch.known(3)).toContain('void.json');
    await expectAll(batch);
  });

  test('is not committed behind one that was read since', async () => {
    const { batch, refs } = await third();
    await batch.source.lake.delete(logKey(2));
    await batch.source.ingest();
    expect(await work(batch, refs)).toEqual(refs.map(() => 'gone'));
    expect(await batch.look()).toMatchObject({ head: 2, isUpToDate: true });
    expect(await batch.known(3)).toContain('void.json');
  });

  test('is not committed either where that was while its last range was read', async () => {
    const { batch, refs } = await third();
    await work(batch, refs.slice(1));
    const ingestion = lakeAt(batch, /range-/, async () => batch.source.lake.delete(logKey(2)));
    expect(await batch.work(refs[0] ?? none(), { ingestion })).toBe('gone');
    expect(await batch.source.entries()).toHaveLength(1);
  });
});

describe('a plan whose batch is committed', () => {
  test('is told of once, though two find at the same time that no range is missing', async () => {
    const { batch, refs } = await begun();
    const [last = none(), ...others] = refs;
    await work(batch, others);
    let ms = Date.now();
    const now = (): Date => new Date((ms += 1));
    const outcomes: string[] = [];
    const ingestion = lakeAt(batch, /^log/, async () => outcomes.push(await batch.work(last, { now })));
    expect(await batch.work(last, { ingestion, now })).toBe('gone');
    expect(outcomes).toEqual(['committed']);
    const told = batch.events.filter(({ event }) => ['table', 'batch', 'lost'].includes(event)).map(({ event }) => event);
    expect(told.toSorted()).toEqual(['batch', 'lost', 'table', 'table']);
  });

  test('does not come back, nor does one that was begun beside it', async () => {
    const batch = await divided();
    const [one, other] = [new Handed(RANGE_BYTES), new Handed(RANGE_BYTES)];
    await batch.look({ split: one, ingestion: lakeAt(batch, /plan/, async () => batch.look({ split: other })) });
    const plans = [one.take(), other.take()];
    expect((await work(batch, plans[0] ?? [])).at(-1)).toBe('committed');
    await batch.source.lake.delete(logKey(1));
    await batch.look();
    const attempts = plans.map((refs) => refs[0]?.attempt);
    expect(new Set([...attempts, batch.handed.refs[0]?.attempt]).size).toBe(3);
  });

  test('does not come back where it was read at once', async () => {
    const { batch, refs } = await begun();
    await batch.source.ingest();
    expect(await batch.work(refs[0] ?? none())).toBe('gone');
    await batch.source.lake.delete(logKey(1));
    await batch.look();
    expect(batch.handed.refs[0]?.attempt).not.toBe(refs[0]?.attempt);
  });
});

test('a batch that cannot be finished again and again is told, from the third time on, and begun again', async () => {
  const batch = await divided();
  const tried = async (): Promise<string> => {
    await batch.look();
    const [ref = none()] = batch.handed.take();
    await batch.source.sql.query('vacuum full item');
    return batch.work(ref);
  };
  expect([await tried(), await tried()]).toEqual(['gone', 'gone']);
  for (const times of ['3 times', '4 times']) {
    await expect(tried()).rejects.toMatchObject({
      kind: 'source_failed', context: { stage: 'ingest', batch: 1, table: 'item' }, message: expect.stringContaining(times),
    });
  }
  expect(batch.warnings()).toHaveLength(4);
  await batch.look();
  expect((await batch.workAll()).at(-1)).toBe('committed');
  await expectAll(batch);
});

/** Forty pages, and one of the first has the row that was written last. */
const NEWEST_FIRST = `delete from item; insert into item select id, 'first' from generate_series(1, 200) id;
  delete from item where item_id = 3; vacuum item; insert into item values (1000, 'newest')`;

test('whoever plans looks for witnesses at the end of a table that is cut, not in all of it', async () => {
  const batch = await divided();
  await batch.source.sql.query('truncate item');
  for (const statement of NEWEST_FIRST.split('; ')) await batch.source.sql.query(statement);
  const { rows } = await batch.source.sql.query<{ page: number }>(`select (ctid::text::point)[0]::int as page from item where item_id = 1000`);
  expect(Number(rows[0]?.page)).toBe(0);
  await batch.look();
  const [ref = none()] = batch.handed.take();
  const witnesses = (await planOf(batch, ref)).entry.tables['item']?.witnesses ?? [];
  expect(witnesses).toHaveLength(10);
  expect(witnesses.map(({ key }) => Number(key)).filter((key) => key <= 100 || key > 200)).toEqual([]);
  await batch.source.ingest();
  expect((await batch.source.last('item')).witnesses?.map(({ key }) => key)).toContain('1000');
});
