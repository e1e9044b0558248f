import { beforeAll, describe, expect, test } from 'vitest';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import { int, text } from '../../src/shared/model/column.ts';
import { type Strategy, table, type Table } from '../../src/shared/model/table.ts';
import { harness, sourceServer, warnings } from './harness.ts';

const full: Strategy = { kind: 'full' };
const item = (strategy?: Strategy): Table => table('item', { id: int().key(), name: text() }, strategy);

const BASE = `create table base (id int primary key, name text); insert into base values (1, 'one'), (2, 'two');`;
const FOREIGN = (database: string, port: number, password: string) => `
  create extension postgres_fdw;
  create server elsewhere foreign data wrapper postgres_fdw
  options (host '127.0.0.1', port '${port}', dbname '${database}');
  create user mapping for public server elsewhere options (user 'postgres', password '${password}');`;

let server: Cluster;
beforeAll(async () => {
  server = await sourceServer();
});

const refused = (name: string) => ({
  kind: 'source_strategy',
  context: { table: 'item' },
  message: expect.stringContaining(name),
  hint: expect.stringContaining('full'),
});

describe('by transaction', () => {
  test('a view cannot be followed, and is named', async () => {
    const source = await harness(server, `${BASE} create view item as select * from base`, item());
    await expect(source.ingest()).rejects.toMatchObject(refused('table item: without transaction ids'));
    source.declare(item(full));
    expect(await source.rows()).toEqual({ item: 2 });
  });

  test('a foreign table cannot be followed, and is named', async () => {
    const source = await harness(server, BASE, item());
    const { pathname, port, password } = new URL(source.url);
    await source.sql.query(FOREIGN(pathname.slice(1), Number(port), password));
    await source.sql.query(`create foreign table item (id int, name text) server elsewhere
      options (table_name 'base')`);
    await expect(source.ingest()).rejects.toMatchObject(refused('table item: without transaction ids'));
    source.declare(item(full));
    expect(await source.rows()).toEqual({ item: 2 });
  });

  test('a table with a foreign partition cannot be followed, and the partition is named', async () => {
    const source = await harness(server, `${BASE}
      create table item (id int, name text) partition by range (id);
      create table near partition of item for values from (100) to (200);
      insert into near values (100, 'near')`, item());
    expect(await source.rows()).toEqual({ item: 1 });
    const { pathname, port, password } = new URL(source.url);
    await source.sql.query(FOREIGN(pathname.slice(1), Number(port), password));
    await source.sql.query(`
      create foreign table far partition of item for values from (0) to (100) server elsewhere
      options (table_name 'base')`);
    await expect(source.ingest()).rejects.toMatchObject(refused('keeps rows in far'));
    source.declare(item(full));
    expect(await source.rows()).toEqual({ item: 3 });
  });

  test('a table of another access method cannot be followed, and is named', async () => {
    const source = await harness(server, `
      create access method other_${process.pid} type table handler heap_tableam_handler;
      create table item (id int, name text) using other_${process.pid}; insert into item values (1, 'one')`, item());
    await expect(source.ingest()).rejects.toMatchObject(refused('keeps rows in item'));
    source.declare(item(full));
    expect(await source.rows()).toEqual({ item: 1 });
  });

  test('a materialised view can be followed', async () => {
    const source = await harness(server, `${BASE} create materialized view item as select * from base`, item());
    expect(await source.rows()).toEqual({ item: 2 });
  });
});

describe('in full', () => {
  test.each(['view', 'materialized view', 'table'])('a %s is read whenever its content is another', async (kind) => {
    const source = await harness(server, `${BASE} create ${kind} item as select * from base`, item(full));
    const refresh = kind === 'view' ? '' : 'refresh materialized view item';
    const base = kind === 'table' ? 'item' : 'base';
    expect(await source.rows()).toEqual({ item: 2 });
    expect(await source.last('item')).toMatchObject({ whole: 'first read', cursor: null });
    expect(await source.rows()).toBeNull();
    await source.sql.query(`update ${base} set name = 'TWO' where id = 2; ${kind === 'table' ? '' : refresh}`);
    expect(await source.rows()).toEqual({ item: 2 });
    expect(await source.last('item')).toMatchObject({ whole: "declared 'full'" });
    expect(await source.rows()).toBeNull();
    await source.sql.query(`delete from ${base} where id = 1; ${kind === 'table' ? '' : refresh}`);
    expect(await source.rows()).toEqual({ item: 1 });
    expect(warnings(source)).toEqual([]);
  });

  test('content that is what it was leaves no object behind', async () => {
    const source = await harness(server, `${BASE} create table item as select * from base`, item(full));
    await source.rows();
    await source.sql.query('vacuum full item; ');
    expect(await source.rows()).toBeNull();
    expect(await source.objects()).toHaveLength(1);
  });

  test('content that is what it was is none in a batch that others make', async () => {
    const base = table('base', { id: int().key() });
    const source = await harness(server, `${BASE} create table item as select * from base`, item(full), base);
    await source.rows();
    const { digest } = await source.last('item');
    await source.sql.query(`insert into base values (3, 'three')`);
    expect(await source.rows()).toEqual({ item: 0, base: 1 });
    expect(await source.last('item')).toMatchObject({ whole: null, digest, rows: 0, parts: [] });
    expect(await source.objects()).toHaveLength(3);
    expect(await source.rows()).toBeNull();
  });

  test('content that is what it was is read all the same when somebody asks for it', async () => {
    const source = await harness(server, `${BASE} create table item as select * from base`, item(full));
    await source.rows();
    expect(await source.rows({ whole: true })).toEqual({ item: 2 });
    expect(await source.last('item')).toMatchObject({ whole: 'asked for' });
    expect(await source.rows()).toBeNull();
  });

  test('content that is what it was is read all the same from another source', async () => {
    const source = await harness(server, `${BASE} create table item as select * from base`, item(full));
    await source.rows();
    const copy = await harness(server, `${BASE} create table item as select * from base`, item(full));
    expect(await source.rows({ sourceUrl: copy.url })).toEqual({ item: 2 });
    expect(warnings(source)).toEqual(["item is read whole: the source's database is not what it was"]);
  });

  test('a table that was followed by transaction is read whole once', async () => {
    const source = await harness(server, `${BASE} create table item as select * from base`, item());
    await source.rows();
    source.declare(item(full));
    expect(await source.rows()).toEqual({ item: 2 });
    expect(await source.rows()).toBeNull();
    source.declare(item());
    expect(await source.rows()).toEqual({ item: 2 });
    expect(await source.rows()).toBeNull();
  });
});
