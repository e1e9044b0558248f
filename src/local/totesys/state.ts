import type { ClientBase } from 'pg';
import { nullable, number, object, string } from 'valibot';
import { PipelineError } from '../../shared/errors.ts';
import type { Parties } from './order.ts';
import type { Random } from './random.ts';
import type { TableName } from './schema.ts';
import { select, selectIds } from './select.ts';

/** What has to be known of a source before its next day can be lived. */
export interface State extends Parties {
  /** The latest `created_at` of an order, in milliseconds. */
  readonly latest: number;
  readonly salesOrders: number;
  /** The designs that new orders name: the latest ones, by id. */
  readonly designIds: readonly number[];
  /** The highest ids that are there. */
  readonly lastSalesId: number;
  readonly lastPurchaseId: number;
  readonly lastDesignId: number;
}

const CURRENT_DESIGNS = 500;

const SUMMARY = `
  select
    (extract(epoch from greatest(
      (select max(created_at) from sales_order), (select max(created_at) from purchase_order)
    )) * 1000)::float8 as latest,
    (select count(*) from sales_order)::float8 as "salesOrders",
    (select coalesce(max(sales_order_id), 0) from sales_order) as "lastSalesId",
    (select coalesce(max(purchase_order_id), 0) from purchase_order) as "lastPurchaseId",
    (select coalesce(max(design_id), 0) from design) as "lastDesignId"`;

const SUMMARY_ROW = object({
  latest: nullable(number()),
  salesOrders: number(),
  lastSalesId: number(),
  lastPurchaseId: number(),
  lastDesignId: number(),
});

/** A `PipelineError` of kind `config` where there are no orders to carry on from. */
export async function readState(client: ClientBase): Promise<State> {
  const [summary] = await select(client, SUMMARY_ROW, SUMMARY);
  const latest = summary?.latest ?? null;
  if (summary === undefined || latest === null || summary.lastSalesId === 0) {
    throw new PipelineError('config', 'The source has no orders to carry on from; generate a history first.');
  }
  const designs = `select design_id as id from design order by design_id desc limit ${CURRENT_DESIGNS}`;
  return {
    ...summary,
    latest,
    staffIds: await selectIds(client, 'select staff_id as id from staff order by id'),
    counterpartyIds: await selectIds(client, 'select counterparty_id as id from counterparty order by id'),
    currencyIds: await selectIds(client, 'select currency_id as id from currency order by id'),
    locationIds: await selectIds(client, 'select address_id as id from address order by id'),
    designIds: await selectIds(client, designs),
  };
}

/** The first key of the advisory locks with which open transactions keep the ids that they have given out. */
const KEPT_SALES_ORDER_IDS = 460_773;

const HIGHEST_SALES_ORDER_ID = `
  select greatest(
    (select coalesce(max(sales_order_id), 0) from sales_order),
    (select max(objid::bigint) from pg_locks
     where locktype = 'advisory' and objsubid = 2 and classid = $1
       and database = (select oid from pg_database where datname = current_database()))
  )::float8 as id`;

/**
 * One more than the highest id. For sales orders that includes those which `keepSalesOrderId` keeps: whoever inserted
 * one of them again would wait for the other transaction to end.
 */
export async function nextId(client: ClientBase, table: TableName): Promise<number> {
  const [highest = 0] = table === 'sales_order'
    ? await selectIds(client, HIGHEST_SALES_ORDER_ID, [KEPT_SALES_ORDER_IDS])
    : await selectIds(client, `select coalesce(max(${table}_id), 0) as id from ${table}`);
  return highest + 1;
}

/** Keeps an id, not yet visible to others, until the transaction ends. */
export async function keepSalesOrderId(client: ClientBase, id: number): Promise<void> {
  await client.query('select pg_advisory_xact_lock($1::int, $2::int)', [KEPT_SALES_ORDER_IDS, id]);
}

/** Which rows may be changed: ids up to `upTo`, and none of `except`. */
export interface Candidates {
  readonly table: 'sales_order' | 'purchase_order' | 'design';
  readonly upTo: number;
  readonly except?: readonly number[];
}

/**
 * Locks up to `count` rows chosen at random and gives their ids. Rows that somebody else has locked are passed over,
 * so that this never waits; there are fewer where there are not so many.
 */
export async function chooseRows(
  client: ClientBase,
  random: Random,
  { table, upTo, except = [] }: Candidates,
  count: number,
): Promise<number[]> {
  const sql = `
    select ${table}_id as id from ${table}
    where ${table}_id between $1 and $2 and ${table}_id <> all ($3::int[])
    order by ${table}_id limit 1 for no key update skip locked`;
  const chosen: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const firstFrom = async (from: number) => selectIds(client, sql, [from, upTo, [...except, ...chosen]]);
    const above = await firstFrom(random.int(1, upTo));
    chosen.push(...(above.length > 0 ? above : await firstFrom(1)));
  }
  return chosen;
}

const VALUE_ROW = object({ value: string() });

/** The cell of one row, as text. */
export async function readCell(client: ClientBase, table: TableName, column: string, id: number): Promise<string> {
  const sql = `select ${column}::text as value from ${table} where ${table}_id = $1`;
  const [row] = await select(client, VALUE_ROW, sql, [id]);
  return row?.value ?? '';
}
