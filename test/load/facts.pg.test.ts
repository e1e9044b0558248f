import { describe, expect, test } from 'vitest';
import type { Reject } from '../../src/transform/reject.ts';
import { reject, type TextRow } from '../support/processed.ts';
import { factSale, saleRow, shopRow, shops, sourceSale } from './shops.ts';
import { loadInRanges } from './splitting.ts';
import { freshWarehouse, type Warehouse } from './warehouse.ts';

const VERSIONS = 'select sale_id, batch_id::int, price, note from fact_sale order by sale_id, batch_id';

/** A warehouse that holds the given sales, as of batch 1. */
async function holding(...sales: readonly TextRow[]): Promise<Warehouse> {
  const warehouse = await freshWarehouse(shops);
  await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: sales });
  return warehouse;
}

async function countOf(warehouse: Warehouse): Promise<number> {
  return Number((await warehouse.rows('select count(*) from fact_sale'))[0]?.[0]);
}

test('the first load brings every row of every part, whole', async () => {
  const warehouse = await freshWarehouse(shops);
  const sales = Array.from({ length: 25 }, (_, at) =>
    saleRow(at + 1, { price: `${at}.50`, note: at % 2 === 0 ? '' : null }),
  );
  await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: sales }, { partRows: 4 });
  expect(await warehouse.rows(VERSIONS)).toEqual(
    sales.map((_, at) => [at + 1, 1, `${at}.50`, at % 2 === 0 ? '' : null]),
  );
  const first = 'select (f.*)::text from (select * from current_sale where sale_id = 1) f';
  expect(await warehouse.rows(first)).toEqual([
    ['(1,1,,0.50,"",2024-08-30,2024-08-07,09:00:00,2024-08-07,09:00:00,1)'],
  ]);
});

test('a delta appends new keys and versions that differ, and nothing else', async () => {
  const warehouse = await holding(saleRow(1), saleRow(2), saleRow(3));
  await warehouse.batch({ fact_sale: [saleRow(1, { price: '8.00' }), saleRow(2), saleRow(4)] });
  expect(await warehouse.rows(VERSIONS)).toEqual([
    [1, 1, '9.99', null],
    [1, 2, '8.00', null],
    [2, 1, '9.99', null],
    [3, 1, '9.99', null],
    [4, 2, '9.99', null],
  ]);
});

test('null, the empty string and a value are three different things', async () => {
  const warehouse = await holding(saleRow(1));
  for (const note of ['', null, 'x', null]) await warehouse.batch({ fact_sale: [saleRow(1, { note })] });
  expect((await warehouse.rows(VERSIONS)).map((row) => row[3])).toEqual([null, '', null, 'x', null]);
});

test('the same rows again, in part or as a whole, append nothing', async () => {
  const warehouse = await holding(saleRow(1), saleRow(2));
  await warehouse.batch({ fact_sale: [saleRow(2)] });
  await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: [saleRow(2), saleRow(1)] });
  expect(await countOf(warehouse)).toBe(2);
  expect(await warehouse.rows('select batch_id::int, counts from pipeline.ledger order by 1')).toMatchObject([
    [1, { fact_sale: { staged: 2, written: 2 } }],
    [2, { fact_sale: { staged: 1, written: 0 } }],
    [3, { fact_sale: { staged: 2, written: 0 }, dim_shop: { staged: 1, written: 0 } }],
  ]);
});

test('a batch of nothing is loaded like any other', async () => {
  const warehouse = await holding(saleRow(1));
  await warehouse.batch({});
  expect(await warehouse.rows('select batch_id::int, counts from pipeline.ledger where batch_id = 2')).toEqual([
    [2, {}],
  ]);
  expect(await countOf(warehouse)).toBe(1);
});

test('the first facts may come in any batch, and go straight in', async () => {
  const warehouse = await freshWarehouse(shops);
  await warehouse.batch({});
  await warehouse.batch({ dim_shop: [shopRow(1)] });
  await warehouse.batch({ fact_sale: [saleRow(1)] });
  expect(await warehouse.rows(VERSIONS)).toEqual([[1, 3, '9.99', null]]);
});

test('a row that goes back to what it was is a version again', async () => {
  const warehouse = await holding(saleRow(1));
  await warehouse.batch({ fact_sale: [saleRow(1, { note: 'b' })] });
  await warehouse.batch({ fact_sale: [saleRow(1)] });
  expect((await warehouse.rows(VERSIONS)).map((row) => row[3])).toEqual([null, 'b', null]);
});

