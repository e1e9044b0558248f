import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { totesys } from '../../src/models/totesys/model.ts';
import { currentName, outputsOf } from '../../src/shared/model/model.ts';
import { type Event, eventsOf, runMain } from '../support/cli.ts';
import { clonedDatabase, connectTo } from '../support/postgres.ts';
import { freshPlace, type Place, totesysTemplate } from '../support/totesys.ts';

const OUTPUTS = outputsOf(totesys).map((output) => ('recordKey' in output ? currentName(output) : output.name));
const TABLES = ['dim_date', ...OUTPUTS];

/** Loaded once; every test tampers with copies of both sides. */
let loaded: Place;
let place: Place;
beforeAll(async () => {
  loaded = await freshPlace(await totesysTemplate());
  await runMain(['run'], loaded.environment);
  await loaded.source.end();
  await loaded.warehouse.end();
});
beforeEach(async () => {
  const [sourceUrl, warehouseUrl] = [await clonedDatabase(loaded.sourceUrl), await clonedDatabase(loaded.warehouseUrl)];
  const environment = { SOURCE_URL: sourceUrl, WAREHOUSE_URL: warehouseUrl };
  const [source, warehouse] = [await connectTo(sourceUrl), await connectTo(warehouseUrl)];
  place = { ...loaded, sourceUrl, source, warehouseUrl, warehouse, environment };
});

/** What is not equal. */
async function differences(): Promise<{ readonly status: number; readonly found: readonly Event[] }> {
  const { status, stdout, stderr } = await runMain(['compare', '--json'], place.environment);
  expect(stderr).toBe('');
  const comparisons = eventsOf(stdout);
  expect(comparisons.map(({ event, table }) => [event, table])).toEqual(TABLES.map((table) => ['comparison', table]));
  return { status, found: comparisons.filter(isDifferent).toSorted(byTable) };
}

function isDifferent({ different, missing, extra }: Event): boolean {
  return [different, missing, extra].some((count) => count !== 0);
}

function byTable(a: Event, b: Event): number {
  return String(a['table']).localeCompare(String(b['table']));
}

const NONE = { different: 0, missing: 0, extra: 0, columns: [] };

describe('compare', () => {
  test('finds a warehouse that was just loaded equal, every dimension and current fact', async () => {
    expect(await differences()).toEqual({ status: 0, found: [] });
    const { stdout } = await runMain(['compare'], place.environment);
    expect(stdout).toMatch(/^warehouse table +same +different +missing +extra +verdict$/m);
    expect(stdout).toMatch(/^current_sales_order +120 +0 +0 +0 +equal$/m);
    expect(stdout).not.toContain('DIFFERENT');
  });

  test('finds what is wrong with the calendar', async () => {
    const first = '(select min(date_id) from dim_date)';
    await place.warehouse.query(`update dim_date set day_of_week = 8 where date_id = ${first}`);
    await place.warehouse.query(`delete from dim_date where date_id = (select max(date_id) from dim_date)`);
    const { status, found } = await differences();
    expect(status).toBe(1);
    expect(found).toMatchObject([
      { table: 'dim_date', different: 1, missing: 1, extra: 0, columns: ['day_of_week'] },
    ]);
  });

  test('names the columns in which rows differ, on either side', async () => {
    await place.warehouse.query(`
      update current_sales_order set units_sold = units_sold + 1 where sales_order_id <= 2;
      update current_sales_order set unit_price = unit_price + 0.01 where sales_order_id = 2;
      update dim_currency set currency_name = 'Doubloon' where currency_id = 1`);
    await place.source.query(`update department set department_name = department_name || ' & Co'`);
    const { status, found } = await differences();
    expect(status).toBe(1);
    const [orders, currency, staff] = found;
    expect(found).toHaveLength(3);
    expect(staff).toMatchObject({ table: 'dim_staff', same: 0, missing: 0, columns: ['department_name'] });
    expect(currency).toMatchObject({ ...NONE, table: 'dim_currency', different: 1, columns: ['currency_name'] });
    const columns = ['units_sold', 'unit_price'];
    expect(orders).toMatchObject({ ...NONE, table: 'current_sales_order', same: 118, different: 2, columns });
    const { stdout } = await runMain(['compare'], place.environment);
    expect(stdout).toMatch(/^current_sales_order +118 +2 +0 +0 +DIFFERENT units_sold, unit_price$/m);
  });

  test('tells what waits in quarantine, which is why rows differ', async () => {
    await place.warehouse.query(`
      insert into pipeline.quarantine (batch_id, table_name, column_name, reason, stage, row)
      values (1, 'fact_payment', 'x', 'y', 'load', '{}'), (1, 'fact_payment', 'x', 'y', 'load', '{}')`);
    const { stdout } = await runMain(['compare'], place.environment);
    expect(stdout).toMatch(/equal\n\n2 rows in quarantine: fact_payment 2\nstarling quarantine list\n$/);
    const events = eventsOf((await runMain(['compare', '--json'], place.environment)).stdout);
    expect(events.at(-1)).toEqual({ event: 'quarantine', table: 'fact_payment', rows: 2 });
  });

  test('counts rows that only one side has: first, last and in between', async () => {
    await place.warehouse.query('delete from current_sales_order where sales_order_id in (1, 60, 120)');
    await place.source.query('delete from payment where payment_id in (2, 3)');
    const { status, found } = await differences();
    expect(status).toBe(1);
    expect(found).toMatchObject([
      { ...NONE, table: 'current_payment', extra: 2 },
      { ...NONE, table: 'current_sales_order', same: 117, missing: 3 },
    ]);
  });

  test('tells null from the empty string, and 3.9 is 3.90', async () => {
    const { rowCount } = await place.source.query(`update address set district = '' where district is null`);
    await place.source.query('update sales_order set unit_price = unit_price * 1.000');
    const { found } = await differences();
    expect(found.map(({ table }) => table)).toEqual(['dim_counterparty', 'dim_location']);
    expect(found[1]).toMatchObject({ ...NONE, different: rowCount, columns: ['district'] });
  });

  test('says of a table that is not there in the warehouse that it is the warehouse', async () => {
    await place.warehouse.query('drop table current_payment');
    const { status, stderr } = await runMain(['compare'], place.environment);
    expect(status).toBe(1);
    expect(stderr).toMatch(/warehouse: .*current_payment[\s\S]*kind: "warehouse_schema"/);
    expect(stderr).toContain('table: "current_payment"');
  });

  test('says of a table that is not there in the source that it is the source', async () => {
    await place.source.query('alter table payment rename to payments');
    const { status, stderr } = await runMain(['compare'], place.environment);
    expect(status).toBe(1);
    expect(stderr).toMatch(/source: .*payment[\s\S]*kind: "source_structure"/);
  });

  test('leaves no connection behind where one of the two cannot be made', async () => {
    const elsewhere = { ...place.environment, WAREHOUSE_URL: 'postgresql://u:s3cret@127.0.0.1:1/x' };
    const { status, stderr } = await runMain(['compare'], elsewhere);
    expect(status).toBe(1);
    expect(stderr).toContain('kind: "warehouse_unreachable"');
    const { rows } = await place.source.query(`
      select from pg_stat_activity where datname = current_database() and application_name = 'starling'`);
    expect(rows).toEqual([]);
  });
});
