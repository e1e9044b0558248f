import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { describe as readDescriptions } from '../../src/ingest/catalog.ts';
import { findChanges } from '../../src/ingest/count.ts';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import { logKey } from '../../src/shared/lake/key.ts';
import { readState, type StageState, writeState } from '../../src/shared/lake/state.ts';
import { int, text } from '../../src/shared/model/column.ts';
import { table } from '../../src/shared/model/table.ts';
import { recorded } from '../../src/shared/stage.ts';
import { connectTo } from '../support/postgres.ts';
import { type Harness, harness, sourceServer, warnings } from './harness.ts';
import { SERVERS } from './machine.ts';

const item = table('item', { item_id: int().key(), name: text() });
const THREE = `create table item (item_id int primary key, name text not null);
  insert into item values (1, 'one'), (2, 'two'), (3, 'three')`;
const PARTITIONED = `
  create table item (item_id int primary key, name text not null) partition by range (item_id);
  create table low partition of item for values from (0) to (100);
  create table high partition of item for values from (100) to (200);
  insert into item values (1, 'low'), (2, 'low'), (100, 'high')`;

/** Makes rows look as if they had been written before all transactions: surgery on pages. */
const AGED = (ctid: string) =>
  `create extension if not exists pg_surgery; select heap_force_freeze('item'::regclass, array['${ctid}']::tid[])`;

/** Nothing is counted until something has changed. */
async function countedNow({ lake }: Harness): Promise<void> {
  const now = new Date().toISOString();
  await writeState(lake, 'ingest', { stage: 'ingest', batch: 1, outcome: 'nothing_new', looked_at: now, detail: { counted_at: now } });
}

async function counted(source: Harness): Promise<number | undefined> {
  return (await source.last('item')).rows_in_source;
}

describe.each(SERVERS)('on PostgreSQL %s', (version, binariesDirectory) => {
  // pg_surgery came with 14.
  const canOperate = !(Number.parseInt(version, 10) < 14);
  let server: Cluster;
  beforeAll(async () => {
    server = await sourceServer(binariesDirectory);
  });

  test('the rows that a table has are counted in each batch, also after deletes', async () => {
    const source = await harness(server, THREE, item);
    await source.rows();
    expect(await counted(source)).toBe(3);
    await source.sql.query(`delete from item where item_id < 3; insert into item values (4, 'four')`);
    expect(await source.rows()).toEqual({ item: 1 });
    expect(await counted(source)).toBe(2);
    await source.sql.query('truncate item');
    await source.rows();
    await source.sql.query(`insert into item values (5, 'five')`);
    expect(await source.rows()).toEqual({ item: 1 });
    expect(await counted(source)).toBe(1);
    expect(warnings(source)).toEqual([]);
  });

  test.runIf(canOperate)('a row more than the changes account for has the table read whole, and said so', async () => {
    const source = await harness(server, THREE, item);
    await source.rows();
    await source.sql.query(`insert into item values (4, 'missed'), (5, 'seen')`);
    await source.sql.query(AGED('(0,4)'));
    expect(await source.rows()).toEqual({ item: 5 });
    expect(warnings(source)).toEqual(['item is read whole: it has 1 rows more than its changes account for']);
    expect(await source.last('item')).toMatchObject({ whole: 'it has 1 rows more than its changes account for' });
    expect(await counted(source)).toBe(5);
    expect(await source.rows()).toBeNull();
  });

  test.runIf(canOperate)('a row more is noticed also where nothing else has changed', async () => {
    const source = await harness(server, THREE, item);
    await source.rows();
    await source.sql.query(`insert into item values (4, 'missed')`);
    await source.sql.query(AGED('(0,4)'));
    expect(await source.rows()).toEqual({ item: 4 });
  });

  test('all of the changed rows are read, wherever they are, and in all partitions', async () => {
    const source = await harness(server, PARTITIONED, item);
    await source.rows();
    await source.sql.query(`insert into item select id, 'more' from generate_series(3, 50) id`);
    await source.sql.query(`update item set name = 'new' where item_id in (1, 100)`);
    expect(await source.rows()).toEqual({ item: 50 });
    expect(await counted(source)).toBe(51);
    await source.sql.query(`alter table item detach partition low; insert into item values (101, 'high')`);
    expect(await source.rows()).toEqual({ item: 1 });
    expect(await counted(source)).toBe(2);
    await source.sql.query('alter table item attach partition low for values from (0) to (100)');
    expect(await source.rows()).toEqual({ item: 50 });
    expect([await counted(source), warnings(source)]).toEqual([52, []]);
  });
});

