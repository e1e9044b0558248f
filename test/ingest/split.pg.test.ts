import { describe, expect, test } from 'vitest';
import { int, text } from '../../src/shared/model/column.ts';
import { table } from '../../src/shared/model/table.ts';
import { connectTo } from '../support/postgres.ts';
import { COLUMNS, expectAll, fortyItems, inLake, inSource, items, none, RANGE_BYTES, small, work } from './forty.ts';
import { Divided, Handed } from './splitting.ts';

const { divided, begun } = fortyItems();

describe('a large batch', () => {
  test('is read in ranges, and committed by whoever does the last one', async () => {
    const { batch, refs } = await begun();
    expect([await batch.source.entries(), await batch.known(1)]).toEqual([[], ['plan.json']]);
    expect(await work(batch, refs)).toEqual([...refs.slice(1).map(() => 'done'), 'committed']);
    const [entry] = await batch.source.entries();
    const { rows, whole, parts, rows_in_source } = await batch.source.last('item');
    expect({ rows, whole, rows_in_source }).toEqual({ rows: 40, whole: 'first read', rows_in_source: 40 });
    expect(parts.length).toBeGreaterThan(2);
    expect(entry).toMatchObject({ batch: 1, attempt: refs[0]?.attempt, tables: { small: { rows: 2, rows_in_source: 2 } } });
    expect(batch.events.filter(({ event }) => event === 'range')).toHaveLength(refs.length);
    expect(batch.events.filter(({ event }) => event === 'table')).toMatchObject([{ rows: 40 }, { rows: 2 }]);
    // Without the hours of many workers, which nobody is to take for what one call needs.
    expect(batch.events.at(-1)).toEqual({ event: 'batch', stage: 'ingest', batch: 1, rows: 42 });
    expect(await inLake(batch)).toEqual(await inSource(batch));
    // An operator who takes the entry back wants another one.
    expect(await batch.known(1)).toContain('void.json');
    expect(await batch.look()).toMatchObject({ batches: 0, head: 1, isUpToDate: true });
  });

  test('is not said to be done before it is', async () => {
    const batch = await divided();
    expect(await batch.look()).toEqual({ stage: 'ingest', batches: 0, head: 0, isUpToDate: false, detail: expect.anything() });
    expect(await batch.look()).toEqual({ stage: 'ingest', batches: 0, head: 0, isUpToDate: false, detail: {} });
    expect(batch.events).toEqual([]);
  });

  test('that is no larger than the threshold is read at once, and so are small tables and those of another strategy', async () => {
    const batch = await divided();
    const split = new Handed(RANGE_BYTES, 1_000_000);
    expect(await batch.look({ split })).toMatchObject({ batches: 1, isUpToDate: true });
    expect([split.refs, await batch.known(1)]).toEqual([[], []]);
    const full = table('item', { item_id: int().key(), name: text(), pad: text() }, { kind: 'full' });
    const whole = new Divided(batch.source, new Handed(RANGE_BYTES), full, small);
    expect(await whole.look({ whole: true })).toMatchObject({ batches: 1, isUpToDate: true });
  });

  test('of changes to a table that is followed is cut as well', async () => {
    const { batch, refs } = await begun();
    await work(batch, refs);
    await batch.source.sql.query(`update item set name = 'second' where item_id > 8`);
    expect(await batch.look()).toMatchObject({ batches: 0, isUpToDate: false });
    const again = batch.handed.take();
    expect(again.length).toBeGreaterThan(1);
    await batch.source.sql.query(`update item set name = 'third' where item_id = 30`);
    expect((await work(batch, again)).at(-1)).toBe('committed');
    const changed = await batch.source.records(2, 'item');
    expect(changed.map((row) => Number(row['item_id'])).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 32 }, (_, at) => at + 9).filter((id) => id !== 30));
    expect(await batch.source.last('item')).toMatchObject({ whole: null, rows: 31, rows_in_source: 40 });
    await expectAll(batch);
    expect(await batch.source.last('item')).toMatchObject({ whole: null, rows: 1 });
  });

  test('that is asked for whole is another than the one that is being read', async () => {
    const { batch, refs } = await begun();
    await batch.look({ whole: true });
    const whole = batch.handed.take();
    expect(whole[0]?.attempt).not.toBe(refs[0]?.attempt);
    await batch.look({ whole: true });
    expect(batch.handed.take()).toEqual(whole);
    expect(await work(batch, [...refs, ...whole])).toEqual([...refs.map(() => 'gone'), ...whole.slice(1).map(() => 'done'), 'committed']);
    expect(await batch.source.last('item')).toMatchObject({ whole: 'asked for', rows: 40 });
  });
});

