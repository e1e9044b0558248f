import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Event, eventsOf, type Ran, runMain } from '../support/cli.ts';
import { clonedDatabase, connectTo } from '../support/postgres.ts';
import { freshPlace, type Place, rowsOf, totesysTemplate } from '../support/totesys.ts';

/** Loaded once: rows 1 to 3 refer to nothing or were rejected; every test has a copy of the warehouse. */
let loaded: Place;
let place: Place;
beforeAll(async () => {
  loaded = await freshPlace(await totesysTemplate());
  await loaded.source.query(`
    set session_replication_role = replica;
    update sales_order set design_id = 9999 where sales_order_id = 7;
    update sales_order set unit_price = 1.005 where sales_order_id in (3, 5);
    reset session_replication_role`);
  await runMain(['run'], loaded.environment);
  await loaded.warehouse.end();
});
beforeEach(async () => {
  const warehouseUrl = await clonedDatabase(loaded.warehouseUrl);
  const environment = { ...loaded.environment, WAREHOUSE_URL: warehouseUrl };
  place = { ...loaded, warehouseUrl, warehouse: await connectTo(warehouseUrl), environment };
});

async function quarantine(...argv: readonly string[]): Promise<Ran> {
  return runMain(['quarantine', ...argv], place.environment);
}

async function told(...argv: readonly string[]): Promise<readonly Event[]> {
  const { status, stdout, stderr } = await quarantine(...argv, '--json');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return eventsOf(stdout);
}

/** The number in quarantine of the row with this key. */
async function numberOf(key: number): Promise<string> {
  const query = `select quarantine_id from pipeline.quarantine where record_key = '${key}'`;
  return (await rowsOf(place.warehouse, query))[0]?.[0] ?? '';
}

function byKey(a: Event, b: Event): number {
  return Number(a['key']) - Number(b['key']);
}

async function states(): Promise<readonly unknown[]> {
  return (await told('list', '--all')).toSorted(byKey).map(({ key, state }) => [key, state]);
}

const COMMON = { event: 'quarantine', batch: 1, table: 'fact_sales_order', state: 'waiting' };
const TOO_FINE = 'does not fit numeric(10,2): it has more than 2 decimals';
const WAITING = [['3', 'waiting'], ['5', 'waiting'], ['7', 'waiting']];

describe('quarantine list', () => {
  test('tells what waits, newest first, with both reasons and never a value', async () => {
    const events = await told('list');
    expect(events.map(({ id }) => Number(id))).toEqual([3, 2, 1]);
    const rejected = { column: 'unit_price', reason: TOO_FINE, stage: 'transform' };
    const missing = { column: 'design_id', reason: 'refers to no row of dim_design', stage: 'load' };
    expect(events.toSorted(byKey)).toEqual([
      { ...COMMON, ...rejected, id: expect.any(Number), key: '3' },
      { ...COMMON, ...rejected, id: expect.any(Number), key: '5' },
      { ...COMMON, ...missing, id: expect.any(Number), key: '7' },
    ]);
    const { status, stdout } = await quarantine('list');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^id +batch +table +key +column +reason +stage$/m);
    expect(stdout).toMatch(/^ *\d +1 +fact_sales_order +7 +design_id +refers to no row of dim_design +load$/m);
    expect(stdout).not.toMatch(/1\.005|9999/);
  });

  test('of one table takes its name with and without fact_, and not one that is nowhere', async () => {
    expect(await told('list', '--table', 'sales_order')).toEqual(await told('list', '--table', 'fact_sales_order'));
    expect(await told('list', '--table', 'dim_staff')).toEqual([]);
    const { status, stderr } = await quarantine('list', '--table', 'sales');
    expect(status).toBe(2);
    expect(stderr).toContain("nothing in quarantine is of a table 'sales'; the model has: ");
    await place.warehouse.query("update pipeline.quarantine set table_name = 'sales'");
    expect(await told('list', '--table', 'sales')).toHaveLength(3);
  });

  test('shows a hundred rows and how many more there are', async () => {
    await place.warehouse.query(`
      insert into pipeline.quarantine (batch_id, table_name, record_key, column_name, reason, stage, row)
      select 2, 'fact_payment', n, 'paid', 'is null', 'transform', '{}' from generate_series(1, 98) n`);
    expect((await told('list')).slice(99)).toMatchObject([{ key: expect.any(String) }, { event: 'quarantine_more', rows: 1 }]);
    expect((await quarantine('list')).stdout).toMatch(/\n1 more, older ones; --table shows those of one table\n$/);
    expect(await told('list', '--table', 'payment')).toHaveLength(98);
  });

  test('with --all tells those that were released or dropped, too', async () => {
    await quarantine('drop', await numberOf(5));
    await place.warehouse.query("update pipeline.quarantine set released_at = now() where record_key = '7'");
    expect((await told('list')).map(({ key }) => key)).toEqual(['3']);
    expect(await states()).toEqual([['3', 'waiting'], ['5', 'dropped'], ['7', 'released']]);
    expect((await quarantine('list', '--all')).stdout).toMatch(/^id .* stage +state$/m);
  });

  test('lets no key be an order to a terminal', async () => {
    await place.warehouse.query("update pipeline.quarantine set record_key = e'\\x1b[2J\\n' where record_key = '3'");
    expect((await quarantine('list')).stdout).toContain(String.raw`\u001b[2J\u000a`);
    expect((await told('list')).map(({ key }) => key)).toContain('\u001B[2J\n');
  });

  test('is empty where nothing waits, also in a warehouse without a schema', async () => {
    const fresh = await freshPlace(await totesysTemplate(5));
    expect(await runMain(['quarantine', 'list'], fresh.environment)).toEqual({
      status: 0,
      stdout: 'Nothing waits in quarantine.\n',
      stderr: '',
    });
    expect(await runMain(['quarantine', 'show', '1'], fresh.environment)).toMatchObject({ status: 1, stdout: '' });
    expect(await runMain(['quarantine', 'drop', '1'], fresh.environment)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('there is no quarantine: nothing has been loaded here'),
    });
  });
});

