import { describe, expect, test } from 'vitest';
import { bigint, int, numeric, text } from '../../../src/shared/model/column.ts';
import { dimension } from '../../../src/shared/model/dimension.ts';
import { column, key } from '../../../src/shared/model/expression.ts';
import { fact } from '../../../src/shared/model/fact.ts';
import { type Model, model } from '../../../src/shared/model/model.ts';
import { table } from '../../../src/shared/model/table.ts';
import { reject } from '../../support/processed.ts';
import {
  dimItem,
  dimShop,
  factColumns,
  factOptions,
  factSale,
  item,
  itemRow,
  sale,
  saleColumns,
  saleRow,
  shop,
  shopRow,
  shops,
  sourceSale,
} from '../shops.ts';
import { freshWarehouse, type Warehouse } from '../warehouse.ts';

async function loaded(): Promise<Warehouse> {
  const warehouse = await freshWarehouse(shops);
  await warehouse.batch({ dim_shop: [shopRow(1)], dim_item: [itemRow(1)], fact_sale: [saleRow(1)] });
  await warehouse.batch({ fact_sale: [saleRow(1, { note: 'b' })] });
  return warehouse;
}

/** The statements that it takes, of which a second time there are none. */
async function grow(warehouse: Warehouse, grown: Model): Promise<readonly string[]> {
  const statements = await warehouse.initialise(grown);
  expect(await warehouse.initialise(grown)).toEqual([]);
  return statements;
}

const bigSale = table('sale', { ...saleColumns, discount: int(), buyer_id: int().nullable() });
const grownFact = fact('fact_sale', bigSale, factOptions, { ...factColumns, discount: column() });

const withDiscount = model({ tables: [shop, item, bigSale], dimensions: [dimShop, dimItem], facts: [grownFact] });

test('making a warehouse twice is making it once', async () => {
  const warehouse = await freshWarehouse(shops);
  expect((await warehouse.initialise()).length).toBeGreaterThan(8);
  expect(await warehouse.initialise()).toEqual([]);
  await warehouse.load();
});

test('eight that make the same warehouse at once all succeed', async () => {
  const warehouse = await freshWarehouse(shops);
  const runs = await Promise.all(Array.from({ length: 8 }, async () => warehouse.initialise()));
  expect(runs.filter((statements) => statements.length > 0)).toHaveLength(1);
});

describe('a model that has grown by', () => {
  test('a column of a dimension fills it in with the next batch that is whole', async () => {
    const warehouse = await loaded();
    const wide = table('shop', { shop_id: int().key(), shop_name: text(), town: text() });
    const grown = model({
      tables: [wide, item, sale],
      dimensions: [dimension('dim_shop', wide, { shop_id: key(), town: column(), shop_name: column() }), dimItem],
      facts: [factSale],
    });
    expect(await grow(warehouse, grown)).toEqual([expect.stringContaining('add column "town" character varying')]);
    expect(await warehouse.rows('select * from dim_shop')).toEqual([[1, 'shop 1', null]]);
    await warehouse.batch({ dim_shop: [{ ...shopRow(1), town: 'Leeds' }] }, { model: grown });
    expect(await warehouse.rows('select * from dim_shop')).toEqual([[1, 'shop 1', 'Leeds']]);
  });

  test('a column of a fact is null in old versions, and its filling in is a version', async () => {
    const warehouse = await loaded();
    await grow(warehouse, withDiscount);
    await warehouse.batch({ fact_sale: [saleRow(1, { note: 'b', discount: '5' })] }, { model: withDiscount });
    const history = 'select version::int, note, discount, changed_columns from history_sale order by version';
    expect(await warehouse.rows(history)).toEqual([
      [1, null, null, null],
      [2, 'b', null, ['note']],
      [3, 'b', 5, ['discount']],
    ]);
    const view =
      "select column_name from information_schema.columns where table_name = 'history_sale' order by ordinal_position";
    expect((await warehouse.rows(view)).flat().at(-1)).toBe('discount');
  });

  test('a column that refers to a new dimension has that made first', async () => {
    const warehouse = await loaded();
    const buyer = table('buyer', { buyer_id: int().key() });
    const dimBuyer = dimension('dim_buyer', buyer, { buyer_id: key() });
    const bought = fact('fact_sale', bigSale, factOptions, { ...factColumns, buyer_id: column().references(dimBuyer) });
    const grown = model({
      tables: [shop, item, bigSale, buyer],
      dimensions: [dimShop, dimItem, dimBuyer],
      facts: [bought],
    });
    expect((await grow(warehouse, grown)).join('\n')).toContain(
      'references "public"."dim_buyer" ("buyer_id") not enforced',
    );
    await warehouse.batch({ fact_sale: [saleRow(1, { buyer_id: '3' })] }, { model: grown });
    await warehouse.batch({ dim_buyer: [{ buyer_id: '3' }] }, { model: grown });
    expect(await warehouse.rows('select buyer_id, batch_id::int from current_sale')).toEqual([[3, 3]]);
  });

  test('a star has the tables of that made', async () => {
    const warehouse = await loaded();
    const again = fact('fact_again', sale, { recordKey: 'again_record_id' }, { sale_id: key(), price: column() });
    const grown = model({ tables: [shop, item, sale], dimensions: [dimShop, dimItem], facts: [factSale, again] });
    expect((await grow(warehouse, grown)).length).toBe(4);
    await warehouse.batch({ fact_again: [{ sale_id: '1', price: '1.23456789' }] }, { model: grown });
    expect(await warehouse.rows('select sale_id, price, version::int from history_again')).toEqual([
      [1, '1.23456789', 1],
    ]);
  });
});

