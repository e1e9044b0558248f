import { describe, expect, test } from 'vitest';
import { dropRows } from '../../src/load/drop.ts';
import { retryRows } from '../../src/load/retry.ts';
import { numeric } from '../../src/shared/model/column.ts';
import { column } from '../../src/shared/model/expression.ts';
import { fact } from '../../src/shared/model/fact.ts';
import { reject } from '../support/processed.ts';
import { dimShop, factColumns, factOptions, factSale, sale, saleRow, shopsWith, sourceSale } from './shops.ts';
import { VERSIONS, WAITING, withShop } from './waiting.ts';
import { expectCurrentIsLatest, type Warehouse } from './warehouse.ts';

const widened = shopsWith(fact('fact_sale', sale, factOptions, { ...factColumns, price: column().as(numeric(12, 4)) }));

const badPrice = (id: string, price: string) =>
  reject(factSale.spec, 'price', 'has more than 2 decimals', sourceSale(id, { price }));

/** As if nobody had looked at quarantine when it came. */
async function shopArrives(warehouse: Warehouse, id: number): Promise<void> {
  await warehouse.client.query('insert into dim_shop values ($1, $2)', [id, `shop ${id}`]);
}

describe('retrying', () => {
  test('releases what refers to something by now, in the order of batches, and tells what still waits', async () => {
    const warehouse = await withShop();
    await warehouse.batch({ fact_sale: [saleRow(1, { note: 'a', shop_id: '2' }), saleRow(2, { shop_id: '3' })] });
    await warehouse.batch({ fact_sale: [saleRow(1, { note: 'b', shop_id: '2' })] });
    await warehouse.batch({ fact_sale: [saleRow(1, { note: 'c' })] });
    await shopArrives(warehouse, 2);
    expect(await retryRows(warehouse.context(), null)).toEqual({
      released: new Map([['fact_sale', 2]]),
      waiting: [{ table: 'fact_sale', column: 'shop_id', reason: 'refers to no row of dim_shop', rows: 1 }],
    });
    expect(await warehouse.rows(VERSIONS)).toEqual([
      [1, 2, 2, 'a'],
      [1, 3, 2, 'b'],
      [1, 4, 1, 'c'],
    ]);
    await expectCurrentIsLatest(warehouse.client, 'public', warehouse.model);
  });

  test('reads what transform rejected again, by the model that was mended', async () => {
    const warehouse = await withShop();
    await warehouse.batch({ fact_sale: [saleRow(1, { price: '1.00' })] });
    await warehouse.batch({}, { rejects: [badPrice('1', '1.2345'), badPrice('2', '0.00001')] });
    expect(await retryRows(warehouse.context(), null)).toMatchObject({ released: new Map(), waiting: [{ rows: 2 }] });
    const retried = await retryRows(warehouse.context({ model: widened }), null);
    expect(retried).toMatchObject({ released: new Map([['fact_sale', 1]]), waiting: [{ column: 'price', rows: 1 }] });
    expect(await warehouse.rows('select sale_id, batch_id::int, price from current_sale')).toEqual([[1, 3, '1.2345']]);
    await expectCurrentIsLatest(warehouse.client, 'public', widened);
    await warehouse.batch({}, { model: widened });
    expect((await warehouse.rows(WAITING)).map((row) => row[1])).toEqual(['2']);
  });

  test('of some leaves the others, and those of one key in their order whichever comes first', async () => {
    const warehouse = await withShop();
    for (const note of ['a', 'b', 'a']) await warehouse.batch({ fact_sale: [saleRow(1, { note, shop_id: '2' })] });
    await shopArrives(warehouse, 2);
    const context = warehouse.context();
    expect(await retryRows(context, ['3'])).toEqual({ released: new Map([['fact_sale', 1]]), waiting: [] });
    expect(await retryRows(context, ['1', '3'])).toEqual({ released: new Map([['fact_sale', 1]]), waiting: [] });
    expect(await warehouse.rows(VERSIONS)).toEqual([[1, 2, 2, 'a'], [1, 4, 2, 'a']]);
    await retryRows(context, null);
    expect(await warehouse.rows(VERSIONS)).toEqual([[1, 2, 2, 'a'], [1, 3, 2, 'b'], [1, 4, 2, 'a']]);
    await expectCurrentIsLatest(warehouse.client, 'public', warehouse.model);
  });

  test('leaves rejected rows of a dimension, and of a table that is no more, where they are', async () => {
    const warehouse = await withShop();
    const nameless = reject(dimShop.spec, 'shop_name', 'is null', { shop_id: '9', shop_name: null });
    const gone = { table: 'fact_gone', key: '1', column: 'x', reason: 'is null', row: {} };
    await warehouse.batch({}, { rejects: [nameless, gone] });
    expect(await retryRows(warehouse.context(), null)).toMatchObject({
      released: new Map(),
      waiting: [{ table: 'dim_shop' }, { table: 'fact_gone' }],
    });
  });

  test('refuses rows that are not there or were dropped, and then releases nothing', async () => {
    const warehouse = await withShop();
    await warehouse.batch({ fact_sale: [saleRow(1, { shop_id: '2' }), saleRow(2, { shop_id: '2' })] });
    await dropRows(warehouse.context(), { ids: ['1'] });
    await shopArrives(warehouse, 2);
    const context = warehouse.context();
    expect(await retryRows(context, ['1', '2', '8'])).toEqual({ unknown: ['8'], dropped: ['1'] });
    expect(await warehouse.rows(VERSIONS)).toEqual([]);
    expect(await retryRows(context, null)).toEqual({ released: new Map([['fact_sale', 1]]), waiting: [] });
  });

  test('at once, and while a batch is loaded, releases everything once', async () => {
    const warehouse = await withShop();
    const rows = Array.from({ length: 50 }, (_, at) => saleRow(at, { shop_id: '2' }));
    await warehouse.batch({ fact_sale: rows });
    await shopArrives(warehouse, 2);
    await warehouse.processed.commit({ rows: { fact_sale: rows } });
    const context = warehouse.context();
    await Promise.all([retryRows(context, null), retryRows(context, null), warehouse.load()]);
    expect(await warehouse.rows('select count(*)::int, count(distinct sale_id)::int from fact_sale')).toEqual([[50, 50]]);
    expect(await warehouse.rows(WAITING)).toEqual([]);
  });
});
