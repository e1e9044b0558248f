/** Answers computed from what the source was, with nothing of the warehouse. */

import type { Snapshot, TextRow } from './lived.ts';

/** Exact: the source's prices have no more than two decimals that are not zero. */
function centsOf(row: TextRow | undefined): bigint {
  const price = row?.['unit_price'] ?? '0';
  const [whole = '0', cents = ''] = price.split('.');
  return BigInt(row?.['units_sold'] ?? '0') * BigInt(whole + cents.padEnd(2, '0').slice(0, 2));
}

function decimal(cents: bigint): string {
  return `${cents / 100n}.${String(cents % 100n).padStart(2, '0')}`;
}

export function valueOf(row: TextRow | undefined): number {
  return Number(centsOf(row)) / 100;
}

/** Revenue by currency. */
export function revenueOf(
  { sales_order: orders }: Pick<Snapshot, 'sales_order'>,
  currencies: ReadonlyMap<string, string>,
): readonly TextRow[] {
  const sums = new Map<string, { orders: number; cents: bigint }>();
  for (const row of orders.values()) {
    const code = currencies.get(row['currency_id'] ?? '') ?? '';
    const sum = sums.get(code) ?? { orders: 0, cents: 0n };
    sums.set(code, { orders: sum.orders + 1, cents: sum.cents + centsOf(row) });
  }
  return [...sums]
    .map(([currency_code, { orders, cents }]) => ({ currency_code, orders: String(orders), revenue: decimal(cents) }))
    .toSorted((a, b) => a.currency_code.localeCompare(b.currency_code));
}

/** The orders that a condition holds of. */
export function ordersWhere(snapshot: Snapshot, holds: (row: TextRow) => boolean): Pick<Snapshot, 'sales_order'> {
  return { sales_order: new Map([...snapshot.sales_order].filter(([, row]) => holds(row))) };
}

/** As the queries of orders at a moment show them. */
export function ordersOf({ sales_order: orders }: Snapshot): readonly TextRow[] {
  return [...orders.values()].map((row) => ({
    sales_order_id: row['sales_order_id'] ?? null,
    sales_staff_id: row['staff_id'] ?? null,
    units_sold: row['units_sold'] ?? null,
    unit_price: decimal(centsOf({ ...row, units_sold: '1' })),
    currency_id: row['currency_id'] ?? null,
  }));
}

/** Keys of the rows that are new, or differ in any column. */
export function differencesOf(
  before: Snapshot,
  after: Snapshot,
  table: keyof Snapshot,
): Readonly<Record<string, 'new' | 'changed'>> {
  const found = [...after[table]].flatMap(([id, row]): [string, 'new' | 'changed'][] => {
    const old = before[table].get(id);
    if (!old) return [[id, 'new']];
    return Object.keys(row).some((name) => row[name] !== old[name]) ? [[id, 'changed']] : [];
  });
  return Object.fromEntries(found);
}

/** Keys of the rows that were there and have another value in this column. */
export function changedIn(before: Snapshot, after: Snapshot, table: keyof Snapshot, column: string): readonly string[] {
  return [...after[table]].flatMap(([id, row]) => {
    const old = before[table].get(id);
    return old && old[column] !== row[column] ? [id] : [];
  });
}

/** Days between a row's creation and its last update. */
export function ageAtUpdate(row: TextRow | undefined): number {
  const at = (column: string) => Date.parse(`${row?.[column]?.replace(' ', 'T')}Z`);
  return (at('last_updated') - at('created_at')) / 86_400_000;
}
