import { beforeAll, describe, expect, test } from 'vitest';
import { describe as describeTables, type Description } from '../../src/ingest/catalog.ts';
import { checkDescriptions } from '../../src/ingest/structure.ts';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import {
  bigint, boolean, type Column, date, double, int, numeric, text, time, timestamp, timestamptz,
} from '../../src/shared/model/column.ts';
import { PipelineError } from '../../src/shared/errors.ts';
import { close, connect } from '../../src/shared/postgres/client.ts';
import { table } from '../../src/shared/model/table.ts';
import { afterwards, freshDatabase } from '../support/postgres.ts';
import { harness, sourceServer } from './harness.ts';

const item = table('item', { item_id: int().key(), sold: int(), at: timestamp() });
const ITEM = `
  create table item (item_id int primary key, sold int, at timestamp);
  insert into item values (1, 10, '2024-08-07 12:00'), (2, 20, '2024-08-08 12:00')`;

let server: Cluster;
beforeAll(async () => {
  server = await sourceServer();
});

describe('a type that changes in the source', () => {
  test('is told with table, column and both types, before anything is read; once mended it goes on', async () => {
    const source = await harness(server, ITEM, item);
    await source.rows();
    const before = await source.objects();
    await source.sql.query('alter table item alter column sold type text');
    await expect(source.ingest()).rejects.toMatchObject({
      kind: 'source_structure',
      message: 'source: not of the declared type: item.sold is text, declared int',
      context: { table: 'item', column: 'sold' },
    });
    expect(await source.entries()).toHaveLength(1);
    expect(await source.objects()).toEqual(before);
    await source.sql.query('alter table item alter column sold type int using sold::int');
    expect(await source.rows()).toEqual({ item: 2 });
  });

  test('names all columns at once', async () => {
    const source = await harness(server, ITEM, item);
    await source.sql.query('alter table item alter column sold type text, alter column at type timestamptz');
    await expect(source.ingest()).rejects.toThrow(
      'item.sold is text, declared int, item.at is timestamptz, declared timestamp');
  });

  test('is no matter where the declared type reads the new one: each value is looked at downstream', async () => {
    const source = await harness(server, ITEM, item);
    await source.rows();
    await source.sql.query('create domain amount as int8; alter table item alter column sold type amount');
    expect(await source.rows()).toEqual({ item: 2 });
  });
});

const COLUMNS: Readonly<Record<string, () => Column>> = {
  int, bigint, numeric, double, boolean, date, time, timestamp, timestamptz, text,
};

/** What each declared type reads, as PostgreSQL writes them in DDL. */
const READS: Readonly<Record<string, readonly string[]>> = {
  int: ['smallint', 'int', 'bigint'],
  bigint: ['smallint', 'int', 'bigint', 'oid'],
  numeric: ['numeric(10,2)', 'numeric', 'smallint', 'int', 'bigint'],
  double: ['double precision', 'real', 'smallint', 'int'],
  boolean: ['boolean'],
  date: ['date'],
  time: ['time'],
  timestamp: ['timestamp', 'timestamp(0)'],
  timestamptz: ['timestamptz'],
};
const ALL = [...new Set([...Object.values(READS).flat(), 'varchar(5)', 'money', 'int[]', 'json', 'timetz', 'interval'])];

let found: Description;
beforeAll(async () => {
  const sql = await connect('source', await freshDatabase('types', server), { search_path: 'public' });
  afterwards(async () => close(sql));
  await sql.query(`create table item (item_id int, ${ALL.map((type, at) => `c${at} ${type}`).join(', ')})`);
  const { rows } = await sql.query<{ oid: string }>(`select 'item'::regclass::oid`);
  const oid = rows[0]?.oid ?? '';
  const described = (await describeTables(sql, new Map([[oid, []]]))).get(oid);
  if (!described) throw new Error('not described');
  found = described;
});

/** What is said of a column that is declared so; null where nothing is. */
function refusalOf(kind: string, name: string): string | null {
  const { spec } = table('item', { item_id: int().key(), [name]: (COLUMNS[kind] ?? text)() });
  try {
    checkDescriptions([spec], new Map([['item', found]]));
    return null;
  } catch (error) {
    return error instanceof PipelineError ? `${error.kind}: ${error.message}` : 'a bug';
  }
}

test.each(Object.keys(COLUMNS))('a column declared %s reads what it can hold, and nothing else', (kind) => {
  const reads = kind === 'text' ? ALL : (READS[kind] ?? []);
  const told = ALL.map((type, at) => [type, refusalOf(kind, `c${at}`)?.replace(/: .*, /, ': ') ?? 'read']);
  expect(told).toEqual(ALL.map((type) => [type, reads.includes(type) ? 'read' : `source_structure: declared ${kind}`]));
});
