import { describe, expect, test } from 'vitest';
import { bigint, text } from '../../src/shared/model/column.ts';
import { column, key } from '../../src/shared/model/expression.ts';
import { fact } from '../../src/shared/model/fact.ts';
import { model } from '../../src/shared/model/model.ts';
import { table } from '../../src/shared/model/table.ts';
import type { Reject } from '../../src/transform/reject.ts';
import { reject } from '../support/processed.ts';
import { dimShop, factSale, saleRow, shopRow, shops, sourceSale } from './shops.ts';
import { freshWarehouse, type Warehouse } from './warehouse.ts';

const WAITING = `
  select batch_id::int, record_key, column_name, row->>'price' from pipeline.quarantine
  where released_at is null order by quarantine_id`;

const badPrice = (id: string | null, price: string) =>
  reject(factSale.spec, 'price', 'does not fit numeric(10,2): it has more than 2 decimals', sourceSale(id, { price }));

async function withShop(): Promise<Warehouse> {
  const warehouse = await freshWarehouse(shops);
  await warehouse.batch({ dim_shop: [shopRow(1)] });
  return warehouse;
}

describe('what transform has rejected', () => {
  test('lands whole, with batch, table, key, column and reason, and the rest of the batch goes on', async () => {
    const warehouse = await withShop();
    await warehouse.batch({ fact_sale: [saleRow(2)] }, { rejects: [badPrice('1', '1.005')] });
    expect(await warehouse.rows('select * from pipeline.quarantine')).toEqual([
      [
        '1',
        '2',
        'fact_sale',
        '1',
        'price',
        'does not fit numeric(10,2): it has more than 2 decimals',
        'transform',
        sourceSale('1', { price: '1.005' }),
        null,
        null,
      ],
    ]);
    expect(await warehouse.rows('select sale_id from fact_sale')).toEqual([[2]]);
    expect(await warehouse.rows('select counts from pipeline.ledger where batch_id = 2')).toEqual([
      [{ fact_sale: { staged: 1, written: 1, quarantined: 1, released: 0 } }],
    ]);
    expect(warehouse.events).toContainEqual({
      event: 'table',
      stage: 'load',
      batch: 2,
      table: 'fact_sale',
      rows: 1,
      bytes: expect.any(Number),
      quarantined: 1,
    });
    expect(warehouse.events.at(-1)).toMatchObject({ event: 'batch', stage: 'load', batch: 2, rows: 1, quarantined: 1 });
  });

  test('is not repeated while it is the same, and is kept again when it is another', async () => {
    const warehouse = await withShop();
    for (const price of ['1.005', '1.005', '1.006', '1.005'])
      await warehouse.batch({}, { rejects: [badPrice('1', price)] });
    expect(await warehouse.rows(WAITING)).toEqual([
      [2, '1', 'price', '1.005'],
      [4, '1', 'price', '1.006'],
      [5, '1', 'price', '1.005'],
    ]);
  });

  test('is news again when a good version lies between', async () => {
    const warehouse = await withShop();
    await warehouse.batch({}, { rejects: [badPrice('1', '1.005')] });
    await warehouse.batch({ fact_sale: [saleRow(1)] });
    await warehouse.batch({}, { rejects: [badPrice('1', '1.005')] });
    expect((await warehouse.rows(WAITING)).map((row) => row[0])).toEqual([2, 4]);
  });

  test('may have no key, or one that cannot be read; each such row is kept once', async () => {
    const warehouse = await withShop();
    const rows = [
      badPrice(null, '1'),
      badPrice(null, '2'),
      badPrice('seven', '3'),
      badPrice('99999999999999999999', '4'),
    ];
    await warehouse.batch({}, { rejects: rows });
    await warehouse.batch({}, { rejects: [badPrice(null, '5')] });
    await warehouse.batch({}, { rejects: rows });
    expect(await warehouse.rows(WAITING)).toEqual([
      [2, null, 'price', '1'],
      [2, null, 'price', '2'],
      [2, 'seven', 'price', '3'],
      [2, '99999999999999999999', 'price', '4'],
      [3, null, 'price', '5'],
    ]);
  });

  test('can be of a table that this model does not have', async () => {
    const warehouse = await withShop();
    await warehouse.batch({}, { rejects: [{ table: 'fact_gone', key: '1', column: 'x', reason: 'is null', row: {} }] });
    expect(await warehouse.rows('select table_name, row from pipeline.quarantine')).toEqual([['fact_gone', {}]]);
  });

  test('keeps any text, to the letter', async () => {
    const warehouse = await withShop();
    const note = 'é漢👍"\\\n\t\u0001 {"a": [null]} \\u0041';
    await warehouse.batch({}, { rejects: [reject(factSale.spec, 'price', 'bad', sourceSale('1', { note }))] });
    expect(await warehouse.rows("select row->>'note' from pipeline.quarantine")).toEqual([[note]]);
  });

  test.each([
    ['a bigint', bigint().key(), ['1234567890123456789', '-9223372036854775808', '9223372036854775807']],
    ['a text', text().key(), ['a', '', "O'Brien", '12']],
  ])('is compared with the loaded version where the key is %s', async (_, keyed, keys) => {
    const thing = table('thing', { id: keyed, name: text() });
    const things = fact('fact_thing', thing, { recordKey: 'n' }, { id: key(), name: column() });
    const warehouse = await freshWarehouse(model({ tables: [thing], dimensions: [], facts: [things] }));
    const rejects = keys.map((id) => reject(things.spec, 'name', 'is null', { id, name: null }));
    await warehouse.batch({}, { rejects });
    await warehouse.batch({ fact_thing: keys.map((id) => ({ id, name: 'good' })) });
    await warehouse.batch({}, { rejects });
    const counted = 'select batch_id::int, count(*)::int from pipeline.quarantine group by 1 order by 1';
    expect(await warehouse.rows(counted)).toEqual([
      [1, keys.length],
      [3, keys.length],
    ]);
  });
});

describe('a rejected dimension row', () => {
  test('is settled, with all before it, when a usable row of its key arrives', async () => {
    const warehouse = await freshWarehouse(shops);
    await warehouse.batch({}, { rejects: [nameless(null)] });
    await warehouse.batch({}, { rejects: [nameless('?')] });
    await warehouse.batch({ dim_shop: [shopRow(2)] });
    expect(await warehouse.rows(WAITING)).toHaveLength(2);
    await warehouse.batch({ dim_shop: [shopRow(1)] });
    expect(await warehouse.rows(WAITING)).toEqual([]);
    expect(await warehouse.rows("select counts->'dim_shop' from pipeline.ledger where batch_id = 4")).toEqual([
      [{ staged: 1, written: 1, quarantined: 0, released: 2 }],
    ]);
  });

  test('is settled by the row that is there already, too; and can come again', async () => {
    const warehouse = await freshWarehouse(shops);
    await warehouse.batch({ dim_shop: [shopRow(1)] });
    await warehouse.batch({}, { rejects: [nameless(null)] });
    await warehouse.batch({}, { rejects: [nameless(null)] });
    expect(await warehouse.rows(WAITING)).toEqual([[2, '1', 'shop_name', null]]);
    await warehouse.batch({ dim_shop: [shopRow(1)] });
    expect(await warehouse.rows(WAITING)).toEqual([]);
    await warehouse.batch({}, { rejects: [nameless(null)] });
    expect(await warehouse.rows(WAITING)).toEqual([[5, '1', 'shop_name', null]]);
  });
});

function nameless(shopName: string | null): Reject {
  return reject(dimShop.spec, 'shop_name', 'is null', { shop_id: '1', shop_name: shopName });
}
