import { beforeAll, describe, expect, test } from 'vitest';
import { hasPsql } from '../sql/psql.ts';
import { type Block, blocksOf } from './blocks.ts';
import { ageAtUpdate, changedIn, differencesOf, ordersOf, ordersWhere, revenueOf, valueOf } from './expected.ts';
import { BROKEN_PAYMENT, live, type Lived, queryTexts, type Snapshot, textRows, type TextRow } from './lived.ts';

const QUERIES = await blocksOf('docs/QUERIES.md');
/** The README has also what is run in other places: to make roles. */
const README = (await blocksOf('README.md')).filter(({ sql }) => /^(--.*\n|\s)*(select|with)\b/.test(sql));

let lived: Lived;

/** The answer to a question of docs/QUERIES.md, with something else put for its example. */
async function ask(title: string, [example, own]: readonly [string, string] = ['', '']): Promise<readonly TextRow[]> {
  const block = QUERIES.find((candidate) => candidate.title === title);
  if (!block?.sql.includes(example)) throw new Error(`docs/QUERIES.md does not ask: ${title} ${example}`);
  return textRows(lived.analyst, block.sql.replace(example, own));
}

const MOMENT = "select timestamptz '2024-08-01 00:00:00+00' as moment";

/** Questions whose answer is that there is nothing. */
const NOTHING = new Set(['Is a batch missing?', 'Is the current table the latest version of every order?']);

