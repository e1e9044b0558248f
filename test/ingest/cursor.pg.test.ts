import { beforeAll, describe, expect, test } from 'vitest';
import { sinceCursor } from '../../src/ingest/plan.ts';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import { bigint, date, int, timestamp, timestamptz } from '../../src/shared/model/column.ts';
import type { Column } from '../../src/shared/model/column.ts';
import { table, type Table } from '../../src/shared/model/table.ts';
import { harness, type Harness, sourceServer, warnings } from './harness.ts';

const item = (overlap: number, at: Column = timestamp().nullable()): Table =>
  table('item', { id: int().key(), at }, { kind: 'cursor', column: 'at', overlap });

const numbered = (overlap: number): Table =>
  table('item', { id: bigint().key() }, { kind: 'cursor', column: 'id', overlap });

const MINUTES = (type: string) => `create table item (id int primary key, at ${type});
  insert into item select id, '2024-08-07 12:00'::timestamp + id * interval '1 minute' from generate_series(1, 10) id`;

let server: Cluster;
beforeAll(async () => {
  server = await sourceServer();
});

async function ids(source: Harness): Promise<readonly number[] | null> {
  if ((await source.rows()) === null) return null;
  const { batch } = (await source.entries()).at(-1) ?? { batch: 0 };
  return (await source.records(batch, 'item')).map((row) => Number(row['id'])).toSorted((a, b) => a - b);
}

const add = (id: number, at: string) => `insert into item values (${id}, '${at}');`;

