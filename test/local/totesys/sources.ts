/** What the tests of the totesys source share: sources, and questions to them. */
import type { Client } from 'pg';
import { generateTotesys } from '../../../src/local/totesys/generate.ts';
import { TABLES } from '../../../src/local/totesys/schema.ts';
import { connectTo, freshDatabase } from '../../support/postgres.ts';

/** A Wednesday; the history ends on the Tuesday. */
export const NOW = new Date('2026-03-04T12:00:00Z');
export const LAST_DAY = '2026-03-03';

export interface Source {
  readonly url: string;
  readonly client: Client;
}

export async function emptySource(): Promise<Source> {
  const url = await freshDatabase('totesys');
  return { url, client: await connectTo(url) };
}

export async function generatedSource(orders = 600, seed = 7): Promise<Source> {
  const source = await emptySource();
  await generateTotesys(source.client, { orders, seed, now: NOW });
  return source;
}

/** The one cell of a query's one row. */
export async function cell(client: Client, sql: string, values: readonly unknown[] = []): Promise<unknown> {
  const { rows } = await client.query<unknown[]>({ text: sql, values: [...values], rowMode: 'array' });
  return rows[0]?.[0];
}

export async function count(client: Client, sql: string, values: readonly unknown[] = []): Promise<number> {
  return Number(await cell(client, `select count(*) ${sql}`, values));
}

/** Whether a table's ids are 1, 2, 3 … without a gap. */
export async function isDense(client: Client, table: string): Promise<unknown> {
  return cell(client, `select min(${table}_id) = 1 and max(${table}_id) = count(*) from ${table}`);
}

/** A digest of all rows of each table. */
export async function digests(client: Client): Promise<Record<string, unknown>> {
  const entries: [string, unknown][] = [];
  for (const table of TABLES) {
    const sql = `select md5(string_agg(t::text, e'\\n' order by ${table}_id)) from ${table} t`;
    entries.push([table, await cell(client, sql)]);
  }
  return Object.fromEntries(entries);
}

/** Another connection, to which the source stays as it is now. */
export async function snapshotOf({ url }: Source): Promise<Client> {
  const client = await connectTo(url);
  await client.query('begin isolation level repeatable read');
  await client.query('select 1');
  return client;
}

/** `last_updated` of some rows, by id. */
export async function stampsOf(client: Client, table: string, ids: readonly number[]): Promise<unknown> {
  const sql = `select json_object_agg(${table}_id, last_updated order by ${table}_id)
    from ${table} where ${table}_id = any ($1::int[])`;
  return cell(client, sql, [ids]);
}
