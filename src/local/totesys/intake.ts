/** What comes in on a day: new designs, and rounds of new orders. */
import type { ClientBase } from 'pg';
import { CLOSES_MS, OPENS_MS } from './calendar.ts';
import { copyRows } from './copy.ts';
import { numberDeals } from './deal.ts';
import { DESIGN_COLUMNS, designRow } from './design.ts';
import { PURCHASES_PER_SALE } from './history.ts';
import { type Hours, moments } from './hours.ts';
import {
  drawPurchaseOrder, drawSalesOrder, ORDER_COLUMNS, type Order, orderRow, PAYMENT_COLUMNS, paymentRow,
  TRANSACTION_COLUMNS, transactionRow,
} from './order.ts';
import type { Random } from './random.ts';
import { nextId, type State } from './state.ts';

/** The four rounds in which a day's orders come in, each its own transaction; the second one has the burst. */
const ROUND_MS = (CLOSES_MS - OPENS_MS) / 4;
const ROUND_SHARES = [0.2, 0.4, 0.2, 0.2] as const;
const BURST_ROUND = 1;
const BURST_SHARE = 0.75;

export interface Round {
  readonly day: number;
  readonly hours: Hours;
  readonly sales: number;
  /** The share of the round's orders that come in within one millisecond. */
  readonly burstShare: number;
}

function roundOf(day: number, index: number, share: number, daySales: number): Round {
  const from = OPENS_MS + index * ROUND_MS;
  return {
    day,
    hours: { from, to: from + ROUND_MS },
    sales: Math.ceil(daySales * share),
    burstShare: index === BURST_ROUND ? BURST_SHARE : 0,
  };
}

/** The rounds of a day with about so many sales orders. */
export function roundsOf(day: number, daySales: number): Round[] {
  return ROUND_SHARES.map((share, index) => roundOf(day, index, share, daySales));
}

/** New designs of the first hours; gives their ids. */
export async function addDesigns(client: ClientBase, random: Random, day: number, count: number): Promise<number[]> {
  const first = await nextId(client, 'design');
  const hours: Hours = { from: OPENS_MS, to: OPENS_MS + ROUND_MS };
  const created = moments(random, day, { count, burst: 0, burstAt: 0, hours });
  const rows = created.map((moment, offset) => designRow(random, first + offset, moment));
  await copyRows(client, { table: 'design', columns: DESIGN_COLUMNS, rows });
  return created.map((_, offset) => first + offset);
}

function drawRound(random: Random, state: State, round: Round, firstSale: number, firstPurchase: number) {
  const { day, hours } = round;
  const purchaseCount = Math.ceil(round.sales * PURCHASES_PER_SALE);
  const burstAt = random.int(hours.from, hours.to - 1);
  const arrivals = (count: number) =>
    moments(random, day, { count, burst: Math.floor(count * round.burstShare), burstAt, hours });
  const sales = arrivals(round.sales).map((createdAt, offset) =>
    drawSalesOrder(random, state, placed(firstSale + offset, createdAt), random.pick(state.designIds)));
  const purchases = arrivals(purchaseCount).map((createdAt, offset) =>
    drawPurchaseOrder(random, state, placed(firstPurchase + offset, createdAt)));
  return { sales, purchases };
}

/** Never corrected: that would be an event of its own, later. */
function placed(id: number, createdAt: number) {
  return { id, createdAt, editableUntil: createdAt };
}

/** Takes in the orders of a round, with the transactions and payments that follow from them. */
export async function takeOrders(client: ClientBase, random: Random, state: State, round: Round, seed: number) {
  const firstSale = await nextId(client, 'sales_order');
  const firstPurchase = await nextId(client, 'purchase_order');
  const { sales, purchases } = drawRound(random, state, round, firstSale, firstPurchase);
  await copyRows(client, { table: 'sales_order', columns: ORDER_COLUMNS.SALE, rows: sales.map(orderRow) });
  await copyRows(client, { table: 'purchase_order', columns: ORDER_COLUMNS.PURCHASE, rows: purchases.map(orderRow) });
  await followUp(client, random, [...sales, ...purchases], round.day, seed);
  return { sales: sales.length, purchases: purchases.length };
}

async function followUp(client: ClientBase, random: Random, orders: readonly Order[], day: number, seed: number) {
  const first = { transactionId: await nextId(client, 'transaction'), paymentId: await nextId(client, 'payment') };
  const deals = numberDeals(random, orders, first);
  const transactions = deals.map(({ order, transactionId }) => transactionRow(order, transactionId));
  const payments = deals.map(({ order, ...ids }) => paymentRow(random, order, { ...ids, settledUntil: day, seed }));
  await copyRows(client, { table: 'transaction', columns: TRANSACTION_COLUMNS, rows: transactions });
  await copyRows(client, { table: 'payment', columns: PAYMENT_COLUMNS, rows: payments });
}
