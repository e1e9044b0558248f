import type { ClientBase } from 'pg';
import { PipelineError } from '../../shared/errors.ts';
import { atomically, rollBack } from './atomic.ts';
import { CLOSES_MS, DAY_MS, dayOf, dayText, isWorkingDay, momentText, workingDayFrom } from './calendar.ts';
import { copyRows } from './copy.ts';
import {
  editRowsSilently, type NoOpUpdates, type RenamedDepartment, renameDepartment, settlePayments, type SilentEdits,
  updateWithoutChange,
} from './edits.ts';
import { HISTORY_DAYS, SALES_PER_DESIGN } from './history.ts';
import { addDesigns, type Round, roundsOf, takeOrders } from './intake.ts';
import { drawSalesOrder, ORDER_COLUMNS, orderRow } from './order.ts';
import { type Random, randomFrom } from './random.ts';
import { chooseRows, keepSalesOrderId, nextId, readState, type State } from './state.ts';

export interface DayOptions {
  readonly seed: number;
  /** `YYYY-MM-DD`, a weekday after the latest order's; the next one, if not given. */
  readonly day?: string;
}

export interface LivedDay {
  readonly day: string;
  readonly designs: number;
  /** Each with one row in `transaction` and one in `payment`. */
  readonly salesOrders: number;
  readonly purchaseOrders: number;
  readonly paymentsPaid: number;
  readonly silentEdits: SilentEdits;
  readonly noOpUpdates: NoOpUpdates;
  readonly renamedDepartment: RenamedDepartment;
}

/** At least three dozen sales orders, otherwise as many as on a day of two years. */
const FEWEST_SALES = 36;
/** One sales order in so many of a day's is the number of older ones that are edited silently: 77 in 9,845 in all. */
const SALES_PER_SILENT_EDIT = 8;

function dayToLive(latest: number, wanted: string | undefined): number {
  if (wanted === undefined) return workingDayFrom(dayOf(latest) + 1);
  const day = /^\d{4}-\d\d-\d\d$/.test(wanted) ? dayOf(Date.parse(wanted)) : Number.NaN;
  if (Number.isNaN(day) || dayText(day) !== wanted || !isWorkingDay(day) || day <= dayOf(latest)) {
    const after = dayText(dayOf(latest));
    throw new PipelineError('config', `The day must be a weekday after ${after}, as YYYY-MM-DD, not '${wanted}'.`);
  }
  return day;
}

/** Takes in some rounds of orders; gives how many sales and purchase orders they were. */
async function takeRounds(client: ClientBase, random: Random, state: State, rounds: readonly Round[], seed: number) {
  const taken = { sales: 0, purchases: 0 };
  for (const round of rounds) {
    const { sales, purchases } = await atomically(client, async () => takeOrders(client, random, state, round, seed));
    taken.sales += sales;
    taken.purchases += purchases;
  }
  return taken;
}

/** What happens at noon to rows that are there already. */
async function changeRows(client: ClientBase, random: Random, state: State, day: number, editCount: number) {
  const silentEdits = await atomically(client, async () => editRowsSilently(client, random, state, editCount));
  const { salesOrderIds } = silentEdits;
  const noOpUpdates = await atomically(client, async () => updateWithoutChange(client, random, state, salesOrderIds));
  const renamedDepartment = await atomically(client, async () => renameDepartment(client, random, day));
  return { silentEdits, noOpUpdates, renamedDepartment };
}

/**
 * Lets the source live one working day: payments booked at 07:55, new designs, four rounds of orders, and at noon what
 * happens to older rows, some of it without a trace in `last_updated`. Several transactions, one after the other, none
 * of which has to wait for a late one (`openLateTransaction`). The same source, seed and day give the same rows.
 * A `PipelineError` of kind `config` when the day is not a weekday to come, or the source is empty.
 */
export async function liveOneDay(client: ClientBase, { seed, day: wanted }: DayOptions): Promise<LivedDay> {
  const state = await readState(client);
  const day = dayToLive(state.latest, wanted);
  const random = randomFrom(seed, 'day', day);
  const daySales = Math.max(FEWEST_SALES, Math.round((state.salesOrders / HISTORY_DAYS) * (0.8 + 0.4 * random.unit())));
  const designCount = Math.ceil(daySales / SALES_PER_DESIGN);
  const rounds = roundsOf(day, daySales);

  const paymentsPaid = await atomically(client, async () =>
    settlePayments(client, random, seed, dayOf(state.latest), day));
  const newDesignIds = await atomically(client, async () => addDesigns(client, random, day, designCount));
  const first = await takeRounds(client, random, state, rounds.slice(0, 1), seed);
  const changes = await changeRows(client, random, state, day, Math.ceil(daySales / SALES_PER_SILENT_EDIT));
  // The first round and the new designs share their hours: only from the second on are all designs older than orders.
  const grown: State = { ...state, designIds: [...newDesignIds, ...state.designIds] };
  const rest = await takeRounds(client, random, grown, rounds.slice(1), seed);

  return {
    day: dayText(day),
    designs: designCount,
    salesOrders: first.sales + rest.sales,
    purchaseOrders: first.purchases + rest.purchases,
    paymentsPaid,
    ...changes,
  };
}

export interface LateTransaction {
  /** The updated order, then the inserted one. Nobody else sees either change before `commit`. */
  readonly orderIds: readonly [updated: number, inserted: number];
  /** `YYYY-MM-DD HH:MM:SS.mmm`: the `last_updated` of both, whenever they are committed. */
  readonly stampedAt: string;
  readonly commit: () => Promise<void>;
}

/** Right after the latest order; the source's clock stands still between simulated days. */
function beginMoment(latest: number): number {
  return Math.min(latest + 1, dayOf(latest) * DAY_MS + CLOSES_MS - 1);
}

async function changeLate(client: ClientBase, random: Random): Promise<Omit<LateTransaction, 'commit'>> {
  const state = await readState(client);
  const createdAt = beginMoment(state.latest);
  const id = await nextId(client, 'sales_order');
  await keepSalesOrderId(client, id);
  const [updated] = await chooseRows(client, random, { table: 'sales_order', upTo: state.lastSalesId }, 1);
  if (updated === undefined) throw new PipelineError('config', 'All sales orders are locked by other transactions.');
  const stampedAt = momentText(createdAt);
  await client.query(
    'update sales_order set units_sold = units_sold + 1, last_updated = $2::timestamp where sales_order_id = $1',
    [updated, stampedAt],
  );
  const placement = { id, createdAt, editableUntil: createdAt };
  const order = drawSalesOrder(random, state, placement, random.pick(state.designIds));
  await copyRows(client, { table: 'sales_order', columns: ORDER_COLUMNS.SALE, rows: [orderRow(order)] });
  return { orderIds: [updated, id], stampedAt };
}

/**
 * Begins a transaction that updates one sales order and inserts another (without a payment as yet), both stamped with
 * the source's present time, and leaves it open. Others can then commit rows with later stamps before it is committed.
 * `client` is a connection of its own, used for nothing else until `commit`; when it ends before, nothing happened.
 */
export async function openLateTransaction(client: ClientBase, { seed }: { seed: number }): Promise<LateTransaction> {
  await client.query('begin');
  try {
    const changed = await changeLate(client, randomFrom(seed, 'late'));
    const commit = async (): Promise<void> => {
      await client.query('commit');
    };
    return { ...changed, commit };
  } catch (error) {
    await rollBack(client);
    throw error;
  }
}
