import { beforeAll, describe, expect, test } from 'vitest';
import type { Client } from 'pg';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import { int, text } from '../../src/shared/model/column.ts';
import { table } from '../../src/shared/model/table.ts';
import { connectTo } from '../support/postgres.ts';
import { harness, type Harness, sourceServer, warnings } from './harness.ts';
import { lakeThat, once } from './lakes.ts';
import { roleUrl } from './roles.ts';

const first = table('first', { id: int().key() });
const second = table('second', { id: int().key(), name: text() });

const SCHEMA = `
  create table first (id int primary key); insert into first values (1);
  create table second (id int primary key, name text); insert into second values (1, 'one'), (2, 'two')`;

let server: Cluster;
beforeAll(async () => {
  server = await sourceServer();
});

/** Resolves when a session waits for a lock. */
async function someoneWaits(sql: Client): Promise<void> {
  for (;;) {
    const { rowCount } = await sql.query(`select from pg_locks where not granted`);
    if (rowCount !== 0) return;
  }
}

/** While the first table is being read, before the second is. */
async function whileReading(source: Harness, statements: readonly string[], sourceUrl = source.url): Promise<unknown> {
  const session = await connectTo(source.url);
  await session.query(`set lock_timeout = '300ms'`);
  const results: string[] = [];
  const ingestion = lakeThat(source.lake, once(async () => {
    for (const statement of statements) {
      results.push(await session.query(statement).then(() => 'done', (error: unknown) => String(error)));
    }
  }));
  await source.ingest({ ingestion, sourceUrl });
  return results;
}

describe('while a batch is being read', () => {
  test.each([
    'truncate second',
    'vacuum full second',
    'cluster second using second_pkey',
    'alter table second rename to gone',
    'alter table second drop column name',
    'drop table second',
  ])('nobody can %s', async (statement) => {
    const source = await harness(server, SCHEMA, first, second);
    expect(await whileReading(source, [statement])).toEqual(['error: canceling statement due to lock timeout']);
    expect(await source.records(1, 'second')).toHaveLength(2);
  });

  test('nobody can rewrite a partition, or take it away', async () => {
    const source = await harness(server, `
      create table first (id int); insert into first values (1);
      create table second (id int, name text) partition by range (id);
      create table part partition of second for values from (0) to (10); insert into second values (1, 'one')`,
    first, second);
    const results = await whileReading(source, ['truncate part', 'alter table second detach partition part']);
    expect(results).toEqual(Array(2).fill('error: canceling statement due to lock timeout'));
    expect(await source.records(1, 'second')).toHaveLength(1);
  });

  test('nobody can rewrite a table below a view', async () => {
    const seen = table('seen', { id: int().key() }, { kind: 'full' });
    const source = await harness(server, `${SCHEMA}; create view seen as select id from second`, first, seen);
    expect(await whileReading(source, ['truncate second'])).toEqual(['error: canceling statement due to lock timeout']);
    expect(await source.records(1, 'seen')).toHaveLength(2);
  });

  test('everybody can write, and the batch does not see it: all tables are of one moment', async () => {
    const source = await harness(server, SCHEMA, first, second);
    const both = `begin; insert into first values (9); insert into second values (9, 'its child'); commit`;
    const writes = [both, 'update second set name = $$new$$', 'delete from second'];
    expect(await whileReading(source, writes)).toEqual(['done', 'done', 'done']);
    expect(await source.records(1, 'first')).toEqual([{ id: '1' }]);
    expect(await source.records(1, 'second')).toEqual([{ id: '1', name: 'one' }, { id: '2', name: 'two' }]);
    await source.sql.query(`insert into second values (10, 'ten')`);
    await source.rows();
    expect([await source.records(2, 'first'), await source.records(2, 'second')]).toEqual([
      [{ id: '9' }], [{ id: '10', name: 'ten' }],
    ]);
  });

  test('a partition that is attached is read whole by the next', async () => {
    const source = await harness(server, `
      create table first (id int); insert into first values (1);
      create table second (id int, name text) partition by range (id);
      create table low partition of second for values from (0) to (10); insert into second values (1, 'one');
      create table high (id int, name text); insert into high values (11, 'old')`, first, second);
    const attach = 'alter table second attach partition high for values from (10) to (20)';
    expect(await whileReading(source, [attach])).toEqual(['done']);
    await source.rows();
    expect(await source.records(2, 'second')).toEqual([{ id: '11', name: 'old' }]);
    expect(warnings(source)).toEqual([]);
  });

  test('a table that is made a child is not taken for rows that were missed, and is read whole by the next', async () => {
    const source = await harness(server, `${SCHEMA}; create table child (id int not null, name text)`, first, second);
    await source.sql.query(`insert into child values (11, 'old'), (12, 'old')`);
    await source.rows();
    await source.sql.query(`insert into first values (2); insert into second values (3, 'three')`);
    expect(await whileReading(source, ['alter table child inherit second'])).toEqual(['done']);
    expect([await source.records(2, 'second'), (await source.last('second')).rows_in_source]).toEqual([[{ id: '3', name: 'three' }], 3]);
    await source.rows();
    expect(await source.records(3, 'second')).toEqual([{ id: '11', name: 'old' }, { id: '12', name: 'old' }]);
    expect(warnings(source)).toEqual([]);
  });

  test('a partition that is attached is not taken for rows that were missed', async () => {
    const source = await harness(server, `
      create table first (id int); insert into first values (1);
      create table second (id int, name text) partition by range (id);
      create table low partition of second for values from (0) to (10); insert into second values (1, 'one');
      create table high (id int, name text); insert into high values (11, 'old')`, first, second);
    await source.rows();
    await source.sql.query(`insert into first values (2); insert into second values (2, 'two')`);
    const attach = 'alter table second attach partition high for values from (10) to (20)';
    expect(await whileReading(source, [attach])).toEqual(['done']);
    expect(await source.records(2, 'second')).toEqual([{ id: '2', name: 'two' }]);
    await source.rows();
    expect(await source.records(3, 'second')).toEqual([{ id: '11', name: 'old' }]);
    expect(warnings(source)).toEqual([]);
  });
});

