import { describe, expect, test } from 'vitest';
import { type Chosen, type Dropped, dropRows, type Refused } from '../../src/load/drop.ts';
import { readWarehouse } from '../../src/load/measure.ts';
import { reject } from '../support/processed.ts';
import { connectTo } from '../support/postgres.ts';
import { dimShop, factSale, saleRow, shopRow, shops, sourceSale } from './shops.ts';
import { VERSIONS, WAITING, withShop } from './waiting.ts';
import { freshWarehouse, type Warehouse } from './warehouse.ts';

const badPrice = (price: string) => reject(factSale.spec, 'price', 'does not fit', sourceSale('1', { price }));
const good = (note: string) => saleRow(1, { note });
const homeless = (note: string) => saleRow(1, { note, shop_id: '2' });

async function drop(warehouse: Warehouse, ...ids: readonly string[]): Promise<Dropped | Refused> {
  return dropRows(warehouse.context(), { ids });
}

/** Number, batch, what has become of it. */
async function kept(warehouse: Warehouse): Promise<readonly unknown[][]> {
  return warehouse.rows(`
    select quarantine_id::int, batch_id::int,
      case when dropped_at is not null then 'dropped' when released_at is not null then 'released' else 'waiting' end
    from pipeline.quarantine order by 1`);
}

describe('a row that was dropped', () => {
  test('waits no more, stays as part of what happened, and is never released', async () => {
    const warehouse = await withShop();
    await warehouse.batch({ fact_sale: [homeless('a')] });
    expect(await drop(warehouse, '1')).toEqual({ dropped: 1, before: 0 });
    expect((await readWarehouse(warehouse.url)).waiting).toEqual([]);
    await warehouse.batch({ dim_shop: [shopRow(2)] });
    expect(await warehouse.rows(VERSIONS)).toEqual([]);
    expect(await kept(warehouse)).toEqual([[1, 2, 'dropped']]);
    expect(await drop(warehouse, '1')).toEqual({ dropped: 0, before: 1 });
  });

  test('is looked at anew when transform rejects the same state again', async () => {
    const warehouse = await withShop();
    await warehouse.batch({}, { rejects: [badPrice('1.005')] });
    await drop(warehouse, '1');
    await warehouse.batch({}, { rejects: [badPrice('1.005')] });
    await warehouse.batch({}, { rejects: [badPrice('1.005')] });
    expect((await kept(warehouse)).map(([, ...rest]) => rest)).toEqual([[2, 'dropped'], [3, 'waiting']]);
  });

  test('is looked at anew when the same state refers to nothing again, and when it does no more', async () => {
    const warehouse = await withShop();
    await warehouse.batch({ fact_sale: [homeless('a')] });
    await drop(warehouse, '1');
    await warehouse.batch({ fact_sale: [homeless('a')] });
    expect((await kept(warehouse)).map(([, ...rest]) => rest)).toEqual([[2, 'dropped'], [3, 'waiting']]);
    await warehouse.batch({ dim_shop: [shopRow(2)], fact_sale: [homeless('a')] });
    expect(await warehouse.rows(VERSIONS)).toEqual([[1, 3, 2, 'a']]);
  });

  test('is no state between two good ones', async () => {
    const warehouse = await withShop();
    await warehouse.batch({ fact_sale: [good('a')] });
    await warehouse.batch({}, { rejects: [badPrice('1.005')] });
    await drop(warehouse, '1');
    await warehouse.batch({ fact_sale: [good('a')] });
    expect(await warehouse.rows(VERSIONS)).toEqual([[1, 2, 1, 'a']]);
    await warehouse.batch({ fact_sale: [good('b')] });
    expect(await warehouse.rows(VERSIONS)).toEqual([[1, 2, 1, 'a'], [1, 5, 1, 'b']]);
  });

  test('leaves the state before it to be the latest, waiting or loaded', async () => {
    const warehouse = await withShop();
    for (const price of ['1.005', '1.006']) await warehouse.batch({}, { rejects: [badPrice(price)] });
    await drop(warehouse, '2');
    await warehouse.batch({}, { rejects: [badPrice('1.005')] });
    expect(await kept(warehouse)).toEqual([[1, 2, 'waiting'], [2, 3, 'dropped']]);
    await warehouse.batch({}, { rejects: [badPrice('1.006')] });
    expect((await warehouse.rows(WAITING)).map(([batch]) => batch)).toEqual([2, 5]);
  });

  test('is no state between two released ones that are alike', async () => {
    const warehouse = await withShop();
    await warehouse.batch({ fact_sale: [homeless('a')] });
    await warehouse.batch({}, { rejects: [badPrice('1.005')] });
    await warehouse.batch({ fact_sale: [homeless('a')] });
    await drop(warehouse, '2');
    await warehouse.batch({ dim_shop: [shopRow(2)] });
    expect(await warehouse.rows(VERSIONS)).toEqual([[1, 2, 2, 'a']]);
    expect((await kept(warehouse)).map(([, , state]) => state)).toEqual(['released', 'dropped', 'released']);
  });

  test('of a dimension is not settled by the next usable row of its key', async () => {
    const warehouse = await freshWarehouse(shops);
    const nameless = reject(dimShop.spec, 'shop_name', 'is null', { shop_id: '1', shop_name: null });
    await warehouse.batch({}, { rejects: [nameless] });
    await drop(warehouse, '1');
    await warehouse.batch({ dim_shop: [shopRow(1)] });
    expect(await kept(warehouse)).toEqual([[1, 1, 'dropped']]);
  });

  test('leaves a fact that has nothing else as empty as for a first load', async () => {
    const warehouse = await withShop();
    await warehouse.batch({ fact_sale: [homeless('a')] });
    await drop(warehouse, '1');
    await warehouse.batch({ fact_sale: [good('a'), saleRow(2)] });
    expect(await warehouse.rows(VERSIONS)).toEqual([[1, 3, 1, 'a'], [2, 3, 1, null]]);
  });
});