describe('two rows of one key in a batch are refused', () => {
  const error = {
    kind: 'key_not_unique',
    message: expect.stringContaining('fact_sale.sale_id'),
    context: { table: 'fact_sale', column: 'sale_id' },
  };
  const waiting = { shop_id: '7' };

  const STATE = `
    select (select count(*) from fact_sale), (select jsonb_agg(t) from current_sale t),
      (select jsonb_agg(t) from pipeline.quarantine t), (select max(batch_id) from pipeline.ledger)`;

  /** Why the next batch, of these sales, is refused, and what is there before and after. */
  async function refusal(warehouse: Warehouse, sales: readonly TextRow[]): Promise<readonly unknown[]> {
    const before = await warehouse.rows(STATE);
    await warehouse.processed.commit({ rows: { dim_shop: [shopRow(1), shopRow(2)], fact_sale: sales }, partRows: 2 });
    const failure: unknown = await warehouse.load().catch((reason: unknown) => reason);
    return [failure, before, await warehouse.rows(STATE)];
  }

  test('in the first load', async () => {
    const warehouse = await freshWarehouse(shops);
    await warehouse.initialise();
    const [failure, before, after] = await refusal(warehouse, [saleRow(1), saleRow(2), saleRow(1, { note: 'b' })]);
    expect(failure).toMatchObject({ ...error, context: { ...error.context, batch: 1 } });
    expect(after).toEqual(before);
  });

  test.each([
    ['where one refers to nothing', [saleRow(1), saleRow(2), saleRow(1, waiting)]],
    ['where both refer to nothing', [saleRow(1, waiting), saleRow(2), saleRow(1, { ...waiting, note: 'b' })]],
    ['where they refer to nothing by different columns', [saleRow(1, waiting), saleRow(2), saleRow(1, { item_id: '7' })]],
  ])('in the first load, %s, whether or not its rows have been staged', async (_, sales) => {
    const warehouse = await freshWarehouse(shops);
    await warehouse.initialise();
    const [failure, before, after] = await refusal(warehouse, sales);
    expect(failure).toMatchObject({ ...error, context: { ...error.context, batch: 1 } });
    expect(after).toEqual(before);
    await expect(loadInRanges(warehouse)).rejects.toMatchObject(error);
    expect(await warehouse.rows(STATE)).toEqual(before);
  });

  test('but not one of a key that no other row of the first load has', async () => {
    const warehouse = await freshWarehouse(shops);
    await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: [saleRow(1), saleRow(2, waiting), saleRow(3, waiting)] });
    expect(await warehouse.rows('select record_key from pipeline.quarantine order by 1')).toEqual([['2'], ['3']]);
  });

  test.each([
    ['where both are new', [saleRow(2), saleRow(2)]],
    ['where both differ from the version before', [saleRow(1, { note: 'b' }), saleRow(1, { note: 'c' })]],
    ['where one is the version before', [saleRow(1), saleRow(1, { note: 'b' })]],
    ['where one refers to nothing', [saleRow(1, { note: 'b' }), saleRow(1, waiting)]],
    ['where both refer to nothing', [saleRow(2, waiting), saleRow(2, waiting)]],
  ])('in a delta, %s', async (_, sales) => {
    const [failure, before, after] = await refusal(await holding(saleRow(1)), sales);
    expect(failure).toMatchObject({ ...error, context: { ...error.context, batch: 2 } });
    expect(after).toEqual(before);
  });

  test('and where transform has rejected one or both of them', async () => {
    for (const sales of [[saleRow(2)], [saleRow(2, waiting)], []]) {
      const warehouse = await holding(saleRow(1));
      const rejects = sales.length === 0 ? [bad('1.001'), bad('1.002')] : [bad('1.001')];
      await warehouse.processed.commit({ rows: { fact_sale: sales }, rejects });
      await expect(warehouse.load()).rejects.toMatchObject({ ...error, context: { ...error.context, batch: 2 } });
      expect(await warehouse.rows('table pipeline.quarantine')).toEqual([]);
    }
  });
});

function bad(price: string): Reject {
  return reject(factSale.spec, 'price', 'does not fit', sourceSale('2', { price }));
}