describe('a model with wider types', () => {
  const bigShop = table('shop', { shop_id: bigint().key(), shop_name: text() });
  const bigger = table('sale', { ...saleColumns, sale_id: bigint().key(), shop_id: bigint() });
  const dimBigShop = dimension('dim_shop', bigShop, { shop_id: key(), shop_name: column() });
  const columns = { ...factColumns, shop_id: column().references(dimBigShop), price: column().as(numeric(12, 4)) };
  const wider = model({
    tables: [bigShop, item, bigger],
    dimensions: [dimBigShop, dimItem],
    facts: [fact('fact_sale', bigger, factOptions, columns)],
  });

  test('changes columns, keys, and the history view with them', async () => {
    const warehouse = await loaded();
    await grow(warehouse, wider);
    const id = '5000000000';
    const row = { ...saleRow(1), sale_id: id, shop_id: id, price: '1.2345' };
    await warehouse.batch(
      { dim_shop: [{ shop_id: id, shop_name: 'x' }], fact_sale: [row, saleRow(1, { note: 'b', price: '9.9900' })] },
      { model: wider },
    );
    const versions = 'select sale_id, shop_id, price, version::int from history_sale order by sale_id, version';
    expect(await warehouse.rows(versions)).toEqual([
      ['1', '1', '9.9900', 1],
      ['1', '1', '9.9900', 2],
      [id, id, '1.2345', 1],
    ]);
  });

  test('is told, not made, the other way round: table and column are named, and nothing is changed', async () => {
    const warehouse = await loaded();
    await grow(warehouse, wider);
    const before = await warehouse.rows('select * from pg_attribute order by attrelid, attnum');
    const narrow = model({
      tables: [shop, item, bigSale],
      dimensions: [dimShop, dimItem],
      facts: [grownFact, fact('fact_new', bigSale, { recordKey: 'n' }, { sale_id: key() })],
    });
    const error = { kind: 'warehouse_schema', hint: expect.stringContaining('mend the table or the model') };
    await expect(warehouse.initialise(narrow)).rejects.toMatchObject({
      ...error,
      message: expect.stringMatching(
        /dim_shop\.shop_id is bigint, but the model says integer.*fact_sale\.price is numeric\(12,4\)/,
      ),
    });
    await expect(warehouse.load({ model: narrow })).rejects.toMatchObject(error);
    expect(await warehouse.rows('select * from pg_attribute order by attrelid, attnum')).toEqual(before);
  });
});

