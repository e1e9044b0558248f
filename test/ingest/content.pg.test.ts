import { beforeAll, describe, expect, test } from 'vitest';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import { int, text } from '../../src/shared/model/column.ts';
import { table, type Table } from '../../src/shared/model/table.ts';
import { harness, type Harness, sourceServer, warnings } from './harness.ts';

const item = (more = {}): Table => table('item', { item_id: int().key(), ...more });

let server: Cluster;
beforeAll(async () => {
  server = await sourceServer();
});

/** A source whose rows are all older than the cursor. */
async function settled(setUp: string, declared: Table): Promise<Harness> {
  const source = await harness(server, setUp, declared);
  expect(await source.rows()).not.toBeNull();
  expect(await source.rows()).toBeNull();
  return source;
}

async function values(source: Harness, column: string): Promise<readonly unknown[]> {
  const { batch } = (await source.entries()).at(-1) ?? { batch: 0 };
  return (await source.records(batch, 'item')).map((row) => row[column]);
}

const WHOLE = 'item is read whole: its columns changed in the source';

describe('content that changes without any row being written is read whole', () => {
  test('when a column with a default is added and declared', async () => {
    const source = await settled('create table item (item_id int); insert into item values (1), (2)', item());
    await source.sql.query(`alter table item add column grade text default 'A'`);
    expect(await source.rows(), 'what is not declared does not count').toBeNull();
    source.declare(item({ grade: text() }));
    expect(await source.rows()).toEqual({ item: 2 });
    expect(await values(source, 'grade')).toEqual(['A', 'A']);
    expect(warnings(source)).toEqual(['item is read whole: its declaration changed']);
    expect(await source.rows()).toBeNull();
  });

  test.each<[string, string, string, readonly unknown[]]>([
    ['a column is dropped and added again',
      `create table item (item_id int, grade text); insert into item values (1, 'A'), (2, 'B')`,
      `alter table item drop column grade; alter table item add column grade text default 'C'`, ['C', 'C']],
    ['a column is another one under the name',
      `create table item (item_id int, grade text, mark text); insert into item values (1, 'A', 'x'), (2, 'B', 'y')`,
      'alter table item rename grade to old; alter table item rename mark to grade', ['x', 'y']],
    ['a label of an enum is renamed',
      `create type grade as enum ('low', 'high');
       create table item (item_id int, grade grade); insert into item values (1, 'low'), (2, 'high')`,
      `alter type grade rename value 'low' to 'poor'`, ['poor', 'high']],
    ['a label of an enum is renamed that is in an array of a domain',
      `create type grade as enum ('low', 'high'); create domain marks as grade[];
       create table item (item_id int, grade marks); insert into item values (1, '{low,high}'), (2, null)`,
      `alter type grade rename value 'low' to 'poor'`, ['{poor,high}', null]],
    ['a label of an enum is renamed that is in an array',
      `create type grade as enum ('low', 'high');
       create table item (item_id int, grade grade[]); insert into item values (1, '{low,high}'), (2, null)`,
      `alter type grade rename value 'low' to 'poor'`, ['{poor,high}', null]],
    ['a label of an enum is renamed that a range is of',
      `create type grade as enum ('low', 'high'); create type grades as range (subtype = grade);
       create table item (item_id int, grade grades); insert into item values (1, '[low,high]'), (2, null)`,
      `alter type grade rename value 'low' to 'poor'`, ['[poor,high]', null]],
    ['a composite type gets an attribute',
      `create type pair as (a int, b int);
       create table item (item_id int, grade pair); insert into item values (1, '(1,2)'), (2, '(3,4)')`,
      'alter type pair add attribute c int', ['(1,2,)', '(3,4,)']],
    ['an enum in a composite type changes',
      `create type grade as enum ('low', 'high'); create type pair as (a grade, b int);
       create table item (item_id int, grade pair); insert into item values (1, '(low,2)'), (2, null)`,
      `alter type grade rename value 'low' to 'poor'`, ['(poor,2)', null]],
    ['a column gets a type that needs no rewrite',
      `create table item (item_id int, grade varchar(20)); insert into item values (1, 'A'), (2, 'B')`,
      'alter table item alter column grade type text', ['A', 'B']],
    ['a generated column gets another expression',
      `create table item (item_id int, grade int generated always as (item_id * 2) virtual);
       insert into item (item_id) values (1), (2)`,
      'alter table item alter column grade set expression as (item_id * 3)', ['3', '6']],
  ])('when %s', async (_what, setUp, change, expected) => {
    const source = await settled(setUp, item({ grade: text().nullable() }));
    await source.sql.query(change);
    expect(await source.rows()).toEqual({ item: 2 });
    expect(await values(source, 'grade')).toEqual(expected);
    expect(warnings(source)).toEqual([WHOLE]);
    expect(await source.rows()).toBeNull();
  });

  test('when naive times become times with a zone', async () => {
    const setUp = `create table item (item_id int, at timestamp);
      insert into item values (1, '2024-08-07 12:00:00.000001')`;
    const source = await settled(setUp, item({ at: text() }));
    await source.sql.query(`set timezone = 'UTC'; alter table item alter column at type timestamptz`);
    expect(await source.rows()).toEqual({ item: 1 });
    expect(await values(source, 'at')).toEqual(['2024-08-07 12:00:00.000001+00']);
  });

  test('when it is in one partition only, of that partition alone', async () => {
    const source = await settled(`
      create table item (item_id int, grade text);
      create table one () inherits (item); create table two () inherits (item);
      insert into one values (1, 'A'); insert into two values (2, 'B')`, item({ grade: text() }));
    await source.sql.query('alter table two no inherit item; alter table two drop column grade');
    await source.sql.query(`alter table two add column grade text default 'Z'; alter table two inherit item`);
    expect(await source.rows()).toEqual({ item: 1 });
    expect(await values(source, 'grade')).toEqual(['Z']);
  });

  test('and not when a column changes that is not declared, or what is declared stays as it is', async () => {
    const source = await settled(
      'create table item (item_id int primary key, extra text); insert into item values (1)', item());
    await source.sql.query(`alter table item alter column extra set default 'x'`);
    await source.sql.query('alter table item drop column extra; alter table item add column extra int default 7');
    await source.sql.query('create index on item (item_id); comment on table item is $$a comment$$; analyze item');
    expect(await source.rows()).toBeNull();
  });
});

