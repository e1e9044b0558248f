import { DAY_MS, dayOf, workingDayBefore, workingDaysUntil } from './calendar.ts';
import { ADDRESS_COUNT, COUNTERPARTY_COUNT, CURRENCY_COUNT, STAFF_COUNT } from './company.ts';
import { type Deal, numberDeals } from './deal.ts';
import { moments, OFFICE_HOURS } from './hours.ts';
import { drawPurchaseOrder, drawSalesOrder, type Order, type Parties } from './order.ts';
import { type Random, randomFrom } from './random.ts';

/**
 * Which orders and designs come in on which day, before any of them is drawn. With it and the seed, every day can be
 * drawn by itself and as often as needed: one table after the other is written without holding any of them.
 */
export interface History {
  readonly seed: number;
  /** The weekdays of the history, in order. */
  readonly days: readonly number[];
  /** The highest id by the end of each of `days`. */
  readonly lastSalesIds: readonly number[];
  readonly lastPurchaseIds: readonly number[];
  readonly lastDesignIds: readonly number[];
  /** When the company's own data was entered, in milliseconds; before the first day. */
  readonly openedAt: number;
}

/** Two years of weekdays: 10,000 orders then come at about the real rate, 19 a day. */
const MOST_DAYS = 520;
const FEWEST_DAYS = 10;
const ORDERS_A_DAY = 19.2;

export const PURCHASES_PER_SALE = 0.42;
const SALES_PER_DESIGN = 23;
const FEWEST_DESIGNS = 20;
/** The designs that are there on the first day. */
export const FIRST_DESIGNS = 10;

/** Every so many days there is a burst, and more orders than usual: see `burstSize`. */
const BURST_EVERY_DAYS = 10;
const BURST_DAY_WEIGHT = 2.5;

function isBurstDay(index: number): boolean {
  return index % BURST_EVERY_DAYS === 0;
}

/** The highest id at the end of each day when ids `base + 1` to `total` are spread as the weights say. */
function spread(total: number, base: number, weights: readonly number[]): number[] {
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  return weights.map((weight, index) => {
    sum += weight;
    return index === weights.length - 1 ? total : base + Math.floor(((total - base) * sum) / whole);
  });
}

/** The history of `orders` sales orders that ends on the last weekday before `today`. */
export function planHistory(orders: number, seed: number, today: number): History {
  const random = randomFrom(seed, 'plan');
  const count = Math.min(MOST_DAYS, Math.max(FEWEST_DAYS, Math.ceil(orders / ORDERS_A_DAY)));
  const days = workingDaysUntil(workingDayBefore(today), count);
  const weights = days.map((_, index) => (isBurstDay(index) ? BURST_DAY_WEIGHT : 0.6 + 0.7 * random.unit()));
  const designs = Math.max(FEWEST_DESIGNS, Math.round(orders / SALES_PER_DESIGN));
  return {
    seed,
    days,
    lastSalesIds: spread(orders, 0, weights),
    lastPurchaseIds: spread(Math.round(orders * PURCHASES_PER_SALE), 0, weights),
    lastDesignIds: spread(designs, FIRST_DESIGNS, days.map(() => 1)),
    openedAt: workingDayBefore(days[0] ?? today) * DAY_MS + random.int(OFFICE_HOURS.from, DAY_MS / 2),
  };
}

/** The ids of a day, as the first of them and how many there are. */
function idsOf(lastIds: readonly number[], index: number, base = 0): { first: number; count: number } {
  const before = index === 0 ? base : (lastIds[index - 1] ?? base);
  return { first: before + 1, count: (lastIds[index] ?? before) - before };
}

const PARTIES: Parties = {
  staffIds: upTo(STAFF_COUNT),
  counterpartyIds: upTo(COUNTERPARTY_COUNT),
  currencyIds: upTo(CURRENCY_COUNT),
  locationIds: upTo(ADDRESS_COUNT),
};

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

/** Where on a day the orders of one kind are: ids from `first`, a moment each. */
function placements(history: History, index: number, kind: 'sales' | 'purchases', random: Random) {
  const { first, count } = idsOf(kind === 'sales' ? history.lastSalesIds : history.lastPurchaseIds, index);
  const day = history.days[index] ?? 0;
  const { burstAt, sales, purchases } = burstOf(history.seed, index);
  const burst = Math.min(count, kind === 'sales' ? sales : purchases);
  const editableUntil = day * DAY_MS + OFFICE_HOURS.to - 1;
  return moments(random, day, { count, burst, burstAt, hours: OFFICE_HOURS })
    .map((createdAt, offset) => ({ id: first + offset, createdAt, editableUntil }));
}

/** Two to four dozen sales orders, and fewer purchase orders, in one millisecond. */
function burstOf(seed: number, index: number): { burstAt: number; sales: number; purchases: number } {
  const random = randomFrom(seed, 'burst', index);
  const burstAt = random.int(OFFICE_HOURS.from, OFFICE_HOURS.to - 1);
  return isBurstDay(index) ? { burstAt, sales: random.int(24, 48), purchases: 8 } : { burstAt, sales: 0, purchases: 0 };
}

/** The sales orders of the day with this index, by id. They name designs of earlier days only. */
export function salesOrdersOf(history: History, index: number): Order[] {
  const random = randomFrom(history.seed, 'sales', index);
  const known = idsOf(history.lastDesignIds, index, FIRST_DESIGNS).first - 1;
  return placements(history, index, 'sales', random)
    .map((placement) => drawSalesOrder(random, PARTIES, placement, random.int(1, known)));
}

export function purchaseOrdersOf(history: History, index: number): Order[] {
  const random = randomFrom(history.seed, 'purchases', index);
  return placements(history, index, 'purchases', random)
    .map((placement) => drawPurchaseOrder(random, PARTIES, placement));
}

/** All orders of a day by the time they came in, with the numbers of their transactions and payments. */
export function dealsOf(history: History, index: number): Deal[] {
  const random = randomFrom(history.seed, 'deals', index);
  const first = idsOf(history.lastSalesIds, index).first + idsOf(history.lastPurchaseIds, index).first - 1;
  const orders = [...salesOrdersOf(history, index), ...purchaseOrdersOf(history, index)];
  return numberDeals(random, orders, { transactionId: first, paymentId: first });
}

/** The designs that came in on a day: ids, and a moment each. */
export function designsOf(history: History, index: number): { id: number; createdAt: number }[] {
  const random = randomFrom(history.seed, 'designs', index);
  const { first, count } = idsOf(history.lastDesignIds, index, FIRST_DESIGNS);
  const day = history.days[index] ?? dayOf(history.openedAt);
  return moments(random, day, { count, burst: 0, burstAt: 0, hours: OFFICE_HOURS })
    .map((createdAt, offset) => ({ id: first + offset, createdAt }));
}