describe('a model without a column any more', () => {
  test('keeps it, lets it be null, and goes on showing it in the history', async () => {
    const warehouse = await loaded();
    const { price: _, ...others } = factColumns;
    const shrunk = model({
      tables: [shop, item, sale],
      dimensions: [dimShop, dimension('dim_item', item, { item_id: key(), colour: column() })],
      facts: [fact('fact_sale', sale, factOptions, others)],
    });
    await grow(warehouse, shrunk);
    const { price: __, ...row } = saleRow(1);
    await warehouse.batch(
      { dim_item: [{ item_id: '2', colour: 'red' }], fact_sale: [{ ...row, note: 'c' }] },
      { model: shrunk },
    );
    expect(await warehouse.rows('select item_name, colour from dim_item where item_id = 2')).toEqual([[null, 'red']]);
    const history = 'select version::int, price, note, changed_columns from history_sale order by version';
    expect(await warehouse.rows(history)).toEqual([
      [1, '9.99', null, null],
      [2, '9.99', 'b', ['note']],
      [3, null, 'c', ['note']],
    ]);
    await grow(warehouse, shops);
  });

  test('as its key is told so: a table has one key for life', async () => {
    const warehouse = await loaded();
    const other = table('shop', { shop_code: int().key(), shop_name: text() });
    const changed = model({
      tables: [other],
      dimensions: [dimension('dim_shop', other, { shop_code: key(), shop_name: column() })],
      facts: [],
    });
    await expect(warehouse.initialise(changed)).rejects.toMatchObject({
      kind: 'warehouse_schema',
      message: 'warehouse: the key of dim_shop is shop_id, but the model says shop_code',
    });
  });
});

test('a column that the model lets be null from now on is let be null', async () => {
  const warehouse = await loaded();
  const loose = table('sale', { ...saleColumns, shop_id: int().nullable() });
  const looser = model({
    tables: [shop, item, loose],
    dimensions: [dimShop, dimItem],
    facts: [fact('fact_sale', loose, factOptions, factColumns)],
  });
  const statements = await grow(warehouse, looser);
  expect(statements.filter((statement) => statement.includes('"shop_id" drop not null'))).toHaveLength(2);
  await warehouse.batch({ fact_sale: [saleRow(1, { shop_id: null })] }, { model: looser });
  expect(await warehouse.rows('select shop_id from current_sale')).toEqual([[null]]);
});

test('a warehouse can be filled again from a log that began before the model grew', async () => {
  const wide = table('shop', { shop_id: int().key(), shop_name: text(), town: text() });
  const dimWide = dimension('dim_shop', wide, { shop_id: key(), shop_name: column(), town: column() });
  const grown = model({ tables: [wide, item, bigSale], dimensions: [dimWide, dimItem], facts: [grownFact] });
  const old = await loaded();
  await old.batch({}, { rejects: [reject(factSale.spec, 'price', 'bad', sourceSale('3', { price: '1.50' }))] });
  const sales = [saleRow(1, { discount: '5' }), saleRow(2, { discount: '0' })];
  await old.batch({ dim_shop: [{ ...shopRow(2), town: 'Leeds' }], fact_sale: sales }, { model: grown });
  const fresh = await freshWarehouse(grown);
  await fresh.load({ processed: old.processed.lake });
  for (const content of [
    'select sale_id, version, batch_id, price, note, discount, changed_columns from history_sale order by 1, 2',
    'select shop_id, shop_name, town from dim_shop order by 1',
    'select batch_id, record_key, released_at is null from pipeline.quarantine',
  ]) {
    expect(await fresh.rows(content)).toEqual(await old.rows(content));
  }
  expect(await fresh.rows('select town from dim_shop order by 1')).toEqual([['Leeds'], [null]]);
  expect(await fresh.initialise()).toEqual([]);
});

test('a batch by another model than this build has is not loaded, and one by an older model is', async () => {
  const warehouse = await loaded();
  await warehouse.processed.commit({ model: withDiscount, rows: { fact_sale: [saleRow(2, { discount: '1' })] } });
  await expect(warehouse.load()).rejects.toMatchObject({ kind: 'model_mismatch', context: { batch: 3 } });
  await warehouse.load({ model: withDiscount });
  await warehouse.processed.commit({ model: withDiscount, rows: { fact_sale: [saleRow(3, { discount: '1' })] } });
  await warehouse.load({ model: { ...withDiscount, hash: 'later' } });
  const models = 'select batch_id::int, model_hash from pipeline.ledger where batch_id > 2 order by 1';
  expect(await warehouse.rows(models)).toEqual([
    [3, withDiscount.hash],
    [4, 'later'],
  ]);
});