describe('settings of the source', () => {
  test.each([
    ['standard_conforming_strings', 'off'],
    ['TimeZone', 'Asia/Tokyo'],
    ['DateStyle', 'German, DMY'],
    ['IntervalStyle', 'sql_standard'],
    ['extra_float_digits', '-3'],
    ['bytea_output', 'escape'],
    ['search_path', 'elsewhere'],
    ['row_security', 'on'],
    ['default_transaction_isolation', 'serializable'],
    ['client_encoding', 'LATIN1'],
  ])('such as %s = %s for its databases change nothing', async (name, value) => {
    const source = await settled(`
      create table item (item_id int, at timestamptz, span interval, ratio float8, raw bytea, word text);
      insert into item
      values (1, '2024-08-07 12:00Z', '1 day 2:03:04', 0.1::float8 + 0.2::float8, '\\x00ff', 'žluťoučký')`,
    item({ at: text(), span: text(), ratio: text(), raw: text(), word: text() }));
    const database = new URL(source.url).pathname.slice(1);
    await source.sql.query(`alter database ${database} set ${name} = '${value}'`);
    expect(await source.rows()).toBeNull();
    await source.sql.query('update item set item_id = 2');
    expect(await source.rows()).toEqual({ item: 1 });
    expect(await source.records(2, 'item')).toEqual([{
      item_id: '2', at: '2024-08-07 12:00:00+00', span: '1 day 02:03:04', ratio: '0.30000000000000004', raw: '\\x00ff',
      word: 'žluťoučký',
    }]);
  });
});