describe('quarantine show', () => {
  test('prints one row whole, as the stage that refused it had it', async () => {
    const { status, stdout } = await quarantine('show', await numberOf(3));
    expect(status).toBe(0);
    expect(stdout).toMatch(/^reason: does not fit numeric\(10,2\)/m);
    expect(stdout).toMatch(/^state: +waiting$/m);
    expect(stdout).toMatch(/^the row of the source\n(.*\n)* {2}unit_price: +1\.005$/m);
    expect((await quarantine('show', await numberOf(7))).stdout).toMatch(
      /^the row of the warehouse\n(.*\n)* {2}design_id: +9999$/m,
    );
  });

  test('has the row in one object with --json, its values as PostgreSQL writes them', async () => {
    const [row, ...others] = await told('show', await numberOf(3));
    expect(others).toEqual([]);
    expect(row).toMatchObject({ ...COMMON, key: '3', stage: 'transform', released_at: null, dropped_at: null });
    expect(row?.['row']).toMatchObject({ sales_order_id: '3', unit_price: '1.005' });
    await quarantine('drop', await numberOf(3));
    expect(await told('show', await numberOf(3))).toMatchObject([{ state: 'dropped', dropped_at: expect.any(String) }]);
    expect((await quarantine('show', await numberOf(3))).stdout).toMatch(/^state: +dropped \d{4}-/m);
  });

  test('of a number that is none of a row is an error', async () => {
    const { status, stdout, stderr } = await quarantine('show', '4711');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain('there is no row 4711 in quarantine');
  });
});