describe('what happens to the source between two ranges', () => {
  test('is in the batch behind: rows that move, come, go and change their keys', async () => {
    const { batch, refs } = await begun();
    const { sql } = batch.source;
    const deeds = [
      `update item set name = 'moved' where item_id % 4 = 0; vacuum item`,
      `delete from item where item_id % 7 = 0; ${items(100, 120)}; update item set item_id = item_id + 1000 where item_id in (1, 22, 40)`,
      `begin; insert into item values (200, 'a'); savepoint s; update item set name = 'b' where item_id = 39; release s; commit`,
      `update item set name = name where item_id < 20; ${items(300, 310)}`,
    ];
    for (const [at, ref] of refs.entries()) {
      await batch.work(ref);
      for (const statement of (deeds[at] ?? '').split('; ')) await sql.query(statement);
    }
    expect(refs.length).toBeGreaterThanOrEqual(deeds.length);
    expect(await batch.source.entries()).toHaveLength(1);
    await expectAll(batch);
    expect(await batch.source.last('item')).toMatchObject({ whole: null });
  });

  test('is in it also when its transaction was open before the batch was begun', async () => {
    const batch = await divided();
    const late = await connectTo(batch.source.url);
    await late.query(`begin; insert into item values (50, 'late'); update item set name = 'late' where item_id in (3, 38)`);
    await batch.source.sql.query(`insert into item values (51, 'in time')`);
    await batch.look();
    const refs = batch.handed.take();
    await work(batch, refs.slice(0, 2));
    await late.query(`savepoint a; update item set name = 'later' where item_id = 20; release a; commit`);
    expect((await work(batch, refs.slice(2))).at(-1)).toBe('committed');
    await expectAll(batch);
  });

  test('need not be anything: what a range had to leave out is read though the source has not moved', async () => {
    const batch = await divided();
    const open = await connectTo(batch.source.url);
    await open.query('begin; select pg_current_xact_id()');
    await batch.source.sql.query(`insert into item values (51, 'in time')`);
    await batch.look();
    await batch.workAll();
    expect(await inLake(batch)).toContain('51 is missing');
    await batch.look();
    expect(await inLake(batch)).toEqual(await inSource(batch));
    await open.query('rollback');
  });

  test.each(['vacuum full item', 'cluster item using item_pkey', `truncate item; ${items(1, 30)}`, 'alter table item alter name type varchar'])(
    'by %s makes its plan void, and the next look makes another one', async (rewrite) => {
      const { batch, refs } = await begun();
      expect(await work(batch, refs.slice(0, 2))).toEqual(['done', 'done']);
      for (const statement of rewrite.split('; ')) await batch.source.sql.query(statement);
      expect(await work(batch, refs.slice(2))).toEqual(refs.slice(2).map(() => 'gone'));
      expect(batch.warnings()).toEqual(['item: it is not the table that it was when its batch was begun']);
      expect(await batch.known(1)).toContain('void.json');
      await batch.look();
      const again = batch.handed.take();
      expect(again[0]?.attempt).not.toBe(refs[0]?.attempt);
      expect((await work(batch, again)).at(-1)).toBe('committed');
      await expectAll(batch);
    });

  test('can be that another table takes its place, or that it is gone', async () => {
    const { batch, refs } = await begun();
    await batch.source.sql.query(`alter table item rename to old; create table item (${COLUMNS})`);
    expect(await batch.work(refs[0] ?? none())).toBe('gone');
    await batch.look();
    await batch.source.sql.query('drop table item');
    expect(await batch.source.entries()).toHaveLength(1);
    const other = await begun();
    await other.batch.source.sql.query('drop table item');
    await expect(other.batch.work(other.refs[0] ?? none())).rejects.toMatchObject({
      kind: 'source_structure', context: { stage: 'ingest', batch: 1, table: 'item' },
    });
  });
});

const PARTED = `
  create table item (${COLUMNS}) partition by range (item_id);
  create table low partition of item for values from (0) to (31);
  create table high partition of item for values from (31) to (1000);
  create table apart (like item including all); insert into apart select id, 'apart' from generate_series(2001, 2030) id;
  alter table low alter pad set storage plain; alter table high alter pad set storage plain; ${items(1, 60)};
  create table small (small_id int primary key)`;

describe('a table in partitions', () => {
  test('is cut across all of them, and followed as one', async () => {
    const { batch, refs } = await begun(PARTED);
    await batch.work(refs[0] ?? none());
    await batch.source.sql.query(`update item set item_id = 500 + item_id where item_id < 20`);
    expect((await work(batch, refs.slice(1))).at(-1)).toBe('committed');
    await expectAll(batch);
    expect(await batch.source.last('item')).toMatchObject({ whole: null, rows: 19 });
  });

  test('that comes between two ranges is new to the next batch, and so is one that goes and comes back', async () => {
    const { batch, refs } = await begun(PARTED);
    const { sql } = batch.source;
    await batch.work(refs[0] ?? none());
    await sql.query('alter table item attach partition apart for values from (2000) to (3000); alter table item detach partition high');
    await work(batch, refs.slice(1, -1));
    await sql.query('alter table item attach partition high for values from (31) to (1000)');
    expect((await work(batch, refs.slice(-1))).at(-1)).toBe('committed');
    expect((await batch.source.records(1, 'item')).filter(({ name }) => name === 'apart')).toEqual([]);
    expect((await batch.source.last('item')).leaves).toHaveLength(1);
    await expectAll(batch);
  });
});
