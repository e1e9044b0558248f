import { describe, expect, test } from 'vitest';
import { date, double, int, numeric, text, time, timestamp, timestamptz } from '../../src/shared/model/column.ts';
import { column, key } from '../../src/shared/model/expression.ts';
import { fact } from '../../src/shared/model/fact.ts';
import { model } from '../../src/shared/model/model.ts';
import { table } from '../../src/shared/model/table.ts';
import { dimShop, itemRow, saleRow, shop, shopRow } from './shops.ts';
import { VERSIONS, WAITING, withShop } from './waiting.ts';
import { freshWarehouse } from './warehouse.ts';

describe('a row that refers to a dimension row that is not there', () => {
  test('waits, whole and with its column, in the first load as in a delta', async () => {
    const warehouse = await withShop();
    await warehouse.batch({ fact_sale: [saleRow(1, { shop_id: '2' }), saleRow(2)] });
    await warehouse.batch({ fact_sale: [saleRow(3, { item_id: '5' }), saleRow(4, { shop_id: '2', item_id: '5' })] });
    expect(await warehouse.rows(WAITING)).toEqual([
      [2, '1', 'shop_id', 'refers to no row of dim_shop', 'load'],
      [3, '4', 'shop_id', 'refers to no row of dim_shop', 'load'],
      [3, '3', 'item_id', 'refers to no row of dim_item', 'load'],
    ]);
    expect(await warehouse.rows('select row from pipeline.quarantine where batch_id = 2')).toEqual([
      [{ ...saleRow(1), sale_id: 1, shop_id: 2, price: 9.99 }],
    ]);
    expect(await warehouse.rows(VERSIONS)).toEqual([[2, 2, 1, null]]);
  });

  test('is not repeated by the same row in a later batch', async () => {
    const warehouse = await withShop();
    for (const price of ['1.50', '1.50', '1.60']) {
      await warehouse.batch({ fact_sale: [saleRow(1, { shop_id: '2', price })] });
    }
    expect((await warehouse.rows(WAITING)).map((row) => row[0])).toEqual([2, 4]);
  });

  test('says what it lacks by now, when one of two dimension rows has arrived', async () => {
    const warehouse = await withShop();
    await warehouse.batch({ fact_sale: [saleRow(1, { shop_id: '2', item_id: '5' })] });
    await warehouse.batch({ dim_shop: [shopRow(2)] });
    expect(await warehouse.rows(WAITING)).toEqual([[2, '1', 'item_id', 'refers to no row of dim_item', 'load']]);
    await warehouse.batch({ dim_item: [itemRow(5)] });
    expect(await warehouse.rows(VERSIONS)).toEqual([[1, 2, 2, null]]);
  });

  test('is released as of its own batch when the dimension row arrives', async () => {
    const warehouse = await withShop();
    await warehouse.batch({ fact_sale: [saleRow(1, { shop_id: '2', due: '2030-01-01' })] });
    await warehouse.batch({ dim_shop: [shopRow(3)] });
    expect(await warehouse.rows(VERSIONS)).toEqual([]);
    await warehouse.batch({ dim_shop: [shopRow(2)] });
    expect(await warehouse.rows(VERSIONS)).toEqual([[1, 2, 2, null]]);
    expect(await warehouse.rows(WAITING)).toEqual([]);
    expect(await warehouse.rows("select counts->'fact_sale' from pipeline.ledger where batch_id = 4")).toEqual([
      [{ staged: 0, written: 0, quarantined: 0, released: 1 }],
    ]);
    expect(await warehouse.rows('select released_at is not null, row is not null from pipeline.quarantine')).toEqual([
      [true, true],
    ]);
    expect(await warehouse.rows("select from dim_date where date_id = '2030-01-01'")).toHaveLength(1);
  });

  test('with two of them missing waits for both', async () => {
    const warehouse = await withShop();
    await warehouse.batch({ fact_sale: [saleRow(1, { shop_id: '2', item_id: '5' })] });
    await warehouse.batch({ dim_shop: [shopRow(2)] });
    expect(await warehouse.rows(VERSIONS)).toEqual([]);
    await warehouse.batch({ dim_item: [itemRow(5)] });
    expect(await warehouse.rows(VERSIONS)).toEqual([[1, 2, 2, null]]);
  });

  test('released late does not turn the current table back, and the surrogate key is not the order', async () => {
    const warehouse = await withShop();
    await warehouse.batch({ fact_sale: [saleRow(1, { note: 'a' })] });
    await warehouse.batch({ fact_sale: [saleRow(1, { note: 'b', shop_id: '2' })] });
    await warehouse.batch({ fact_sale: [saleRow(1, { note: 'c' })] });
    await warehouse.batch({ dim_shop: [shopRow(2)] });
    expect(await warehouse.rows('select batch_id::int, note from current_sale')).toEqual([[4, 'c']]);
    const history =
      'select version::int, batch_id::int, note, is_current, changed_columns from history_sale order by version';
    expect(await warehouse.rows(history)).toEqual([
      [1, 2, 'a', false, null],
      [2, 3, 'b', false, ['shop_id', 'note']],
      [3, 4, 'c', true, ['shop_id', 'note']],
    ]);
    expect(await warehouse.rows('select batch_id::int from fact_sale order by sale_record_id')).toEqual([
      [2],
      [4],
      [3],
    ]);
  });

  test('makes the row after it a version even where that is like the one before it', async () => {
    const warehouse = await withShop();
    await warehouse.batch({ fact_sale: [saleRow(1, { note: 'a' })] });
    await warehouse.batch({ fact_sale: [saleRow(1, { note: 'b', shop_id: '2' })] });
    await warehouse.batch({ fact_sale: [saleRow(1, { note: 'a' })] });
    await warehouse.batch({ fact_sale: [saleRow(1, { note: 'a' })] });
    expect(await warehouse.rows(VERSIONS)).toEqual([
      [1, 2, 1, 'a'],
      [1, 4, 1, 'a'],
    ]);
    await warehouse.batch({ dim_shop: [shopRow(2)] });
    expect(await warehouse.rows(VERSIONS)).toEqual([
      [1, 2, 1, 'a'],
      [1, 3, 2, 'b'],
      [1, 4, 1, 'a'],
    ]);
  });

  test('is released in the order of batches, with the others of its key', async () => {
    const warehouse = await withShop();
    for (const note of ['a', 'b', 'c']) await warehouse.batch({ fact_sale: [saleRow(1, { note, shop_id: '2' })] });
    await warehouse.batch({ dim_shop: [shopRow(2)], fact_sale: [saleRow(1, { note: 'c', shop_id: '2' })] });
    expect(await warehouse.rows(VERSIONS)).toEqual([
      [1, 2, 2, 'a'],
      [1, 3, 2, 'b'],
      [1, 4, 2, 'c'],
    ]);
    expect(await warehouse.rows('select batch_id::int, note from current_sale')).toEqual([[4, 'c']]);
  });

  test('is a version of its own where another one waits between it and its like', async () => {
    const warehouse = await withShop();
    const [two, three] = [saleRow(1, { shop_id: '2' }), saleRow(1, { shop_id: '3' })];
    for (const row of [two, three, two]) await warehouse.batch({ fact_sale: [row] });
    await warehouse.batch({ dim_shop: [shopRow(2)] });
    await warehouse.batch({ dim_shop: [shopRow(3)] });
    expect(await warehouse.rows(VERSIONS)).toEqual([
      [1, 2, 2, null],
      [1, 3, 3, null],
      [1, 4, 2, null],
    ]);
    expect(await warehouse.rows('select batch_id::int, shop_id from current_sale')).toEqual([[4, 2]]);
  });

  test('comes back exactly as it went, whatever its types', async () => {
    const odd = table('odd', {
      odd_id: int().key(),
      shop_id: int(),
      n: numeric(),
      d: double(),
      t: text(),
      day: date(),
      at: time(),
      stamp: timestamp(),
      stamptz: timestamptz(),
      nothing: text().nullable(),
      m: int(),
      starling: int(),
    });
    const columns = {
      odd_id: key(),
      shop_id: column().references(dimShop),
      n: column(),
      d: column(),
      t: column(),
      day: column(),
      at: column(),
      stamp: column(),
      stamptz: column(),
      nothing: column(),
      m: column(),
      q: column('m'),
      quarantine_id: column('m'),
    };
    const odds = fact('odd', odd, { recordKey: 'r' }, columns);
    const warehouse = await freshWarehouse(model({ tables: [shop, odd], dimensions: [dimShop], facts: [odds] }));
    const row = {
      shop_id: '2',
      n: `${'9'.repeat(60)}.${'10'.repeat(20)}`,
      d: '0.1',
      t: 'é"\\\n👍',
      day: '0044-03-15 BC',
      at: '24:00:00',
      stamp: '0044-03-15 12:00:00.000001 BC',
      stamptz: '12024-08-07 12:00:00.5+00',
      nothing: null,
      m: '1',
      q: '1',
      quarantine_id: '1',
    };
    const doubles = ['NaN', 'Infinity', '-Infinity', '5e-324', '1.7976931348623157e+308', '123456789.12345679'];
    const rows = doubles.map((d, at) => ({ ...row, odd_id: `${at + 1}`, d, n: at === 0 ? 'NaN' : row.n }));
    await warehouse.batch({ odd: rows });
    expect(await warehouse.rows('select from odd')).toEqual([]);
    await warehouse.batch({ dim_shop: [shopRow(2)] });
    const names = Object.keys(columns);
    const found = await warehouse.rows(
      `select ${names.map((name) => `${name}::text`).join(', ')} from odd order by odd_id`,
    );
    expect(found).toEqual(
      rows.map((each) => names.map((name) => Object.entries(each).find(([at]) => at === name)?.[1] ?? null)),
    );
  });
});