describe('quarantine drop', () => {
  test('takes rows out of what waits, by number, and says how many', async () => {
    const [three, five] = [await numberOf(3), await numberOf(5)];
    expect(await quarantine('drop', three, five)).toMatchObject({ status: 0, stdout: '2 rows dropped\n' });
    expect(await states()).toEqual([['3', 'dropped'], ['5', 'dropped'], ['7', 'waiting']]);
    expect(await told('drop', five)).toEqual([{ event: 'dropped', rows: 0, before: 1 }]);
    expect((await quarantine('drop', five)).stdout).toBe('0 rows dropped; 1 had been before\n');
    const status = await runMain(['status'], place.environment);
    expect(status.stdout).toContain('Quarantine:  fact_sales_order 1\n');
    const history = await runMain(['history', 'sales_order', '3'], place.environment);
    expect(history.stdout).not.toContain('quarantine');
  });

  test('takes all that a batch brought of a table', async () => {
    const nothing = await quarantine('drop', '--table', 'sales_order', '--batch', '2');
    expect(nothing).toMatchObject({ status: 1, stdout: '' });
    expect(nothing.stderr).toContain('no row of fact_sales_order of batch 2 waits in quarantine');
    expect(await told('drop', '--table', 'sales_order', '--batch', '1')).toEqual([
      { event: 'dropped', rows: 3, before: 0 },
    ]);
    expect((await quarantine('list')).stdout).toBe('Nothing waits in quarantine.\n');
  });

  test('names what is not there or was released, and then drops nothing', async () => {
    await place.warehouse.query("update pipeline.quarantine set released_at = now() where record_key = '7'");
    const released = await numberOf(7);
    const { status, stdout, stderr } = await quarantine('drop', await numberOf(3), '98', released, '99');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain(`not in quarantine: 98, 99; released already: ${released}. Nothing was changed`);
    expect(await states()).toEqual([['3', 'waiting'], ['5', 'waiting'], ['7', 'released']]);
  });

  test('by two at once is done once', async () => {
    const id = await numberOf(3);
    const both = await Promise.all([told('drop', id), told('drop', id)]);
    expect(new Set(both.flat().map(({ rows }) => rows))).toEqual(new Set([0, 1]));
  });
});

describe('quarantine retry', () => {
  test('tells how many were released, and what still waits for which reason', async () => {
    const nothing = await quarantine('retry');
    expect(nothing).toMatchObject({ status: 0, stderr: '' });
    expect(nothing.stdout).toMatch(/^0 rows released\n3 rows still wait\n\ntable +column +reason +rows\n/);
    expect(nothing.stdout).toMatch(/^fact_sales_order +unit_price +does not fit numeric.* +2$/m);
    await place.warehouse.query("insert into dim_design values (9999, 'a', 'b', 'c')");
    expect(await told('retry')).toEqual([
      { event: 'released', table: 'fact_sales_order', rows: 1 },
      { event: 'waiting', table: 'fact_sales_order', column: 'unit_price', reason: TOO_FINE, rows: 2 },
    ]);
    expect((await runMain(['history', 'sales_order', '7'], place.environment)).stdout).toMatch(/design_id: +9999/);
    expect(await states()).toEqual([['3', 'waiting'], ['5', 'waiting'], ['7', 'released']]);
  });

  test('of some rows tries those', async () => {
    await place.warehouse.query("insert into dim_design values (9999, 'a', 'b', 'c')");
    expect((await quarantine('retry', await numberOf(3))).stdout).toMatch(/^0 rows released\n1 row still waits\n/);
    const seven = await numberOf(7);
    const released = { status: 0, stdout: '1 row released: fact_sales_order 1\n0 rows still wait\n' };
    expect(await quarantine('retry', seven)).toMatchObject(released);
    expect((await quarantine('retry', seven)).stdout).toBe('0 rows released\n0 rows still wait\n');
  });

  test('names what is not there or was dropped, and then releases nothing', async () => {
    const three = await numberOf(3);
    await quarantine('drop', three);
    const { status, stderr } = await quarantine('retry', three, '99');
    expect(status).toBe(1);
    expect(stderr).toContain(`not in quarantine: 99; dropped, and never released: ${three}. Nothing was changed`);
  });
});

test('compare says how to look at what waits', async () => {
  const { stdout } = await runMain(['compare'], place.environment);
  expect(stdout).toContain('3 rows in quarantine: fact_sales_order 3\nstarling quarantine list\n');
});

test.each([
  ['show', 'seven'], ['show', '0'], ['show', '-1'], ['show', '9'.repeat(30)], ['retry', '1;'], ['drop', '1', 'x'], ['drop'],
  ['drop', '--table', 'fact_payment'], ['drop', '--batch', '1'], ['drop', '1', '--table', 'a', '--batch', '1'],
  ['drop', '--table', 'a', '--batch', '1.5'], ['show'], [], ['free'], ['list', 'all'],
])('quarantine %s %s %s %s is wrong usage, and changes nothing', async (...argv) => {
  const given = argv.filter((one): one is string => typeof one === 'string');
  const { status, stdout, stderr } = await quarantine(...given);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).not.toBe('');
  expect(await states()).toEqual(WAITING);
});