describe.runIf(hasPsql())('the docs', () => {
  beforeAll(async () => {
    lived = await live();
  });

  test('have queries, and README.md too', () => {
    expect(QUERIES.length).toBeGreaterThan(30);
    expect(new Set(QUERIES.map(({ title }) => title)).size).toBe(QUERIES.length);
    expect(README.length).toBeGreaterThan(0);
  });

  test.each(QUERIES)('answer: $title', async ({ title, sql, columns }: Block) => {
    const { rows, fields } = await queryTexts(lived.analyst, sql);
    expect(fields.map(({ name }) => name)).toEqual(columns);
    expect(rows.length > 0).toBe(!NOTHING.has(title));
  });

  test.each(README)('run what README.md asks: $title', async ({ sql }: Block) => {
    await expect(lived.analyst.query(sql)).resolves.toMatchObject({ command: 'SELECT' });
  });

  test('tell the revenue that the source has, now and after a batch', async () => {
    const { early, currencies, snapshots: [first, second, third] } = lived;
    expect(await ask('What is the revenue in each currency?')).toEqual(revenueOf(third, currencies));
    expect(await ask('What was the revenue after batch 1?')).toEqual(revenueOf(first, currencies));
    // The order that waited for its design was not in the report, and is by now in what batch 2 is known to be.
    const shown = ordersWhere(second, (row) => row['sales_order_id'] !== early);
    expect(shown.sales_order.size).toBe(second.sales_order.size - 1);
    expect(await ask('What did a report show, exactly?')).toEqual(revenueOf(shown, currencies));
    expect(await ask('Which batch did a report see?')).toMatchObject([{ batch_id: '3' }]);
    const then = await ask('Which batch did a report see?', ['now()', "timestamptz '2024-08-02 12:00:00+00'"]);
    expect(then).toMatchObject([{ batch_id: '2' }]);
  });

  // Between batches 1 and 2.
  const ANOTHER = ['select snapshot_at as moment from pipeline.ledger where batch_id = 1', MOMENT] as const;

  test('tell the orders at a moment as they were, and as they were known', async () => {
    expect(await ask('How were the orders at a moment?')).toMatchObject(ordersOf(lived.inTruth));
    const known = await ask('How were the orders at a moment, as far as was known then?');
    expect(known).toMatchObject(ordersOf(lived.snapshots[0]));
    expect(await ask('How were the orders at a moment?')).not.toEqual(known);
    expect(await ask('How were the orders at a moment?', ANOTHER)).toMatchObject(ordersOf(lived.inTruth));
    expect(await ask('How were the orders at a moment, as far as was known then?', ANOTHER)).toEqual(known);
    const before = [ANOTHER[0], MOMENT.replace('2024-08-01', '2024-06-01')] as const;
    expect(await ask('How were the orders at a moment, as far as was known then?', before)).toEqual([]);
    const late = (await ask('What came to be known late?')).map((row) => row['sales_order_id']);
    expect(late).toEqual(lived.late.map(String));
  });

  test('tell the history of order 7', async () => {
    const units = lived.snapshots.map(({ sales_order: orders }) => orders.get('7')?.['units_sold']);
    expect(await ask('What happened to order 7?')).toMatchObject([
      { version: '1', changed_columns: null, units_sold: units[0], is_current: 'f' },
      { version: '2', changed_columns: '{sales_staff_id}', valid_from: '2024-08-01 22:00:00+00', units_sold: units[1] },
      { version: '3', valid_from: '2024-08-02 10:00:00+00', valid_to: null, units_sold: units[2], is_current: 't' },
    ]);
    const changes = await ask('What was each changed value before, and after?');
    expect(changes.map(({ version }) => version)).toContain('2');
    expect(changes).toContainEqual(
      expect.objectContaining({ version: '3', column_name: 'units_sold', was: units[0], became: units[2] }),
    );
  });

  test('tell what the last batch and the last day changed', async () => {
    const [, second, third] = lived.snapshots;
    const differences = differencesOf(second, third, 'sales_order');
    const told = await ask('What did the last batch change?');
    const named = told.map(({ sales_order_id: id = '', what }) => [id, what]);
    expect(Object.fromEntries(named)).toEqual(differences);
    const counts = (['sales_order', 'purchase_order', 'payment'] as const).map((table) => {
      const all = Object.entries(differencesOf(second, third, table)).filter(
        ([id]) => !(table === 'payment' && id === BROKEN_PAYMENT),
      );
      const of = (what: string) => String(all.filter(([, is]) => is === what).length);
      return { fact: table.replace('_', ' '), new: of('new'), changed: of('changed') };
    });
    expect(await ask('What changed in the last 24 hours?')).toEqual(counts);
  });

  test('tell who gave orders to whom, and which payments turned paid', async () => {
    const [first, second, third] = lived.snapshots;
    const moved = [
      ...changedIn(first, second, 'sales_order', 'staff_id'),
      ...changedIn(second, third, 'sales_order', 'staff_id'),
    ];
    const told = await ask('Which orders went from one member of staff to another?');
    expect(told.length).toBe(moved.length);
    expect(new Set(told.map((row) => row['sales_order_id']))).toEqual(new Set(moved));
    const paid = [...changedIn(first, second, 'payment', 'paid'), ...changedIn(second, third, 'payment', 'paid')];
    expect(paid.length).toBeGreaterThan(0);
    const days = await ask('When did payments turn paid?');
    expect(days.reduce((sum, row) => sum + Number(row['payments']), 0)).toBe(paid.length);
  });

  test('tell what late edits are worth', async () => {
    const told = await ask('What are edits worth that come more than 7 days after the order?');
    const [first, , third] = lived.snapshots;
    const edited = ['7', String(lived.late[0])].filter((id) => ageAtUpdate(third.sales_order.get(id)) > 7);
    expect(edited).toContain('7');
    const value = (snapshot: Snapshot) =>
      edited.reduce((sum, id) => sum + valueOf(snapshot.sales_order.get(id)), 0);
    const sum = (column: string) => told.reduce((total, row) => total + Number(row[column]), 0);
    expect(sum('edits')).toBe(edited.length);
    expect(sum('difference')).toBeCloseTo(value(third) - value(first), 2);
  });

  test("tell a month's revenue at its end and now", async () => {
    const told = await ask("What was a month's revenue at its end, and what is it now?");
    const july = told.filter(({ month }) => month === '7');
    const [first, , third] = lived.snapshots;
    const of = (snapshot: Snapshot) => {
      const orders = ordersWhere(snapshot, (row) => row['created_at']?.startsWith('2024-07') === true);
      return revenueOf(orders, lived.currencies).map((row) => [row['currency_code'], row['revenue']]);
    };
    const [then, now] = [of(first), of(third)];
    expect(july.map((row) => [row['currency_code'], row['reported']])).toEqual(then);
    expect(july.map((row) => [row['currency_code'], row['now']])).toEqual(now);
    expect(then).not.toEqual(now);
  });

  test('tell what was loaded, what waits and how fresh it is', async () => {
    const batches = await ask('Which batches are loaded, and when did each become visible?');
    expect(batches.map((row) => row['batch_id'])).toEqual(['3', '2', '1']);
    expect(await ask('What waits in quarantine, and why?')).toMatchObject([
      { table_name: 'fact_payment', column_name: 'payment_date', waiting: '1' },
    ]);
    const older = await ask('For which payments does the warehouse show an older state than the source?');
    expect(older).toMatchObject([{ payment_id: BROKEN_PAYMENT, waits_since_batch: '3', shown_batch: '1' }]);
    const released = await ask('What was released from quarantine, and how long had it waited?');
    expect(released).toMatchObject([{ table_name: 'fact_sales_order', record_key: lived.early, batch_id: '2' }]);
    expect((await ask('How fresh is the warehouse?'))[0]).toMatchObject({
      batch_id: '3',
      at_most: expect.stringMatching(/^00:0\d:/),
    });
  });
});
