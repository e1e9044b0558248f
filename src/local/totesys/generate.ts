import type { ClientBase } from 'pg';
import { boolean, object } from 'valibot';
import { PipelineError } from '../../shared/errors.ts';
import { atomically } from './atomic.ts';
import { DAY_MS, dayOf, dayText, momentText } from './calendar.ts';
import { companyRows } from './company.ts';
import { copyRows, type Row, type RowSet } from './copy.ts';
import { DESIGN_COLUMNS, designRow } from './design.ts';
import {
  dealsOf, designsOf, FIRST_DESIGNS, type History, planHistory, purchaseOrdersOf, salesOrdersOf,
} from './history.ts';
import { ORDER_COLUMNS, orderRow, PAYMENT_COLUMNS, paymentRow, TRANSACTION_COLUMNS, transactionRow } from './order.ts';
import { randomFrom } from './random.ts';
import { ADD_REFERENCES, CREATE_TABLES, DROP_REFERENCES, type TableName, TABLES } from './schema.ts';
import { select } from './select.ts';

export interface GenerateOptions {
  /** How many sales orders; everything else follows from it. From 1 to 100,000,000. */
  readonly orders: number;
  readonly seed: number;
  /** The history ends on the last weekday before this day (UTC). Four weeks ago, if not given. */
  readonly now?: Date;
}

export interface Generated {
  readonly rows: Readonly<Partial<Record<TableName, number>>>;
  /** `YYYY-MM-DD`, the first and the last day with orders. */
  readonly firstDay: string;
  readonly lastDay: string;
}

/** So that twenty working days can be lived one by one (`liveOneDay`) before any of them is still to come. */
const LIVED_LATER_MS = 28 * DAY_MS;

const MOST_ORDERS = 100_000_000;
/** Later, the agreed dates of years with five digits would not be `YYYY-MM-DD`; earlier is before the epoch. */
const NOW_RANGE = [Date.UTC(1980, 0), Date.UTC(9990, 0)] as const;

function checkOptions(orders: number, seed: number, now: Date): void {
  if (!Number.isInteger(orders) || orders < 1 || orders > MOST_ORDERS) {
    throw new PipelineError('config', `The number of orders must be whole, 1 to ${MOST_ORDERS}, not ${orders}.`);
  }
  if (!Number.isSafeInteger(seed)) throw new PipelineError('config', `The seed must be a whole number, not ${seed}.`);
  if (!(now.getTime() >= NOW_RANGE[0] && now.getTime() < NOW_RANGE[1])) {
    throw new PipelineError('config', 'The day to end before must be a date from 1980 to 9989.');
  }
}

function* designRows(history: History): Generator<Row> {
  const random = randomFrom(history.seed, 'design rows');
  for (let id = 1; id <= FIRST_DESIGNS; id += 1) yield designRow(random, id, history.openedAt);
  for (const plan of history.days) {
    for (const { id, createdAt } of designsOf(history, plan)) yield designRow(random, id, createdAt);
  }
}

function* salesOrderRows(history: History): Generator<Row> {
  for (const plan of history.days) yield* salesOrdersOf(history, plan).map(orderRow);
}

function* purchaseOrderRows(history: History): Generator<Row> {
  for (const plan of history.days) yield* purchaseOrdersOf(history, plan).map(orderRow);
}

function* transactionRows(history: History): Generator<Row> {
  for (const plan of history.days) {
    for (const deal of dealsOf(history, plan)) yield transactionRow(deal.order, deal.transactionId);
  }
}

function* paymentRows(history: History): Generator<Row> {
  const random = randomFrom(history.seed, 'payment rows');
  const { seed, lastDay: settledUntil } = history;
  for (const plan of history.days) {
    for (const { order, transactionId, paymentId } of dealsOf(history, plan)) {
      yield paymentRow(random, order, { transactionId, paymentId, settledUntil, seed });
    }
  }
}

/** The later of the two goes in which the company's own data was entered came so much after the first. */
const SECOND_ENTRY_MS = 1_601;

/** All rows of the source, table by table; drawn while they are read. */
function rowSets(history: History): RowSet[] {
  const opened = momentText(history.openedAt);
  return [
    ...companyRows(randomFrom(history.seed, 'company'), opened, momentText(history.openedAt + SECOND_ENTRY_MS)),
    { table: 'design', columns: DESIGN_COLUMNS, rows: designRows(history) },
    { table: 'sales_order', columns: ORDER_COLUMNS.SALE, rows: salesOrderRows(history) },
    { table: 'purchase_order', columns: ORDER_COLUMNS.PURCHASE, rows: purchaseOrderRows(history) },
    { table: 'transaction', columns: TRANSACTION_COLUMNS, rows: transactionRows(history) },
    { table: 'payment', columns: PAYMENT_COLUMNS, rows: paymentRows(history) },
  ];
}

async function refuseWhereRowsAre(client: ClientBase): Promise<void> {
  const sql = `select ${TABLES.map((table) => `exists (select from ${table})`).join(' or ')} as filled`;
  const [row] = await select(client, object({ filled: boolean() }), sql);
  if (row?.filled === false) return;
  throw new PipelineError('config', 'The source has rows already; generate into an empty one.');
}

/** The keys are checked as sets, once, after the rows: with 10,000 orders that takes 0.7 s instead of 1.3 s. */
async function fill(client: ClientBase, history: History): Promise<Generated['rows']> {
  await client.query(CREATE_TABLES);
  await refuseWhereRowsAre(client);
  await client.query(DROP_REFERENCES);
  const rows: Partial<Record<TableName, number>> = {};
  for (const set of rowSets(history)) rows[set.table] = await copyRows(client, set);
  await client.query(ADD_REFERENCES);
  return rows;
}

/**
 * Fills an empty source with a company and its history, in one transaction; creates the tables where they are not
 * there. The same options give the same rows. A `PipelineError` of kind `config` when the options make no sense or
 * the source is not empty.
 */
export async function generateTotesys(client: ClientBase, options: GenerateOptions): Promise<Generated> {
  const { orders, seed, now = new Date(Date.now() - LIVED_LATER_MS) } = options;
  checkOptions(orders, seed, now);
  const history = planHistory(orders, seed, dayOf(now.getTime()));
  const rows = await atomically(client, async () => fill(client, history));
  await client.query('analyze');
  return { rows, firstDay: dayText(history.firstDay), lastDay: dayText(history.lastDay) };
}
