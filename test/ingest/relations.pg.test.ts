import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { cloneDatabase, dropDatabase } from '../../src/local/postgres/databases.ts';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import { int, text } from '../../src/shared/model/column.ts';
import { table } from '../../src/shared/model/table.ts';
import { connectTo, freshDatabase } from '../support/postgres.ts';
import { follow, harness, type Harness, sourceServer, warnings } from './harness.ts';
import { roleUrl } from './roles.ts';

const item = table('item', { item_id: int().key(), name: text() });
const ITEM = 'create table item (item_id int primary key, name text not null)';
const THREE = `${ITEM}; insert into item values (1, 'one'), (2, 'two'), (3, 'three')`;

let server: Cluster;
beforeAll(async () => {
  server = await sourceServer();
});

async function idsIn(source: Harness, batch: number): Promise<readonly number[]> {
  return (await source.records(batch, 'item')).map((row) => Number(row['item_id'])).toSorted((a, b) => a - b);
}

describe('another source under the same address', () => {
  test('is read whole and said so where it is another database of the same name', async () => {
    const source = await harness(server, THREE, item);
    await source.rows();
    const name = new URL(source.url).pathname.slice(1);
    await source.sql.end();
    await cloneDatabase(server, name, `${name}_copy`);
    await dropDatabase(server, name);
    await cloneDatabase(server, `${name}_copy`, name);
    await dropDatabase(server, `${name}_copy`);
    expect(await source.rows()).toEqual({ item: 3 });
    expect(await source.last('item')).toMatchObject({ whole: "the source's database is not what it was" });
    expect(warnings(source)).toEqual(["item is read whole: the source's database is not what it was"]);
    expect(await source.rows()).toBeNull();
  });

  test('is read whole and said so where it is another cluster, though its transactions are far behind', async () => {
    const source = await harness(server, THREE, item);
    await source.sql.query('select pg_current_xact_id()');
    await source.rows();
    const young = await sourceServer();
    const sourceUrl = await freshDatabase('source', young);
    await (await connectTo(sourceUrl)).query(`${ITEM}; insert into item values (1, 'elsewhere')`);
    expect(await source.rows({ sourceUrl })).toEqual({ item: 1 });
    const [warning = ''] = warnings(source);
    expect(warning).toBe("item is read whole: the source's system identifier is not what it was");
    expect(await source.rows({ sourceUrl })).toBeNull();
  });
});

test('a source that does not say which cluster it is can be followed all the same', async () => {
  const source = await harness(server, THREE, item);
  const sourceUrl = await roleUrl(source, 'grant select on item to');
  await source.sql.query('revoke execute on function pg_control_system() from public');
  expect(await source.rows({ sourceUrl })).toEqual({ item: 3 });
  expect((await source.entries())[0]?.source).toMatchObject({ system_identifier: null, timeline: '00000001' });
  await source.sql.query(`insert into item values (4, 'four')`);
  expect(await source.rows({ sourceUrl })).toEqual({ item: 1 });
  expect(warnings(source)).toEqual([]);
});

describe('a table', () => {
  test('that another was renamed into the place of is read whole, and said so', async () => {
    const source = await harness(server, `${THREE}; create table spare (item_id int primary key, name text)`, item);
    await source.sql.query(`insert into spare values (1, 'older'), (7, 'than the cursor')`);
    await source.rows();
    await source.sql.query('begin; alter table item rename to gone; alter table spare rename to item; commit');
    await source.rows();
    expect(await idsIn(source, 2)).toEqual([1, 7]);
    expect(warnings(source)).toEqual(['item is read whole: it is another table than it was']);
    expect(await source.rows()).toBeNull();
  });

  test('gets the rows of a partition that is attached, however old these are', async () => {
    const source = await harness(server, `
      create table item (item_id int primary key, name text not null) partition by range (item_id);
      create table low partition of item for values from (0) to (10);
      create table high (item_id int primary key, name text not null);
      insert into low values (1, 'low'); insert into high values (10, 'old'), (11, 'old')`, item);
    expect(await source.rows()).toEqual({ item: 1 });
    await source.sql.query('alter table item attach partition high for values from (10) to (20)');
    expect(await source.rows()).toEqual({ item: 2 });
    expect(await idsIn(source, 2)).toEqual([10, 11]);
    expect(await source.rows()).toBeNull();
  });

  test('gets the rows of a partition below a partition', async () => {
    const source = await harness(server, `
      create table item (item_id int primary key, name text not null) partition by range (item_id);
      create table low partition of item for values from (0) to (100) partition by range (item_id);
      create table lower partition of low for values from (0) to (10);
      create table higher (item_id int primary key, name text not null);
      insert into item values (1, 'lower'); insert into higher values (10, 'old')`, item);
    expect(await source.rows()).toEqual({ item: 1 });
    await source.sql.query('alter table low attach partition higher for values from (10) to (20)');
    await source.rows();
    expect(await idsIn(source, 2)).toEqual([10]);
  });

  test('gets the rows of a table that is made its child, and those that it has itself', async () => {
    const source = await harness(server, `${THREE}; create table child (like item, more int)`, item);
    await source.sql.query(`insert into child values (50, 'old', 1)`);
    await source.rows();
    await source.sql.query('alter table child inherit item');
    await source.rows();
    expect(await idsIn(source, 2)).toEqual([50]);
    await source.sql.query(`insert into child values (51, 'new', 1); update item set name = 'TWO' where item_id = 2`);
    await source.rows();
    expect(await idsIn(source, 3)).toEqual([2, 51]);
  });

  test('of another schema is followed where that schema is named', async () => {
    const source = await harness(server, `${THREE}; create schema "Shop 2"`, item);
    await source.sql.query(`create table "Shop 2".item as select item_id + 100 as item_id, name from item`);
    const reader = new URL(source.readerUrl).username;
    await source.sql.query(`grant usage on schema "Shop 2" to ${reader}; grant select on "Shop 2".item to ${reader}`);
    expect(await source.rows({ sourceSchema: 'Shop 2' })).toEqual({ item: 3 });
    expect(await idsIn(source, 1)).toEqual([101, 102, 103]);
    await source.rows();
    expect(await idsIn(source, 2)).toEqual([1, 2, 3]);
  });
});

