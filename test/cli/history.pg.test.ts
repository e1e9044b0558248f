import { beforeAll, describe, expect, test } from 'vitest';
import { eventsOf, runMain } from '../support/cli.ts';
import { freshPlace, type Place, totesysTemplate } from '../support/totesys.ts';

let place: Place;
beforeAll(async () => {
  place = await freshPlace(await totesysTemplate());
  await runMain(['run'], place.environment);
  const { source } = place;
  await source.query('update sales_order set units_sold = 99999 where sales_order_id = 17');
  await source.query('update sales_order set unit_price = 1.005 where sales_order_id = 18');
  await source.query(`
    insert into sales_order select (jsonb_populate_record(s, '{"sales_order_id": 9001}')).*
    from sales_order s where sales_order_id = 18`);
  await runMain(['run'], place.environment);
});

async function history(...argv: readonly string[]) {
  return runMain(['history', ...argv], place.environment);
}

describe('history', () => {
  test('shows every version: when it was valid, in which batch, and what changed', async () => {
    const { status, stdout, stderr } = await history('sales_order', '17');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const [now = '', versions = ''] = stdout.split('\n\n');
    expect(now).toMatch(/^now\n {2}sales_order_id: +17\n {2}created_date: +\d{4}-\d\d-\d\d\n/);
    expect(now).toMatch(/^ {2}units_sold: +99999$/m);
    const [header, , first, second, ...rest] = versions.split('\n');
    expect(header).toMatch(/^version {2}valid_from +valid_to +batch {2}changed$/);
    expect(first).toMatch(/^ {6}1 .* 1 {2}\(first seen\)$/);
    expect(second).toMatch(/^ {6}2 .* current +2 {2}.*units_sold: \d+ → 99999/);
    expect(rest).toEqual(['']);
  });

  test('takes the name of the fact with and without fact_', async () => {
    expect(await history('fact_sales_order', '17')).toEqual(await history('sales_order', '17'));
    expect((await history('payment', '1')).stdout).toMatch(/^now\n {2}payment_id: +1\n/);
  });

  test('has the columns of the view as an object a version, with --json', async () => {
    const { status, stdout } = await history('sales_order', '17', '--json');
    expect(status).toBe(0);
    const [first, second, ...others] = eventsOf(stdout);
    expect(others).toEqual([]);
    const common = { event: 'version', table: 'fact_sales_order', sales_order_id: '17' };
    expect(first).toMatchObject({ ...common, version: '1', is_current: 'f', changed_columns: null, batch_id: '1' });
    expect(second).toMatchObject({ ...common, version: '2', is_current: 't', valid_to: null, batch_id: '2' });
    expect(second?.['changed_columns']).toContain('units_sold');
  });

  test('of a row that is not there is empty, and an error', async () => {
    const told = 'fact_sales_order has no row of that key';
    for (const flags of [[], ['--json']]) {
      const { status, stdout, stderr } = await history('sales_order', '4711', ...flags);
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
      expect(stderr).toContain(told);
    }
  });

  test('tells what waits in quarantine for that key', async () => {
    const told = 'state waits in quarantine: unit_price does not fit numeric(10,2): it has more than 2 decimals';
    const { status, stdout } = await history('sales_order', '18');
    expect(status).toBe(0);
    expect(stdout.split('\n').at(-2)).toBe(`1 newer ${told}`);
    expect(stdout).not.toContain('1.005');
    const [, waiting] = eventsOf((await history('sales_order', '18', '--json')).stdout);
    const where = { table: 'fact_sales_order', batch: '2', column: 'unit_price' };
    expect(waiting).toMatchObject({ event: 'quarantined', ...where });
    const unseen = await history('sales_order', '9001');
    expect(unseen).toMatchObject({ status: 1, stdout: expect.stringContaining(told) });
  });

  test('of an unknown fact is wrong usage, told with the facts that there are', async () => {
    for (const name of ['orders', 'dim_staff', 'fact_fact_sales_order', '']) {
      const { status, stdout, stderr } = await history(name, '17');
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toContain(`there is no fact '${name}'; there are: sales_order, purchase_order, payment`);
    }
  });

  test.each(['seventeen', '1.5', '', '99999999999', "1' or '1'='1"])('by the key %j is wrong usage', async (key) => {
    const { status, stdout, stderr } = await history('sales_order', key);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain('fact_sales_order is looked up by its sales_order_id, of type int, which this is not');
  });

  test('of a warehouse without a schema is an error', async () => {
    const { environment } = await freshPlace(await totesysTemplate(5));
    const { status, stderr } = await runMain(['history', 'sales_order', '17'], environment);
    expect(status).toBe(1);
    expect(stderr).toMatch(/history_sales_order.*\n\s+kind: "warehouse_schema"/);
  });
});
