/** The benchmark's own data: the company, designs and sales orders of the project's generator. */

import type { ClientBase } from 'pg';
import { dayOf, momentText } from '../src/local/totesys/calendar.ts';
import { companyRows } from '../src/local/totesys/company.ts';
import { copyRows, type Row } from '../src/local/totesys/copy.ts';
import { DESIGN_COLUMNS, designRow } from '../src/local/totesys/design.ts';
import { type History, planHistory, salesOrdersOf } from '../src/local/totesys/history.ts';
import { ORDER_COLUMNS, orderRow } from '../src/local/totesys/order.ts';
import { randomFrom } from '../src/local/totesys/random.ts';
import { ADD_REFERENCES, CREATE_TABLES } from '../src/local/totesys/schema.ts';

/** What `MADE` says, for the page that the results are on. */
export const MADE =
  "sales orders drawn by the project's generator, over two years of working days, of one company (30 addresses, 20 staff, " +
  '20 counterparties) and 435 designs; the other tables of the 11 are there and empty';

const SEED = 2024;
/** As many as the generator has for 10,000 orders: it is facts that are to grow here, not dimensions. */
const DESIGNS = 435;
/** The last day of the history: the same rows whenever it is run. */
const ENDS_BEFORE = Date.UTC(2026, 0, 1);

function* orderRows(history: History): Generator<Row> {
  // Of all designs, on every day.
  const designs = { first: DESIGNS + 1, count: 0 };
  for (const plan of history.days) yield* salesOrdersOf(history, { ...plan, designs }).map(orderRow);
}

function* designRows(history: History): Generator<Row> {
  const random = randomFrom(SEED, 'design rows');
  for (let id = 1; id <= DESIGNS; id += 1) yield designRow(random, id, history.openedAt);
}

/** Fills an empty database with a totesys of so many sales orders. */
export async function fillSource(client: ClientBase, orders: number): Promise<void> {
  const history = planHistory(orders, SEED, dayOf(ENDS_BEFORE));
  const opened = momentText(history.openedAt);
  await client.query(CREATE_TABLES);
  for (const set of companyRows(randomFrom(SEED, 'company'), opened, opened)) await copyRows(client, set);
  await copyRows(client, { table: 'design', columns: DESIGN_COLUMNS, rows: designRows(history) });
  await copyRows(client, { table: 'sales_order', columns: ORDER_COLUMNS.SALE, rows: orderRows(history) });
  await client.query(ADD_REFERENCES);
  // As autovacuum would have by and by; here it is off, so that it is in nobody's way.
  await client.query('vacuum analyze');
}