describe('row-level security', () => {
  const POLICY = `alter table item enable row level security;
    create policy low_ones on item using (item_id < 3)`;

  test('is an error that names the table, never fewer rows', async () => {
    const source = await harness(server, THREE, item);
    const sourceUrl = await roleUrl(source, 'grant select on item to');
    expect(await source.rows({ sourceUrl })).toEqual({ item: 3 });
    await source.sql.query(POLICY);
    await source.sql.query(`insert into item values (4, 'four')`);
    await expect(source.ingest({ sourceUrl })).rejects.toMatchObject({
      kind: 'source_hidden', context: { table: 'item', batch: 2 }, message: expect.stringContaining('item'),
    });
    expect(await source.entries()).toHaveLength(1);
    await source.sql.query('alter table item disable row level security');
    expect(await source.rows({ sourceUrl })).toEqual({ item: 1 });
  });

  test('does not matter to a user that it does not apply to', async () => {
    const source = await harness(server, `${THREE}; ${POLICY}`, item);
    const sourceUrl = await roleUrl(source, 'grant select on item to');
    await source.sql.query(`alter role ${new URL(sourceUrl).username} bypassrls`);
    expect(await source.rows({ sourceUrl })).toEqual({ item: 3 });
  });

  test('under a view is an error too', async () => {
    const shown = table('shown', { item_id: int().key() }, { kind: 'full' });
    const source = await harness(server, `${THREE}; ${POLICY}; create view shown as select item_id from item`, shown);
    const sourceUrl = await roleUrl(source, 'grant select on item to', 'grant select on shown to');
    // The policies that count are those for the view's owner.
    await source.sql.query(`alter view shown owner to ${new URL(sourceUrl).username}`);
    await expect(source.ingest({ sourceUrl })).rejects.toMatchObject({
      kind: 'source_denied', message: expect.stringContaining('row-level security'),
    });
    expect(await source.entries()).toHaveLength(0);
  });
});

describe('what is not there', () => {
  const other = table('other', { other_id: int().key() });
  const third = table('third', { third_id: int().key() });

  test('is told in full: all tables', async () => {
    const source = await harness(server, THREE, item, other, third);
    await expect(source.ingest()).rejects.toMatchObject({
      kind: 'source_structure', message: expect.stringMatching(/tables other, third: not in schema public/),
    });
  });

  test('is told in full: all columns of all tables', async () => {
    const source = await harness(server, `create table item (name text); create table other (other text)`, item, other);
    await expect(source.ingest()).rejects.toMatchObject({
      kind: 'source_structure',
      context: { table: 'item', column: 'item_id' },
      message: expect.stringContaining('no column item.item_id, other.other_id'),
    });
    expect(await source.objects()).toEqual([]);
  });

  test('includes what was dropped or renamed, until it is back', async () => {
    const source = await harness(server, THREE, item);
    await source.rows();
    await source.sql.query(`alter table item rename name to title; insert into item values (4, 'four')`);
    await expect(source.ingest()).rejects.toMatchObject({ kind: 'source_structure', context: { column: 'name' } });
    await source.sql.query('alter table item rename title to name');
    expect(await source.rows()).toEqual({ item: 1 });
  });

  test('is no difference to a table that is declared later: it is read whole, and the others are not', async () => {
    const setUp = `${THREE}; create table other (other_id int); insert into other values (1)`;
    const source = await harness(server, setUp, item);
    await source.rows();
    source.declare(item, other);
    expect(await source.rows()).toEqual({ item: 0, other: 1 });
    expect(warnings(source)).toEqual([]);
    source.declare(item);
    expect(await source.rows()).toEqual({ item: 0 });
    source.declare(item, other);
    expect(await source.rows()).toEqual({ item: 0, other: 1 });
  });
});

test('two lakes follow one source, each from where it is', async () => {
  const source = await harness(server, THREE, item);
  await source.rows();
  await source.sql.query(`insert into item values (4, 'four')`);
  const second = await follow(source.url, source.sql, [item]);
  expect(await second.rows()).toEqual({ item: 4 });
  expect(await source.rows()).toEqual({ item: 1 });
  expect(second.lake.location).not.toBe(join(source.lake.location));
});
