import { describe, expect, test } from 'vitest';
import { numeric } from '../../src/shared/model/column.ts';
import { column } from '../../src/shared/model/expression.ts';
import { fact } from '../../src/shared/model/fact.ts';
import type { Reject } from '../../src/transform/reject.ts';
import { reject, type TextRow } from '../support/processed.ts';
import { factColumns, factOptions, factSale, sale, saleRow, shopRow, shopsWith, sourceSale } from './shops.ts';
import { VERSIONS, WAITING, withShop } from './waiting.ts';

describe('a mended model', () => {
  const widened = shopsWith(
    fact('fact_sale', sale, factOptions, { ...factColumns, price: column().as(numeric(12, 4)) }),
  );
  const { price: _, ...others } = factColumns;
  const withoutPrice = shopsWith(fact('fact_sale', sale, factOptions, others));

  test('gives back what it can hold now, of its own batch, and keeps the rest', async () => {
    const warehouse = await withShop();
    await warehouse.batch({ fact_sale: [saleRow(1, { price: '1.00' })] });
    const rejects = [
      badPrice('1', '1.2345'),
      badPrice('2', '0.00001'),
      badPrice(null, '1.001'),
      badPrice('x', '1.001'),
    ];
    await warehouse.batch({}, { rejects });
    await warehouse.batch({ fact_sale: [saleRow(1, { price: '2.00' })] });
    await warehouse.batch({}, { model: widened });
    const versions = 'select sale_id, batch_id::int, price from fact_sale order by 1, 2';
    expect(await warehouse.rows(versions)).toEqual([
      [1, 2, '1.0000'],
      [1, 3, '1.2345'],
      [1, 4, '2.0000'],
    ]);
    expect((await warehouse.rows(WAITING)).map((row) => row[1])).toEqual(['2', null, 'x']);
    expect(await warehouse.rows('select price, batch_id::int from current_sale')).toEqual([['2.0000', 4]]);
  });

  test('gives back a row that now refers to nothing when that has arrived', async () => {
    const warehouse = await withShop();
    await warehouse.batch({}, { rejects: [badPrice('1', '1.2345', { shop_id: '2', due: '2031-01-01' })] });
    await warehouse.batch({}, { model: widened });
    expect(await warehouse.rows(WAITING)).toEqual([[2, '1', 'shop_id', 'refers to no row of dim_shop', 'load']]);
    await warehouse.batch({ dim_shop: [shopRow(2)] }, { model: widened });
    expect(await warehouse.rows('select sale_id, batch_id::int, price, due::text from current_sale')).toEqual([
      [1, 2, '1.2345', '2031-01-01'],
    ]);
  });

  test('that no longer has the column gives back no version where nothing differs', async () => {
    const warehouse = await withShop();
    await warehouse.batch({ fact_sale: [saleRow(1, { price: '1.00' })] });
    await warehouse.batch({}, { rejects: [badPrice('1', '1.2345'), badPrice('2', '1.2345')] });
    await warehouse.batch({}, { model: withoutPrice });
    expect(await warehouse.rows(VERSIONS)).toEqual([
      [1, 2, 1, null],
      [2, 3, 1, null],
    ]);
    expect(await warehouse.rows(WAITING)).toEqual([]);
  });

  test('gives back thousands of rows', async () => {
    const warehouse = await withShop();
    const rejects = Array.from({ length: 2500 }, (_, at) => badPrice(`${at}`, '0.125'));
    await warehouse.batch({}, { rejects });
    await warehouse.batch({}, { model: widened });
    expect(await warehouse.rows('select count(*)::int, sum(price) from current_sale')).toEqual([[2500, '312.5000']]);
  });

  test('gives back what transform rejected after load was mended, once transform has been mended too', async () => {
    const warehouse = await withShop();
    await warehouse.processed.commit({ rejects: [badPrice('1', '1.2345')] });
    await warehouse.load({ model: widened });
    await warehouse.processed.commit({ rejects: [badPrice('2', '1.2345')] });
    await warehouse.load({ model: widened });
    expect((await warehouse.rows(WAITING)).map((row) => row[1])).toEqual(['1', '2']);
    await warehouse.batch({}, { model: widened });
    expect(await warehouse.rows(WAITING)).toEqual([]);
  });
});

function badPrice(id: string | null, price: string, differs: TextRow = {}): Reject {
  return reject(factSale.spec, 'price', 'has more than 2 decimals', sourceSale(id, { price, ...differs }));
}