describe('by a column that grows', () => {
  test('all rows are read first, and nothing where there is nothing new', async () => {
    const source = await harness(server, MINUTES('timestamp'), item(90));
    expect(await ids(source)).toHaveLength(10);
    expect(await source.last('item')).toMatchObject({ whole: 'first read', cursor: '2024-08-07 12:10:00' });
    for (let look = 1; look <= 2; look += 1) expect(await ids(source)).toBeNull();
    expect(await source.objects()).toHaveLength(1);
  });

  test('the rows above the highest value are read, those at it, and those in the overlap', async () => {
    const source = await harness(server, MINUTES('timestamp'), item(90));
    await ids(source);
    await source.sql.query(add(11, '2024-08-07 12:11') + add(12, '2024-08-07 12:10') + add(13, '2024-08-07 12:08:30'));
    await source.sql.query(add(14, '2024-08-07 12:08:29'));
    expect(await ids(source)).toEqual([9, 10, 11, 12, 13]);
    expect(await source.last('item')).toMatchObject({ whole: null, cursor: '2024-08-07 12:11:00' });
    expect(await ids(source), 'what is only read again is no news').toBeNull();
  });

  test('a row that changes within the overlap is read again, and one that changes below it is missed', async () => {
    const source = await harness(server, MINUTES('timestamp'), item(60));
    await ids(source);
    await source.sql.query('update item set id = 109 where id = 9');
    expect(await ids(source)).toEqual([10, 109]);
    await source.sql.query('update item set id = 101 where id = 1');
    expect(await ids(source)).toBeNull();
  });

  test('ties at the highest value are read with no overlap too', async () => {
    const source = await harness(server, MINUTES('timestamp'), item(0));
    await ids(source);
    await source.sql.query(add(11, '2024-08-07 12:10'));
    expect(await ids(source)).toEqual([10, 11]);
    expect(await ids(source)).toBeNull();
  });

  test('a row without a value is read where all rows are, and never after that', async () => {
    const source = await harness(server, `${MINUTES('timestamp')}; insert into item values (50, null)`, item(60));
    expect(await ids(source)).toContain(50);
    await source.sql.query(`insert into item values (51, null)`);
    expect(await ids(source)).toBeNull();
    await source.sql.query(`update item set at = '2024-08-07 12:10' where id = 51`);
    expect(await ids(source)).toEqual([9, 10, 51]);
  });

  test('a table with nothing in it, or with no values at all, is read whole until it has some', async () => {
    const source = await harness(server, 'create table item (id int primary key, at timestamp)', item(60));
    expect(await ids(source)).toEqual([]);
    await source.sql.query('insert into item values (1, null)');
    expect(await ids(source)).toEqual([1]);
    expect(await source.last('item')).toMatchObject({ cursor: null });
    expect(await ids(source)).toBeNull();
    await source.sql.query(add(2, '2024-08-07'));
    expect(await ids(source)).toEqual([1, 2]);
    expect(await source.last('item')).toMatchObject({ cursor: '2024-08-07 00:00:00' });
  });

  test('times without end do not hide what comes later', async () => {
    const endless = add(50, 'infinity') + add(51, '-infinity');
    const source = await harness(server, `${MINUTES('timestamp')}; ${endless}`, item(0));
    expect(await ids(source)).toHaveLength(12);
    expect(await source.last('item')).toMatchObject({ cursor: '2024-08-07 12:10:00' });
    expect(await ids(source)).toBeNull();
    await source.sql.query(add(11, '2024-08-07 12:11'));
    expect(await ids(source)).toEqual([10, 11, 50]);
    expect(await ids(source)).toBeNull();
  });

  test('the highest value stays where it is while there is nothing new, and comes down with the rows', async () => {
    const source = await harness(server, `${MINUTES('timestamp')}; create table other (id int)`, item(0));
    await ids(source);
    source.declare(item(0), table('other', { id: int().key() }));
    await ids(source);
    expect(await source.last('item')).toMatchObject({ rows: 0, cursor: '2024-08-07 12:10:00' });
    await source.sql.query('delete from item; insert into other values (1)');
    await ids(source);
    expect(await source.last('item')).toMatchObject({ rows: 0, cursor: null });
    await source.sql.query(add(1, '2024-08-07 12:01'));
    expect(await ids(source)).toEqual([1]);
  });

  test.each<[string, Column, string, string]>([
    ['timestamptz', timestamptz(), '2024-08-07 12:10:00+00', '2024-08-07 12:08:59.999999+00'],
    ['timestamp(3)', timestamp(), '2024-08-07 12:10:00', '2024-08-07 12:08:59.999'],
  ])('%s is compared as UTC, whatever the zone of the database', async (type, column, cursor, below) => {
    const setUp = `set timezone = 'UTC'; ${MINUTES(type)}`;
    const source = await harness(server, setUp, item(60, column));
    await source.sql.query(`alter database ${new URL(source.url).pathname.slice(1)} set timezone = 'Asia/Tokyo'`);
    await ids(source);
    expect(await source.last('item')).toMatchObject({ cursor });
    await source.sql.query(add(11, '2024-08-07 12:09:00') + add(12, below));
    expect(await ids(source)).toEqual([9, 10, 11]);
  });

  test('dates are, in whole days, also those before our era', async () => {
    const setUp = `create table item (id int, at date);
      insert into item values (1, '0044-03-15 BC'), (2, '0044-03-13 BC')`;
    const source = await harness(server, setUp, item(86_400, date()));
    await ids(source);
    expect(await source.last('item')).toMatchObject({ cursor: '0044-03-15 BC' });
    await source.sql.query(add(3, '0044-03-14 BC') + add(4, '2024-08-07'));
    expect(await ids(source)).toEqual([1, 3, 4]);
  });

  test('numbers are, exactly, and by their index', async () => {
    const setUp = `create table item (id bigint primary key);
      insert into item values (9007199254740991), (9007199254740992), (9007199254740993)`;
    const source = await harness(server, setUp, numbered(1));
    await ids(source);
    await source.sql.query('insert into item values (9007199254740994)');
    await source.rows();
    expect((await source.records(2, 'item')).map((row) => row['id'])).toEqual([
      '9007199254740992', '9007199254740993', '9007199254740994',
    ]);
    await source.sql.query('insert into item select generate_series(1, 10000); analyze item');
    const where = sinceCursor({ kind: 'cursor', column: 'id', overlap: 1 }, '9007199254740993');
    const plan = await source.sql.query<{ 'QUERY PLAN': string }>(`explain select id from item where ${where}`);
    expect(plan.rows[0]?.['QUERY PLAN']).toMatch(/Index Only Scan/);
  });

  test('a table that another takes the place of is read whole, and said so', async () => {
    const source = await harness(server, MINUTES('timestamp'), item(0));
    await ids(source);
    await source.sql.query(`alter table item rename to gone; create table item as select * from gone where id < 3`);
    expect(await ids(source)).toEqual([1, 2]);
    expect(warnings(source)).toEqual(['item is read whole: it is another table than it was']);
  });

  test('a column that is not of its declared type is an error, not a guess', async () => {
    const setUp = `create table item (id text); insert into item values ('9'), ('10')`;
    const source = await harness(server, setUp, numbered(0));
    await expect(source.ingest().then(async () => source.ingest())).rejects.toMatchObject({ kind: 'source_structure' });
  });
});
