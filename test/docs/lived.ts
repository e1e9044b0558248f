/** A source that lives two days under the eyes of Starling, and what it was at each look. */

import type { Client } from 'pg';
import { liveOneDay, type LateTransaction, openLateTransaction } from '../../src/local/totesys/day.ts';
import { generateTotesys } from '../../src/local/totesys/generate.ts';
import { runPipeline } from '../../src/cli/pipeline.ts';
import { connectTo, freshDatabase } from '../support/postgres.ts';
import { contextOf, type Place, placeOn } from '../support/totesys.ts';
import { freshLogin, type Login, runScript, type Script, urlOf } from '../sql/psql.ts';

export type TextRow = Readonly<Record<string, string | null>>;

/** PostgreSQL's own text of every value. */
export async function textRows(client: Client, sql: string): Promise<readonly TextRow[]> {
  return (await queryTexts(client, sql)).rows;
}

export async function queryTexts(client: Client, text: string) {
  return client.query<TextRow>({ text, types: { getTypeParser: () => (value: string) => value } });
}

const FOLLOWED = ['sales_order', 'purchase_order', 'payment'] as const;

/** The rows of the three tables behind the facts, by key. */
export type Snapshot = Readonly<Record<(typeof FOLLOWED)[number], ReadonlyMap<string, TextRow>>>;

async function snapshotOf(source: Client): Promise<Snapshot> {
  const tables = await Promise.all(
    FOLLOWED.map(async (table) => {
      const rows = await textRows(source, `select * from ${table} order by 1`);
      return [table, new Map(rows.map((row) => [row[`${table}_id`] ?? '', row]))] as const;
    }),
  );
  const [sales, purchases, payments] = tables.map(([, rows]) => rows);
  if (!sales || !purchases || !payments) throw new Error('there are three tables');
  return { sales_order: sales, purchase_order: purchases, payment: payments };
}

/** What the source was at each batch, without the transaction that was open then. */
export interface Lived {
  readonly place: Place;
  readonly analyst: Client;
  /** At batches 1, 2, 3. */
  readonly snapshots: readonly [Snapshot, Snapshot, Snapshot];
  /** At the moment of batch 1, with what that did not see yet. */
  readonly inTruth: Snapshot;
  /** Codes by id. */
  readonly currencies: ReadonlyMap<string, string>;
  readonly late: LateTransaction['orderIds'];
  /** An order that points at a design which comes a batch later. */
  readonly early: string;
}

export const BROKEN_PAYMENT = '3';
const LATER_DESIGN = 99_999;

/** Of order 7, in the third batch; its `last_updated` moves. */
const EDIT = `
  update sales_order set units_sold = units_sold + 5, last_updated = '2024-08-02 10:00' where sales_order_id = 7`;
/** In the second; it does not. */
const REASSIGN = 'update sales_order set staff_id = staff_id % 20 + 1 where sales_order_id = 7';

const EARLY = `
  alter table sales_order drop constraint sales_order_design_id_fkey;
  insert into sales_order
  select (select max(sales_order_id) + 1 from sales_order), '2024-08-01 09:30', '2024-08-01 09:30', ${LATER_DESIGN},
    staff_id, counterparty_id, units_sold, unit_price, currency_id, agreed_delivery_date, agreed_payment_date,
    agreed_delivery_location_id
  from sales_order where sales_order_id = 7`;

const LATER = `
  insert into design values (${LATER_DESIGN}, '2024-08-02 11:00', 'Later', '/later', 'later.json', '2024-08-02 11:00')`;

const BREAK = `update payment set payment_date = 'soon' where payment_id = ${BROKEN_PAYMENT}`;

/** Three months up to 2024-07-31, two days after that, in three batches: on two evenings, and now. */
export async function live(): Promise<Lived> {
  const logins = { reader: freshLogin('reader'), loader: freshLogin('loader'), analyst: freshLogin('analyst') };
  const sourceUrl = await freshDatabase('totesys');
  const source = await connectTo(sourceUrl);
  await generateTotesys(source, { orders: 1200, seed: 7, now: new Date('2024-08-01T00:00:00Z') });
  const place = await withRoles(await placeOn(sourceUrl, source), logins);

  const late = await openLateTransaction(await connectTo(sourceUrl), { seed: 7 });
  const first = await batch(place, '2024-07-31T22:00:00Z');
  await late.commit();
  const inTruth = await snapshotOf(source);
  await liveOneDay(source, { seed: 7, day: '2024-08-01' });
  await source.query(REASSIGN);
  await source.query(EARLY);
  const second = await batch(place, '2024-08-01T22:00:00Z');
  await liveOneDay(source, { seed: 7, day: '2024-08-02' });
  for (const change of [EDIT, LATER, BREAK]) await source.query(change);
  const third = await batch(place, null);
  const analyst = await connectTo(urlOf(place.warehouseUrl, logins.analyst));
  const early = (await textRows(source, `select sales_order_id from sales_order where design_id = ${LATER_DESIGN}`))[0];
  const currencies = await textRows(source, 'select currency_id, currency_code from currency');
  return {
    place,
    analyst,
    snapshots: [first, second, third],
    inTruth,
    currencies: new Map(currencies.map((row) => [row['currency_id'] ?? '', row['currency_code'] ?? ''])),
    late: late.orderIds,
    early: early?.['sales_order_id'] ?? '',
  };
}

/** The same place, for who reads and loads as the roles of sql/*.sql. */
async function withRoles(place: Place, logins: Record<'reader' | 'loader' | 'analyst', Login>): Promise<Place> {
  const { reader, loader, analyst } = logins;
  await script('source-reader', place.sourceUrl, reader);
  await script('warehouse-loader', place.warehouseUrl, loader);
  await script('warehouse-analyst', place.warehouseUrl, analyst, { loader: loader.name });
  return { ...place, sourceUrl: urlOf(place.sourceUrl, reader), warehouseUrl: urlOf(place.warehouseUrl, loader) };
}

async function script(name: Script, url: string, { name: role, password }: Login, others = {}): Promise<void> {
  const { status, stderr } = await runScript(name, url, { variables: { role, password, ...others } });
  if (status !== 0) throw new Error(stderr);
}

/** Looks at the source, with Starling's clock at such a time, and loads what it saw. */
async function batch(place: Place, at: string | null): Promise<Snapshot> {
  const snapshot = await snapshotOf(place.source);
  const now = () => (at === null ? new Date() : new Date(at));
  const errors = await runPipeline(contextOf(place, { now }));
  if (errors.length > 0) throw new AggregateError(errors, 'a batch failed');
  return snapshot;
}