describe('where nothing has changed', () => {
  let server: Cluster;
  beforeAll(async () => {
    server = await sourceServer();
  });

  /** A row that no transaction since the last look wrote; and looks that leave behind what the next one knows, at times of the test's. */
  async function missing() {
    const source = await harness(server, THREE, item);
    const look = async (time: string): Promise<StageState | null> => {
      const now = () => new Date(`2031-03-01T${time}Z`);
      await recorded('ingest', source.lake, now, async () => source.ingest({ now }));
      return readState(source.lake, 'ingest');
    };
    // Read whole, they are counted as well.
    await look('09:00:00');
    await source.sql.query(`insert into item values (4, 'missed')`);
    await source.sql.query(AGED('(0,4)'));
    return { look };
  }

  test('the rows are counted once an hour: a row more is noticed then', async () => {
    const { look } = await missing();
    expect(await look('09:59:59')).toMatchObject({ batch: 1, detail: { counted_at: '2031-03-01T09:00:00.000Z' } });
    expect(await look('10:00:00')).toMatchObject({ batch: 2, detail: { counted_at: '2031-03-01T10:00:00.000Z' } });
  });

  test('and where the clock went back', async () => {
    const { look } = await missing();
    expect(await look('08:59:59')).toMatchObject({ batch: 2, detail: { counted_at: '2031-03-01T08:59:59.000Z' } });
  });

  test('and with the next batch, whichever table that is of', async () => {
    const other = table('other', { other_id: int().key() });
    const source = await harness(server, `${THREE}; create table other (other_id int primary key)`, item, other);
    await source.rows();
    await countedNow(source);
    await source.sql.query(`insert into item values (4, 'missed')`);
    await source.sql.query(AGED('(0,4)'));
    expect(await source.rows()).toBeNull();
    await source.sql.query('insert into other values (1)');
    expect(await source.rows()).toEqual({ item: 4, other: 1 });
  });
});

describe('however many rows change', () => {
  let server: Cluster;
  beforeAll(async () => {
    server = await sourceServer();
  });

  describe.each([
    ['a table', ''],
    ['partitions', `partition by range (item_id); create table low partition of item for values from (0) to (15000);
      create table high partition of item for values from (15000) to (1000000)`],
  ])('of %s', (_which, parts) => {
    test.each(['in the scan that finds them', 'in a scan of its own'])('each of them is read, and all are counted %s', async (how) => {
      const source = await harness(server, `create table item (item_id int primary key, name text not null) ${parts};
        insert into item select id, 'old' from generate_series(1, 30000) id`, item);
      await source.rows();
      if (how === 'in a scan of its own') await countedNow(source);
      for (const changed of [1, 9_999, 10_000, 10_001, 25_000]) {
        // Scattered: every third, or more where that is not enough.
        await source.sql.query(`update item set name = 'new ${changed}' where item_id in (
          select item_id from item order by item_id % 3, item_id limit ${changed})`);
        expect(await source.rows()).toEqual({ item: changed });
      }
      await source.sql.query(`insert into item select id, 'more' from generate_series(30001, 42000) id; delete from item where item_id <= 5`);
      expect(await source.rows()).toEqual({ item: 12_000 });
      expect([await counted(source), warnings(source)]).toEqual([41_995, []]);
    });
  });
});

test('a table that grows while it is looked at still shows where its changes are', async () => {
  const source = await harness(await sourceServer(), `
    create table item (item_id int primary key, name text not null) with (fillfactor = 45);
    alter table item alter column name set storage plain;
    insert into item select id, repeat('x', 3000) from generate_series(1, 511) id`, item);
  const client = await connectTo(source.url);
  await client.query('begin isolation level repeatable read read only');
  const oid = (await client.query<{ oid: string }>(`select 'item'::regclass::oid::text as oid`)).rows[0]?.oid ?? '';
  const description = (await readDescriptions(client, new Map([[oid, ['item_id', 'name']]]))).get(oid);
  if (!description) throw new Error('it was not described');
  const pages = async () => (await source.sql.query<{ pages: number }>(`select pg_relation_size('item')::int / 8192 as pages`)).rows[0]?.pages;
  expect(await pages()).toBe(511);
  const finding = findChanges(client, 'public', [{ table: item.spec, description, where: `item_id = 300 and pg_sleep(1) is not null` }], true);
  // It has been measured, and is being looked at.
  await vi.waitFor(async () => {
    const { rows } = await source.sql.query(`select from pg_stat_activity where wait_event = 'PgSleep'`);
    expect(rows).toHaveLength(1);
  });
  await source.sql.query(`insert into item select id, repeat('y', 3000) from generate_series(512, 1100) id`);
  const found = (await finding).get('item');
  expect(await pages()).toBeGreaterThan(1_024);
  expect(found).toEqual({ rows: 511, changed: 1, places: `ctid = any('{"(299,1)"}'::tid[])` });
});

/** The entry as it was before there were statistics, positions, counts and witnesses in it. */
async function aged(source: Harness, batch: number): Promise<void> {
  const path = join(source.lake.location, logKey(batch));
  const later = new Set(['statistics', 'lsn', 'rows_in_source', 'witnesses']);
  const entry: unknown = JSON.parse(await readFile(path, 'utf8'), (key, value: unknown) =>
    later.has(key) ? undefined : value);
  await writeFile(path, JSON.stringify(entry));
}

describe('what an older build has committed', () => {
  let server: Cluster;
  beforeAll(async () => {
    server = await sourceServer();
  });

  test('is carried on from: what is not known is no reason to read a table whole', async () => {
    const source = await harness(server, THREE, item);
    await source.rows();
    await aged(source, 1);
    const [first] = await source.entries();
    expect(Object.keys(first?.tables['item'] ?? {})).not.toContain('rows_in_source');
    expect(Object.keys(first?.source ?? {})).not.toContain('statistics');
    expect(await source.rows()).toBeNull();
    const other = await connectTo(source.url);
    await other.query(`insert into item values (4, 'four')`);
    expect(await source.rows()).toEqual({ item: 1 });
    expect(await source.last('item')).toMatchObject({ rows_in_source: 4, witnesses: [{ key: '4' }] });
    expect(warnings(source)).toEqual([]);
  });
});
