/** What each of the roles that sql/*.sql make may do, and what it may not. */

import type { Client } from 'pg';
import { expect } from 'vitest';
import { totesys } from '../../src/models/totesys/model.ts';
import { currentName, historyName } from '../../src/shared/model/model.ts';
import { countOf, rowsOf } from '../support/totesys.ts';

const VISIBLE = [
  ...totesys.facts.flatMap((fact) => [fact.name, currentName(fact), historyName(fact)]),
  'dim_date',
  ...totesys.dimensions.map(({ name }) => name),
  'pipeline.ledger',
  'pipeline.quarantine',
];

const READ_ONLY = '25006';
const DENIED = '42501';

async function outcomeOf(client: Client, statement: string): Promise<string> {
  return client.query(statement).then(
    () => 'allowed',
    (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
  );
}

/** With the default off: one that is read only stands in the way of nobody who means it. */
export async function expectDenied(client: Client, statements: readonly string[]): Promise<void> {
  await client.query('set default_transaction_read_only = off');
  const outcomes: Record<string, string> = {};
  for (const statement of statements) outcomes[statement] = await outcomeOf(client, statement);
  expect(outcomes).toEqual(Object.fromEntries(statements.map((statement) => [statement, DENIED])));
  await client.query('reset default_transaction_read_only');
}

/** In a source with a table `later` that was made after the role. */
export async function expectReadsOnly(client: Client): Promise<void> {
  expect(await countOf(client, 'select count(*) from sales_order')).toBeGreaterThan(40);
  expect(await countOf(client, 'select count(*) from later')).toBe(0);
  expect(await outcomeOf(client, 'create temporary table t ()')).toBe(READ_ONLY);
  await expectDenied(client, [
    'update sales_order set units_sold = 1 where sales_order_id = 7',
    'insert into later values (1)',
    'delete from payment',
    'truncate sales_order',
    'drop table later',
    'create table mine ()',
    'create schema mine',
    'create role somebody',
  ]);
}

/** In a warehouse of two batches, with the star in the search path. */
export async function expectAsksOnly(client: Client): Promise<void> {
  for (const relation of VISIBLE) expect(await outcomeOf(client, `select from ${relation}`)).toBe('allowed');
  expect(await countOf(client, 'select count(*) from history_sales_order')).toBeGreaterThan(40);
  expect(await countOf(client, 'select count(*) from pipeline.ledger')).toBe(2);
  expect(await rowsOf(client, 'show timezone')).toEqual([['UTC']]);
  const update = 'update current_sales_order set units_sold = 1';
  expect(await outcomeOf(client, update)).toBe(READ_ONLY);
  await expectDenied(client, [
    update,
    'delete from fact_sales_order',
    'insert into dim_currency values (99)',
    'truncate pipeline.ledger',
    'update pipeline.quarantine set released_at = now()',
    'drop view history_sales_order',
    'create table mine ()',
    'create table pipeline.mine ()',
    'create schema mine',
  ]);
}

/** What a later model adds, made as load would make it. */
export async function expectSeesWhatComes(loader: Client, analyst: Client, schema: string): Promise<void> {
  await loader.query(`
    set search_path = ${loader.escapeIdentifier(schema)};
    create table dim_later (later_id int primary key);
    create view history_later as select * from dim_later`);
  expect(await countOf(analyst, 'select count(*) from dim_later natural join history_later')).toBe(0);
}

export async function expectLoadsOnly(client: Client): Promise<void> {
  expect(await outcomeOf(client, 'create temporary table t ()')).toBe('allowed');
  const attributes = `
    select rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls or exists (
      select from pg_auth_members where member = pg_roles.oid
    ) from pg_roles where rolname = current_user`;
  expect(await rowsOf(client, attributes)).toEqual([['false']]);
  await expectDenied(client, ['create schema mine', 'create role somebody']);
}
