import { beforeAll, describe, expect, test } from 'vitest';
import { eventsOf, runMain } from '../support/cli.ts';
import { freshPlace, type Place, totesysTemplate } from '../support/totesys.ts';

let place: Place;
beforeAll(async () => {
  place = await freshPlace(await totesysTemplate());
  await runMain(['run'], place.environment);
  const { source } = place;
  await source.query('update sales_order set units_sold = 99999 where sales_order_id = 17');
  await runMain(['run'], place.environment);
});

async function history(...argv: readonly string[]) {
  return runMain(['history', ...argv], place.environment);
}

describe('history', () => {
  test('shows every version: when it was valid, in which batch, and what changed', async () => {
    const { status, stdout, stderr } = await history('sales_order', '17');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const [row, , header, , first, second, ...rest] = stdout.split('\n');
    expect(row).toMatch(/^sales_order_id=17 created_date=\d{4}-\d\d-\d\d /);
    expect(header).toMatch(/^version {2}valid_from +valid_to +batch {2}changed$/);
    expect(first).toMatch(/^1 .* 1 {6}\(first seen\)$/);
    expect(second).toMatch(/^2 .* current +2 {6}.*units_sold → 99999/);
    expect(rest).toEqual(['']);
  });

  test('takes the name of the fact with and without fact_', async () => {
    expect(await history('fact_sales_order', '17')).toEqual(await history('sales_order', '17'));
    expect((await history('payment', '1')).stdout).toMatch(/^payment_id=1 /);
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

  test('of a row that is not there is empty, and no error', async () => {
    const missing = { status: 0, stderr: '' };
    const told = 'fact_sales_order has no row of that key\n';
    expect(await history('sales_order', '4711')).toEqual({ ...missing, stdout: told });
    expect(await history('sales_order', '4711', '--json')).toEqual({ ...missing, stdout: '' });
  });

  test('of an unknown fact is wrong usage, told with the facts that there are', async () => {
    for (const name of ['orders', 'dim_staff', 'fact_fact_sales_order', '']) {
      const { status, stdout, stderr } = await history(name, '17');
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toContain('there is no such fact; there are: sales_order, purchase_order, payment');
    }
  });

  test.each(['seventeen', '1.5', '', '99999999999', "1' or '1'='1"])('by the key %j is wrong usage', async (key) => {
    const { status, stdout, stderr } = await history('sales_order', key);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain('a key of fact_sales_order is int, which this is not');
  });

  test('of a warehouse without a schema is an error', async () => {
    const { environment } = await freshPlace(await totesysTemplate(5));
    const { status, stderr } = await runMain(['history', 'sales_order', '17'], environment);
    expect(status).toBe(1);
    expect(stderr).toMatch(/history_sales_order.*\n\s+kind: "warehouse_schema"/);
  });
});
