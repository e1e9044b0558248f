import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { load } from '../../src/load/load.ts';
import { testServer } from '../support/postgres.ts';
import { saleRow, shopRow, shops } from './shops.ts';
import { freshWarehouse, type Warehouse } from './warehouse.ts';

const SECRET = 'p4ssw0rd-of-the-warehouse';

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

function withUrl(warehouse: Warehouse, change: (url: URL) => void): string {
  const url = new URL(warehouse.url);
  url.password = SECRET;
  change(url);
  return url.href;
}

describe('a warehouse', () => {
  test.each<[string, string, (url: URL) => void]>([
    [
      'that is down',
      'warehouse_unreachable',
      (url) => {
        url.port = '1';
      },
    ],
    [
      'of a name that nobody knows',
      'warehouse_unreachable',
      (url) => {
        url.hostname = 'warehouse.invalid';
      },
    ],
    [
      'that has no such user',
      'warehouse_denied',
      (url) => {
        url.username = 'nobody_here';
      },
    ],
  ])('%s says so, without the password', async (_, kind, change) => {
    const warehouse = await freshWarehouse(shops);
    const error = await failureOf(load(warehouse.context({ warehouseUrl: withUrl(warehouse, change) })));
    expect(error).toMatchObject({ kind, hint: expect.stringContaining('Check') });
    expect(inspect(error, { depth: 9 })).not.toContain(SECRET);
  });

  test('that has no such database says so, without the password', async () => {
    const warehouse = await freshWarehouse(shops);
    const missing = new URL(warehouse.url);
    missing.pathname = '/nothing_here';
    const error = await failureOf(load(warehouse.context({ warehouseUrl: missing.href })));
    expect(error).toMatchObject({ kind: 'warehouse_unreachable', message: expect.stringContaining('"nothing_here"') });
    expect(inspect(error, { depth: 9 })).not.toContain(missing.password);
  });

  test('that refuses the password says so, without it', async () => {
    const warehouse = await freshWarehouse(shops);
    const right = new URL(testServer.superuserUrl('postgres'));
    expect(right.password).not.toBe('');
    const error = await failureOf(load(warehouse.context({ warehouseUrl: withUrl(warehouse, () => undefined) })));
    expect(error).toMatchObject({ kind: 'warehouse_denied' });
    expect(inspect(error, { depth: 9 })).not.toContain(SECRET);
  });

  test('of which a column is of another type says which', async () => {
    const warehouse = await freshWarehouse(shops);
    await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: [saleRow(1)] });
    await warehouse.client.query('alter table dim_shop alter column shop_name type text');
    await expect(warehouse.load()).rejects.toMatchObject({
      kind: 'warehouse_schema',
      message: expect.stringContaining('dim_shop.shop_name is text, but the model says character varying'),
    });
  });

  test('that refuses a row quotes nothing of it, and says of which table and batch it is', async () => {
    const warehouse = await freshWarehouse(shops);
    await warehouse.initialise();
    await warehouse.client.query("alter table dim_shop add check (shop_name <> 'a secret name')");
    await warehouse.processed.commit({ rows: { dim_shop: [shopRow(1, 'a secret name')] } });
    const error = await failureOf(load(warehouse.context()));
    expect(error).toMatchObject({ kind: 'warehouse_failed', context: { batch: 1, stage: 'load', sqlstate: '23514' } });
    expect(inspect(error, { depth: 9 })).not.toContain('secret name');
  });
});

test('a table that somebody holds a lock on is waited for, not for ever, and then loaded', async () => {
  const warehouse = await freshWarehouse(shops);
  await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: [saleRow(1)] });
  await warehouse.processed.commit({ rows: { fact_sale: [saleRow(1, { note: 'b' })] } });
  await warehouse.client.query('begin; lock table fact_sale in share mode');
  await expect(load(warehouse.context())).rejects.toMatchObject({ kind: 'warehouse_locked', context: { batch: 2 } });
  expect(await warehouse.rows('select max(batch_id)::int from pipeline.ledger')).toEqual([[1]]);
  await warehouse.client.query('commit');
  await warehouse.load();
  expect(await warehouse.rows('select batch_id::int, note from current_sale')).toEqual([[2, 'b']]);
});

test('the settings of the database shift nothing: time zone, date style and search path are fixed', async () => {
  const warehouse = await freshWarehouse(shops);
  const database = warehouse.client.escapeIdentifier(warehouse.client.database ?? '');
  await warehouse.client.query(`
    alter database ${database} set timezone = 'Asia/Kathmandu';
    alter database ${database} set datestyle = 'German, DMY';
    alter database ${database} set search_path = 'nowhere'`);
  await warehouse.batch({
    dim_shop: [shopRow(1)],
    fact_sale: [saleRow(1, { shop_id: '2', due: '2024-03-04' }), saleRow(2)],
  });
  await warehouse.batch({ dim_shop: [shopRow(2)] });
  expect(await warehouse.rows('select due::text, created_time::text from current_sale where sale_id = 1')).toEqual([
    ['2024-03-04', '09:00:00'],
  ]);
  expect(await warehouse.rows('select distinct recorded_at::text from history_sale')).toEqual([
    ['2024-08-07 12:00:00+00'],
  ]);
});
