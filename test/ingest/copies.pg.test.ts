import type { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { int, text } from '../../src/shared/model/column.ts';
import { table } from '../../src/shared/model/table.ts';
import { connectTo } from '../support/postgres.ts';
import { follow, type Harness, warnings } from './harness.ts';
import { type Machine, machine, SERVERS } from './machine.ts';

const item = table('item', { item_id: int().key(), name: text() });
const THREE = `create table elsewhere (number int);
  create table item (item_id int primary key, name text not null);
  insert into item values (1, 'one'), (2, 'two'), (3, 'three')`;
const HISTORY = ["item is read whole: the source's history is not what it was"];

/** By a transaction each. */
async function insert(sql: Client, from: number, to: number, name = 'new'): Promise<void> {
  for (let id = from; id <= to; id += 1) await sql.query(`insert into item values (${id}, '${name}')`);
}

/** Transactions that leave this table alone. */
async function elsewhere(sql: Client, transactions: number): Promise<void> {
  for (let at = 0; at < transactions; at += 1) await sql.query('insert into elsewhere values (1)');
}

/** A source of three rows, not read yet, and a copy of its data directory. */
async function forked(binariesDirectory: string | undefined): Promise<{ own: Machine; copy: Machine; source: Harness }> {
  const own = await machine({ binariesDirectory });
  const before = await connectTo(await own.start());
  await before.query(THREE);
  await own.stop();
  const copy = await own.copied();
  const url = await own.start();
  return { own, copy, source: await follow(url, await connectTo(url), [item]) };
}

/** The copy, in the place of the source, and with more in its log: that alone would tell it from the source. */
async function swapped(own: Machine, copy: Machine, source: Harness): Promise<Client> {
  await own.stop();
  await copy.start(own.port);
  const sql = await connectTo(source.url);
  await sql.query('select pg_switch_wal()');
  return sql;
}

describe.each(SERVERS)('on PostgreSQL %s', (_version, binariesDirectory) => {
  describe('a copy of the source that has run past the cursor', () => {
    test('is read whole, and said so, where it has other rows in the places of those that were read', async () => {
      const { own, copy, source } = await forked(binariesDirectory);
      await insert(source.sql, 10, 15);
      expect(await source.rows()).toEqual({ item: 9 });
      const sql = await swapped(own, copy, source);
      await insert(sql, 20, 30);
      expect(await source.rows()).toEqual({ item: 14 });
      expect(warnings(source)).toEqual(HISTORY);
      expect(await source.rows()).toBeNull();
    });

    test('is read whole, and said so, where the same rows were written alike, but for what they hold', async () => {
      const { own, copy, source } = await forked(binariesDirectory);
      await insert(source.sql, 10, 15);
      expect(await source.rows()).toEqual({ item: 9 });
      const sql = await swapped(own, copy, source);
      await insert(sql, 10, 20, 'other');
      expect(await source.rows()).toEqual({ item: 14 });
      expect(warnings(source)).toEqual(HISTORY);
    });

    test('is read whole, and said so, where a row that was read has never been written', async () => {
      const { own, copy, source } = await forked(binariesDirectory);
      await source.sql.query(`update item set name = 'TWO' where item_id = 2`);
      await elsewhere(source.sql, 2);
      expect(await source.rows()).toEqual({ item: 3 });
      const sql = await swapped(own, copy, source);
      await elsewhere(sql, 10);
      expect(await source.rows()).toEqual({ item: 3 });
      expect(warnings(source)).toEqual(HISTORY);
      expect(await source.records(2, 'item')).toContainEqual({ item_id: '2', name: 'two' });
    });

    test('is read whole, and said so, though both have given out the same transaction ids', async () => {
      const { own, copy, source } = await forked(binariesDirectory);
      await insert(source.sql, 10, 15);
      expect(await source.rows()).toEqual({ item: 9 });
      const sql = await swapped(own, copy, source);
      await insert(sql, 20, 25);
      expect(await source.rows()).toEqual({ item: 9 });
      const snapshots = (await source.entries()).map(({ snapshot }) => snapshot);
      expect(new Set(snapshots).size).toBe(1);
      expect(warnings(source)).toEqual(HISTORY);
    });

    test('is read whole, and said so, where its log is shorter', async () => {
      const { own, copy, source } = await forked(binariesDirectory);
      await source.rows();
      await source.sql.query('insert into elsewhere select * from generate_series(1, 50000)');
      await insert(source.sql, 10, 10);
      await source.rows();
      await source.sql.query('delete from item where item_id = 10');
      await own.stop();
      await copy.start(own.port);
      await elsewhere(await connectTo(source.url), 20);
      expect(await source.rows()).toEqual({ item: 3 });
      expect(warnings(source)).toEqual(HISTORY);
    });
  });

  test('witnesses follow what happens to their rows, and never speak against it', async () => {
    const { source } = await forked(binariesDirectory);
    await insert(source.sql, 10, 40);
    expect(await source.rows()).toEqual({ item: 34 });
    const touched: readonly (readonly [sql: string, rows: number | null])[] = [
      [`update item set name = 'other' where item_id in (40, 39)`, 2],
      ['vacuum full item', 34],
      ['delete from item where item_id between 30 and 38', null],
      ['vacuum item', null],
      [`insert into item select id, 'again' from generate_series(30, 38) id`, 9],
      ['update item set item_id = item_id + 100 where item_id in (31, 40)', 2],
      ['cluster item using item_pkey', 34],
      ['vacuum (freeze) item', null],
      [`begin; truncate item; insert into item values (40, 'back'); commit`, 1],
    ];
    for (const [statement, rows] of touched) {
      await source.sql.query(statement);
      expect({ statement, rows: await source.rows() }).toEqual({ statement, rows: rows === null ? null : { item: rows } });
      await elsewhere(source.sql, 3);
    }
    expect(warnings(source)).toEqual([]);
  });

  test('witnesses are few, and the latest', async () => {
    const { source } = await forked(binariesDirectory);
    await source.sql.query(`insert into item select id, 'many' from generate_series(100, 2000) id`);
    await source.rows();
    for (let id = 3000; id < 3006; id += 1) {
      await insert(source.sql, id, id);
      await source.rows();
    }
    const { witnesses = [] } = await source.last('item');
    expect(witnesses).toHaveLength(16);
    expect(witnesses.slice(0, 6).map(({ key }) => key)).toEqual(['3005', '3004', '3003', '3002', '3001', '3000']);
  });

  test('witnesses of a table that is read whole are the latest rows, wherever they are, and those at its end', async () => {
    const { source } = await forked(binariesDirectory);
    await source.sql.query(`drop table item;
      create table item (item_id int primary key, name text not null) with (fillfactor = 50);
      insert into item select id, repeat('x', 100) from generate_series(1, 5000) id`);
    await source.sql.query(`update item set name = 'late' where item_id in (7, 8)`);
    await source.sql.query(`update item set name = 'later' where item_id = 2500`);
    await source.rows();
    const { witnesses = [] } = await source.last('item');
    expect(witnesses.map(({ key }) => key)).toEqual(['2500', '8', '7', '5000', '4999', '4998', '4997', '4996', '4995', '4994']);
    await source.sql.query('delete from item where item_id between 1000 and 5000 and item_id <> 2500');
    await source.rows({ whole: true });
    // The end is empty.
    const left = (await source.last('item')).witnesses ?? [];
    expect(left.slice(0, 4).map(({ key }) => key)).toEqual(['2500', '8', '7', '999']);
  });
});
