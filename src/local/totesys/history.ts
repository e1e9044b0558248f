import { DAY_MS, workingDayBefore, workingDaysUntil } from './calendar.ts';
import { ADDRESS_COUNT, COUNTERPARTY_COUNT, CURRENCY_COUNT, STAFF_COUNT } from './company.ts';
import { type Deal, numberDeals } from './deal.ts';
import { moments, OFFICE_HOURS } from './hours.ts';
import { drawPurchaseOrder, drawSalesOrder, type Order, type Parties, type Placement } from './order.ts';
import { type Random, randomFrom } from './random.ts';

/** Ids without gaps. */
interface Ids {
  readonly first: number;
  readonly count: number;
}

interface DayPlan {
  readonly day: number;
  readonly sales: Ids;
  readonly purchases: Ids;
  readonly designs: Ids;
  readonly hasBurst: boolean;
}

/**
 * Which orders and designs come in on which day, before any of them is drawn. With it and the seed, every day can be
 * drawn by itself and as often as needed: one table after the other is written without holding any of them.
 */
export interface History {
  readonly seed: number;
  /** Weekdays, in order. */
  readonly days: readonly DayPlan[];
  readonly firstDay: number;
  readonly lastDay: number;
  /** When the company's own data was entered, in milliseconds; before the first day. */
  readonly openedAt: number;
}

/** Two years of weekdays: 10,000 orders then come at about the real rate, 19 a day. */
export const HISTORY_DAYS = 520;
const FEWEST_DAYS = 10;
const ORDERS_A_DAY = 19.2;

export const PURCHASES_PER_SALE = 0.42;
export const SALES_PER_DESIGN = 23;
const FEWEST_DESIGNS = 20;
/** The designs that are there on the first day. */
export const FIRST_DESIGNS = 10;

/** Every so many days there is a burst, and more orders than usual: see `burstOf`. */
const BURST_EVERY_DAYS = 10;
const BURST_DAY_WEIGHT = 2.5;

/** Gives out ids `after + 1` to `last` to days by their weight; all are gone when the weights add up to `whole`. */
function ration(last: number, after: number, whole: number): (weight: number) => Ids {
  let [sum, given] = [0, after];
  return (weight) => {
    const first = given + 1;
    sum += weight;
    // The quotient first: it is exactly 1 in the end, where (x * whole) / whole could be just below x.
    given = after + Math.floor((last - after) * (sum / whole));
    return { first, count: given - first + 1 };
  };
}

function planDays(days: readonly number[], orders: number, random: Random): DayPlan[] {
  const weighted = days.map((day, index) => {
    const hasBurst = index % BURST_EVERY_DAYS === 0;
    return { day, hasBurst, weight: hasBurst ? BURST_DAY_WEIGHT : 0.6 + 0.7 * random.unit() };
  });
  const whole = weighted.reduce((sum, { weight }) => sum + weight, 0);
  const sales = ration(orders, 0, whole);
  const purchases = ration(Math.round(orders * PURCHASES_PER_SALE), 0, whole);
  const designs = ration(Math.max(FEWEST_DESIGNS, Math.round(orders / SALES_PER_DESIGN)), FIRST_DESIGNS, days.length);
  return weighted.map(({ day, hasBurst, weight }) =>
    ({ day, hasBurst, sales: sales(weight), purchases: purchases(weight), designs: designs(1) }));
}

/** The history of `orders` sales orders that ends on the last weekday before `today`. */
export function planHistory(orders: number, seed: number, today: number): History {
  const random = randomFrom(seed, 'plan');
  const count = Math.min(HISTORY_DAYS, Math.max(FEWEST_DAYS, Math.ceil(orders / ORDERS_A_DAY)));
  const lastDay = workingDayBefore(today);
  const days = workingDaysUntil(lastDay, count);
  const firstDay = Math.min(...days);
  const openedAt = workingDayBefore(firstDay) * DAY_MS + random.int(OFFICE_HOURS.from, DAY_MS / 2);
  return { seed, days: planDays(days, orders, random), firstDay, lastDay, openedAt };
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

const PARTIES: Parties = {
  staffIds: upTo(STAFF_COUNT),
  counterpartyIds: upTo(COUNTERPARTY_COUNT),
  currencyIds: upTo(CURRENCY_COUNT),
  locationIds: upTo(ADDRESS_COUNT),
};

/** When a day's burst is, and of how many: two to four dozen sales orders, and fewer purchase orders. */
function burstOf(seed: number, { day, hasBurst }: DayPlan): { burstAt: number; sales: number; purchases: number } {
  const random = randomFrom(seed, 'burst', day);
  const burstAt = random.int(OFFICE_HOURS.from, OFFICE_HOURS.to - 1);
  return hasBurst ? { burstAt, sales: random.int(24, 48), purchases: 8 } : { burstAt, sales: 0, purchases: 0 };
}

/** Where on a day its orders of one kind are. */
function placements(random: Random, history: History, plan: DayPlan, kind: 'sales' | 'purchases'): Placement[] {
  const { first, count } = plan[kind];
  const { burstAt, ...bursts } = burstOf(history.seed, plan);
  const burst = Math.min(count, bursts[kind]);
  const editableUntil = plan.day * DAY_MS + OFFICE_HOURS.to - 1;
  return moments(random, plan.day, { count, burst, burstAt, hours: OFFICE_HOURS })
    .map((createdAt, offset) => ({ id: first + offset, createdAt, editableUntil }));
}

/** The sales orders of a day, by id. They name designs of earlier days only. */
export function salesOrdersOf(history: History, plan: DayPlan): Order[] {
  const random = randomFrom(history.seed, 'sales', plan.day);
  const known = plan.designs.first - 1;
  return placements(random, history, plan, 'sales')
    .map((placement) => drawSalesOrder(random, PARTIES, placement, random.int(1, known)));
}

export function purchaseOrdersOf(history: History, plan: DayPlan): Order[] {
  const random = randomFrom(history.seed, 'purchases', plan.day);
  return placements(random, history, plan, 'purchases')
    .map((placement) => drawPurchaseOrder(random, PARTIES, placement));
}

/** All orders of a day by the time they came in, with the numbers of their transactions and payments. */
export function dealsOf(history: History, plan: DayPlan): Deal[] {
  const random = randomFrom(history.seed, 'deals', plan.day);
  const first = plan.sales.first + plan.purchases.first - 1;
  const orders = [...salesOrdersOf(history, plan), ...purchaseOrdersOf(history, plan)];
  return numberDeals(random, orders, { transactionId: first, paymentId: first });
}

/** The designs that came in on a day: ids, and a moment each. */
export function designsOf(history: History, { day, designs }: DayPlan): { id: number; createdAt: number }[] {
  const random = randomFrom(history.seed, 'designs', day);
  return moments(random, day, { count: designs.count, burst: 0, burstAt: 0, hours: OFFICE_HOURS })
    .map((createdAt, offset) => ({ id: designs.first + offset, createdAt }));
}