describe('a table that somebody has locked', () => {
  test('is waited for, and the snapshot is taken behind the wait', async () => {
    const source = await harness(server, SCHEMA, first, second);
    const session = await connectTo(source.url);
    await session.query(`begin; truncate second; insert into second values (3, 'three'), (4, 'four')`);
    const ingesting = source.ingest();
    await someoneWaits(source.sql);
    await session.query('commit');
    await ingesting;
    expect(await source.records(1, 'second')).toEqual([{ id: '3', name: 'three' }, { id: '4', name: 'four' }]);
  });

  test('is the one that is read, and no other that has taken its name meanwhile', async () => {
    const source = await harness(server, `${SCHEMA}; create table spare (id int, name text)`, first, second);
    await source.sql.query(`insert into spare values (7, 'spare')`);
    await source.rows();
    const session = await connectTo(source.url);
    await session.query('begin; alter table second rename to gone; alter table spare rename to second');
    const ingesting = source.ingest();
    await someoneWaits(source.sql);
    await session.query('commit');
    await ingesting;
    expect(await source.last('second')).toMatchObject({ whole: 'it is another table than it was', rows: 1 });
    expect(await source.records(2, 'second')).toEqual([{ id: '7', name: 'spare' }]);
  });

  test('for too long is an error that names it, and the next run carries on', async () => {
    const source = await harness(server, SCHEMA, first, second);
    await source.rows();
    const session = await connectTo(source.url);
    await session.query(`begin; alter table second add column more int; insert into first values (2)`);
    const started = performance.now();
    await expect(source.ingest()).rejects.toMatchObject({
      kind: 'source_locked', retry: 'next_run',
      context: { table: 'second', stage: 'ingest', batch: 2, sqlstate: '55P03' },
    });
    expect(performance.now() - started).toBeLessThan(45_000);
    await session.query('commit');
    expect(await source.rows()).toEqual({ first: 1, second: 0 });
  });
});

describe('what cannot be locked', () => {
  const VIEW = `${SCHEMA}; create materialized view seen as select id from second`;
  const seen = table('seen', { id: int().key() });

  test('is an error when it is refreshed while it is read, and nothing is committed', async () => {
    const source = await harness(server, VIEW, first, seen);
    await expect(whileReading(source, ['refresh materialized view seen'])).rejects.toMatchObject({
      kind: 'source_locked',
      context: { table: 'seen' },
      message: expect.stringContaining('rewritten while it was read'),
    });
    expect(await source.entries()).toEqual([]);
    expect(await source.rows()).toEqual({ first: 1, seen: 2 });
  });

  test('is an error when it is dropped, or made anew, before it is read', async () => {
    for (const remake of ['', 'create materialized view seen as select id from second']) {
      const source = await harness(server, VIEW, first, seen);
      await expect(whileReading(source, [`drop materialized view seen; ${remake}`])).rejects.toMatchObject({
        kind: remake === '' ? 'source_structure' : 'source_locked', context: { table: 'seen' },
      });
      expect(await source.entries()).toEqual([]);
    }
  });

  test('is read again in full after a refresh, and not at all without one', async () => {
    const source = await harness(server, VIEW, seen);
    expect(await source.rows()).toEqual({ seen: 2 });
    expect(await source.rows()).toBeNull();
    await source.sql.query(`insert into second values (3, 'three'); refresh materialized view seen`);
    expect(await source.rows()).toEqual({ seen: 3 });
    await source.sql.query(`create unique index on seen (id); insert into second values (4, 'four')`);
    await source.sql.query('refresh materialized view concurrently seen');
    expect(await source.rows()).toEqual({ seen: 1 });
  });

  test('is a table of which only columns are granted: an error where it is truncated while it is read', async () => {
    const columns = table('second', { id: int().key() }, { kind: 'full' });
    const source = await harness(server, SCHEMA, first, columns);
    const sourceUrl = await roleUrl(source, 'grant select on first to', 'grant select (id) on second to');
    await expect(whileReading(source, ['truncate second'], sourceUrl)).rejects.toMatchObject({
      kind: 'source_locked', context: { table: 'second' },
    });
    expect(await source.entries()).toEqual([]);
    await source.sql.query(`insert into second values (5, 'five')`);
    expect(await source.rows({ sourceUrl })).toEqual({ first: 1, second: 1 });
  });
});
