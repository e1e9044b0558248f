import type pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { runStarling } from '../support/cli.ts';
import { connectTo, freshDatabase, ownServer, temporaryDirectory } from '../support/postgres.ts';
import { findRealRows } from '../support/real-rows.ts';

const rows = findRealRows();

const LATE_ORDER = 77;

describe.runIf(rows)('the real totesys rows', () => {
  let source: pg.Client;
  let warehouse: pg.Client;
  let run: () => Promise<void>;

  beforeAll(async () => {
    // A server of its own: transactions of other tests, in whatever database, would be waited for.
    const sourceUrl = await freshDatabase('source', await ownServer());
    const warehouseUrl = await freshDatabase();
    rows?.loadInto(sourceUrl);
    [source, warehouse] = [await connectTo(sourceUrl), await connectTo(warehouseUrl)];
    const environment = { SOURCE_URL: sourceUrl, WAREHOUSE_URL: warehouseUrl };
    const cwd = await temporaryDirectory();
    run = async () => {
      const { status, stdout, stderr } = await runStarling(['run', '--json'], { environment, cwd });
      if (status !== 0 || stderr !== '') throw new Error(`the run ended with ${status}:\n${stdout}\n${stderr}`);
    };
    const late = await connectTo(sourceUrl);
    await late.query('begin');
    await late.query(`update sales_order set units_sold = units_sold + 1 where sales_order_id = ${LATE_ORDER}`);
    await run();
    await late.query('commit');
  });

  test('every row of every star is loaded', async () => {
    const counts = {
      fact_sales_order: 9845,
      fact_purchase_order: 4114,
      fact_payment: 13_959,
      dim_design: 424,
      dim_location: 30,
      dim_counterparty: 20,
      dim_currency: 3,
      dim_staff: 20,
      dim_payment_type: 4,
      dim_transaction: 13_959,
      'pipeline.quarantine': 0,
    };
    const found: Record<string, number> = {};
    for (const table of Object.keys(counts)) found[table] = await count(warehouse, table);
    expect(found).toEqual(counts);
  });

  test.each([
    ['current_sales_order', 'sales_order', 'units_sold', 'unit_price'],
    ['current_purchase_order', 'purchase_order', 'item_quantity', 'item_unit_price'],
    ['current_payment', 'payment', '1', 'payment_amount'],
  ])('%s has the sums of the source in every currency, to the last digit', async (current, table, units, price) => {
    // The late order is newer in the source by now.
    const except = table === 'sales_order' ? `where sales_order_id <> ${LATE_ORDER}` : '';
    const sums = (name: string) => `
      select currency_id, sum(${units})::text as units, sum(${units} * ${price})::text as amount
      from ${name} ${except} group by currency_id order by currency_id`;
    const expected = (await source.query(sums(table))).rows;
    expect(expected.length).toBe(3);
    expect((await warehouse.query(sums(current))).rows).toEqual(expected);
  });

  test('silent edits, inserts and a late commit add exactly their versions; no-op updates and another run add none', async () => {
    const edits = await editSilently(source);
    const inserted = await insertOrders(source);
    await source.query('update sales_order set units_sold = units_sold');
    await run();
    const versions = await versionCounts(warehouse);
    const twice = [...versions].filter(([, n]) => n === 2).map(([id]) => id);
    expect(twice.toSorted((a, b) => a - b)).toEqual([LATE_ORDER, ...edits].toSorted((a, b) => a - b));
    expect([...versions].every(([, n]) => n <= 2)).toBe(true);
    expect(inserted.map((id) => versions.get(id))).toEqual([1, 1, 1, 1, 1]);
    expect(versions.size).toBe(9845 + 5);
    expect([await count(warehouse, 'fact_purchase_order'), await count(warehouse, 'fact_payment')]).toEqual([4114, 13_959]);

    const batches = await count(warehouse, 'pipeline.ledger');
    await run();
    expect(await count(warehouse, 'pipeline.ledger')).toBe(batches);
    expect(await count(warehouse, 'fact_sales_order')).toBe(9845 + 5 + 24 + 1);
  });

  test('a silent edit is in the history with the column that it changed', async () => {
    const { rows: versions } = await warehouse.query<{ version: string; changed_columns: string[] | null }>(
      'select version, changed_columns from history_sales_order where sales_order_id = 100 order by version',
    );
    expect(versions.map((row) => row.changed_columns)).toEqual([null, ['sales_staff_id']]);
  });
});

async function count(client: pg.Client, table: string): Promise<number> {
  return Number((await client.query<{ count: string }>(`select count(*) from ${table}`)).rows[0]?.count);
}

/** 24 orders, in the columns that were seen to be edited in the live database. */
async function editSilently(source: pg.Client): Promise<readonly number[]> {
  const ids = Array.from({ length: 24 }, (_, at) => 100 + at * 7);
  const edits = [
    'staff_id = staff_id % 20 + 1',
    'design_id = (select min(design_id) from design d where d.design_id > sales_order.design_id)',
    "agreed_delivery_date = '2030-01-31'",
    'agreed_delivery_location_id = agreed_delivery_location_id % 30 + 1',
  ];
  for (const [at, id] of ids.entries()) {
    await source.query(`update sales_order set ${edits[at % edits.length]} where sales_order_id = $1`, [id]);
  }
  return ids;
}

async function insertOrders(source: pg.Client): Promise<readonly number[]> {
  const ids = [20_001, 20_002, 20_003, 20_004, 20_005];
  await source.query(
    `insert into sales_order (sales_order_id, design_id, staff_id, counterparty_id, units_sold, unit_price, currency_id,
       agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id)
     select id, design_id, staff_id, counterparty_id, units_sold, unit_price, currency_id, agreed_delivery_date,
       agreed_payment_date, agreed_delivery_location_id
     from sales_order, unnest($1::int[]) id where sales_order_id = 500`,
    [ids],
  );
  return ids;
}

async function versionCounts(warehouse: pg.Client): Promise<ReadonlyMap<number, number>> {
  const { rows: counted } = await warehouse.query<{ id: number; versions: string }>(
    'select sales_order_id as id, count(*) as versions from fact_sales_order group by 1',
  );
  return new Map(counted.map((row) => [row.id, Number(row.versions)]));
}
