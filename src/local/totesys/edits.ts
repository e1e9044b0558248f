/** What happens on a day to rows that are there already. */
import type { ClientBase } from 'pg';
import { number, object, string } from 'valibot';
import { DAY_MS, dayOf, dayText, momentText } from './calendar.ts';
import { UNPAID_SHARE, settlementMoment } from './order.ts';
import type { Random } from './random.ts';
import { type Candidates, chooseRows, readCell, type State } from './state.ts';
import { select, selectIds } from './select.ts';
import { DEPARTMENT_SUFFIXES, FOLDERS } from './words.ts';

export interface SilentEdits {
  readonly salesOrderIds: readonly number[];
  readonly purchaseOrderIds: readonly number[];
  readonly designIds: readonly number[];
}

export interface NoOpUpdates {
  readonly salesOrderIds: readonly number[];
  readonly staffIds: readonly number[];
}

export interface RenamedDepartment {
  readonly departmentId: number;
  readonly from: string;
  readonly to: string;
}

/** Payments that are to be booked after one day's morning and by another's, and are not. */
const DUE = `
  select payment_id as id from payment
  where not paid and greatest(payment_date::date, created_at::date + 1) > $1::date
    and greatest(payment_date::date, created_at::date + 1) <= $2::date
  order by id`;

/** Books what has become due since the last lived day, nearly all of it, in one burst; gives the number of payments. */
export async function settlePayments(client: ClientBase, random: Random, seed: number, last: number, day: number) {
  const due = await selectIds(client, DUE, [dayText(last), dayText(day)]);
  const settled = due.filter(() => !random.chance(UNPAID_SHARE));
  const sql = 'update payment set paid = true, last_updated = $2::timestamp where payment_id = any ($1::int[])';
  await client.query(sql, [settled, momentText(settlementMoment(seed, day))]);
  return settled.length;
}

type NewValue = (random: Random, state: State, old: string) => string;

function another(random: Random, list: readonly (string | number)[], old: string): string {
  return random.pick(list.map(String).filter((value) => value !== old));
}

/** Deliveries are only ever put off, at times by months. */
const putOff: NewValue = (random, _, old) => dayText(dayOf(Date.parse(old)) + random.int(1, random.pick([7, 30, 180])));

const SALES_ORDER_EDITS: readonly (readonly [column: string, value: NewValue])[] = [
  ['staff_id', (random, state, old) => another(random, state.staffIds, old)],
  ['design_id', (random, state, old) => another(random, state.designIds, old)],
  ['agreed_delivery_date', putOff],
  ['agreed_delivery_location_id', (random, state, old) => another(random, state.locationIds, old)],
];

const PURCHASE_ORDER_EDITS: readonly (readonly [column: string, value: NewValue])[] = [
  ['counterparty_id', (random, state, old) => another(random, state.counterpartyIds, old)],
  ['agreed_delivery_date', putOff],
  ['staff_id', (random, state, old) => another(random, state.staffIds, old)],
  ['agreed_delivery_location_id', (random, state, old) => another(random, state.locationIds, old)],
];

const DESIGN_EDITS: readonly (readonly [column: string, value: NewValue])[] = [
  ['file_location', (random, _, old) => another(random, FOLDERS, old)],
];

/** Edits one column each of `count` rows, each column of as many, and leaves `last_updated` as it is. */
async function editSilently(
  client: ClientBase,
  random: Random,
  state: State,
  candidates: Candidates,
  edits: readonly (readonly [column: string, value: NewValue])[],
  count: number,
): Promise<number[]> {
  const { table } = candidates;
  const ids = await chooseRows(client, random, candidates, count);
  const inTurn = random.shuffle(edits);
  for (const [turn, [column, value]] of inTurn.entries()) {
    for (const id of ids.filter((_, index) => index % inTurn.length === turn)) {
      const old = await readCell(client, table, column, id);
      await client.query(`update ${table} set ${column} = $2 where ${table}_id = $1`, [id, value(random, state, old)]);
    }
  }
  return ids;
}

/**
 * What the live source was seen to do: staff, design, delivery and file of rows from before today change without
 * `last_updated`. `count` sales orders, a quarter as many purchase orders, and one design.
 */
export async function editRowsSilently(
  client: ClientBase,
  random: Random,
  state: State,
  count: number,
): Promise<SilentEdits> {
  const { lastSalesId, lastPurchaseId, lastDesignId } = state;
  const sales: Candidates = { table: 'sales_order', upTo: lastSalesId };
  const purchases: Candidates = { table: 'purchase_order', upTo: lastPurchaseId };
  const designs: Candidates = { table: 'design', upTo: lastDesignId };
  return {
    salesOrderIds: await editSilently(client, random, state, sales, SALES_ORDER_EDITS, count),
    purchaseOrderIds: await editSilently(client, random, state, purchases, PURCHASE_ORDER_EDITS, Math.ceil(count / 4)),
    designIds: await editSilently(client, random, state, designs, DESIGN_EDITS, 1),
  };
}

/** Writes a sales order and a member of staff again as they are: new row versions, nothing new in them. */
export async function updateWithoutChange(
  client: ClientBase,
  random: Random,
  state: State,
  except: readonly number[],
): Promise<NoOpUpdates> {
  const candidates: Candidates = { table: 'sales_order', upTo: state.lastSalesId, except };
  const salesOrderIds = await chooseRows(client, random, candidates, 1);
  const staffIds = [random.pick(state.staffIds)];
  const salesSql = 'update sales_order set units_sold = units_sold where sales_order_id = any ($1::int[])';
  const staffSql = 'update staff set email_address = email_address where staff_id = any ($1::int[])';
  await client.query(salesSql, [salesOrderIds]);
  await client.query(staffSql, [staffIds]);
  return { salesOrderIds, staffIds };
}

const DEPARTMENT_ROW = object({ id: number(), name: string() });

/** Departments that somebody works in: one without staff would change nothing in the warehouse. */
const DEPARTMENTS_WITH_STAFF = `
  select department_id as id, department_name as name from department
  where department_id in (select department_id from staff) order by id`;

function renamed(random: Random, name: string): string {
  const suffix = DEPARTMENT_SUFFIXES.find((one) => name.endsWith(` ${one}`));
  const stem = suffix === undefined ? name : name.slice(0, -suffix.length - 1);
  return `${stem} ${another(random, DEPARTMENT_SUFFIXES, suffix ?? '')}`;
}

/** Renames a department, between noon and one, and says so in `last_updated`. */
export async function renameDepartment(client: ClientBase, random: Random, day: number): Promise<RenamedDepartment> {
  const { id, name } = random.pick(await select(client, DEPARTMENT_ROW, DEPARTMENTS_WITH_STAFF));
  const to = renamed(random, name);
  const moment = day * DAY_MS + random.int(DAY_MS / 2, DAY_MS / 2 + 3_599_999);
  const sql = 'update department set department_name = $2, last_updated = $3::timestamp where department_id = $1';
  await client.query(sql, [id, to, momentText(moment)]);
  return { departmentId: id, from: name, to };
}