describe('dropping', () => {
  test('refuses rows that are not there or were released, and then changes nothing', async () => {
    const warehouse = await withShop();
    await warehouse.batch({ fact_sale: [homeless('a')] });
    await warehouse.batch({ dim_shop: [shopRow(2)] });
    await warehouse.batch({}, { rejects: [badPrice('1.005')] });
    expect(await drop(warehouse, '2', '1', '7', '99')).toEqual({ unknown: ['7', '99'], released: ['1'] });
    expect(await kept(warehouse)).toEqual([[1, 2, 'released'], [2, 4, 'waiting']]);
  });

  test('takes what a batch brought of a table, but for what was released since', async () => {
    const warehouse = await withShop();
    const chosen: Chosen = { table: 'fact_sale', batch: 2 };
    await warehouse.batch({ fact_sale: [saleRow(1, { shop_id: '2' }), saleRow(2, { shop_id: '3' })] });
    await warehouse.batch({ fact_sale: [saleRow(3, { shop_id: '3' })] });
    await warehouse.batch({ dim_shop: [shopRow(2)] });
    expect(await dropRows(warehouse.context(), chosen)).toEqual({ dropped: 1, before: 0 });
    expect(await dropRows(warehouse.context(), chosen)).toEqual({ dropped: 0, before: 1 });
    expect(await warehouse.rows('select record_key, dropped_at is null from pipeline.quarantine order by 1')).toEqual([
      ['1', true],
      ['2', false],
      ['3', true],
    ]);
  });

  test('at once is done by one of two, and both succeed', async () => {
    const warehouse = await withShop();
    await warehouse.batch({ fact_sale: [homeless('a')] });
    const both = await Promise.all([drop(warehouse, '1'), drop(warehouse, '1', '1')]);
    expect(both).toContainEqual({ dropped: 1, before: 0 });
    expect(both).toContainEqual({ dropped: 0, before: 1 });
  });

  test('waits for who is loading, and decides on what that has left', async () => {
    const warehouse = await withShop();
    await warehouse.batch({ fact_sale: [homeless('a')] });
    const loader = await connectTo(warehouse.url);
    await loader.query(`begin;
      insert into pipeline.ledger select 3, log_id, now(), now(), '', '{}' from pipeline.ledger where batch_id = 2;
      update pipeline.quarantine set released_at = now()`);
    const dropping = drop(warehouse, '1');
    const waiting = 'select from pg_locks l join pg_database d on d.oid = l.database where not granted and datname = current_database()';
    await expect.poll(async () => (await warehouse.client.query(waiting)).rowCount).toBe(1);
    await loader.query('commit');
    expect(await dropping).toEqual({ unknown: [], released: ['1'] });
    await loader.end();
  });

  test('in a warehouse from before it was possible adds what it needs, and is not needed to look', async () => {
    const warehouse = await withShop();
    await warehouse.batch({ fact_sale: [homeless('a')] });
    await warehouse.client.query('alter table pipeline.quarantine drop column dropped_at');
    expect((await readWarehouse(warehouse.url)).waiting).toEqual([{ table: 'fact_sale', rows: 1 }]);
    expect(await warehouse.rows('select column_name from information_schema.columns where column_name = $1', ['dropped_at'])).toEqual([]);
    expect(await drop(warehouse, '1')).toEqual({ dropped: 1, before: 0 });
    expect(await warehouse.initialise()).toEqual([]);
    await warehouse.client.query('alter table pipeline.quarantine drop column dropped_at');
    expect(await warehouse.initialise()).toHaveLength(1);
    expect(await drop(warehouse, '1')).toEqual({ dropped: 1, before: 0 });
  });

  test('in a database without a warehouse makes none', async () => {
    const warehouse = await freshWarehouse(shops);
    await expect(drop(warehouse, '1')).rejects.toMatchObject({ kind: 'warehouse_schema' });
    expect(await warehouse.rows("select from pg_namespace where nspname = 'pipeline'")).toEqual([]);
  });
});
