import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { int, numeric } from '../../../src/shared/model/column.ts';
import { column } from '../../../src/shared/model/expression.ts';
import { fact } from '../../../src/shared/model/fact.ts';
import { model } from '../../../src/shared/model/model.ts';
import { table } from '../../../src/shared/model/table.ts';
import {
  dimItem,
  dimShop,
  factColumns,
  factOptions,
  item,
  sale,
  saleColumns,
  saleRow,
  shop,
  shopRow,
  shops,
  shopsWith,
} from '../shops.ts';
import { freshWarehouse, type Warehouse } from '../warehouse.ts';

const bigSale = table('sale', { ...saleColumns, discount: int() });
const grown = model({
  tables: [shop, item, bigSale],
  dimensions: [dimShop, dimItem],
  facts: [fact('fact_sale', bigSale, factOptions, { ...factColumns, discount: column() })],
});
const widened = shopsWith(fact('fact_sale', sale, factOptions, { ...factColumns, price: column().as(numeric(12, 4)) }));

async function withViewOn(relation: string): Promise<Warehouse> {
  const warehouse = await freshWarehouse(shops);
  await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: [saleRow(1)] });
  await warehouse.client.query('create schema analyst');
  await warehouse.client.query(`create view analyst.prices as select sale_id, price from ${relation}`);
  return warehouse;
}

describe("an analyst's view", () => {
  test('on a history view lives on when that grows by a column', async () => {
    const warehouse = await withViewOn('history_sale');
    await warehouse.batch({ fact_sale: [saleRow(2, { discount: '1' })] }, { model: grown });
    expect(await warehouse.rows('select * from analyst.prices order by 1')).toEqual([
      [1, '9.99'],
      [2, '9.99'],
    ]);
  });

  test.each(['history_sale', 'fact_sale', 'current_sale'])(
    'on %s stops the change of a type under it, and is named',
    async (relation) => {
      const warehouse = await withViewOn(relation);
      await expect(warehouse.load({ model: widened })).rejects.toMatchObject({
        kind: 'warehouse_schema',
        message: expect.stringContaining('view analyst.prices depends on'),
      });
      expect(await warehouse.rows('select * from analyst.prices')).toEqual([[1, '9.99']]);
      await warehouse.client.query('drop view analyst.prices');
      await warehouse.load({ model: widened });
      expect(await warehouse.rows('select price from history_sale')).toEqual([['9.9900']]);
    },
  );
});

test('who may read a history view may still when it had to be made again', async () => {
  const warehouse = await freshWarehouse(shops);
  await warehouse.initialise();
  const reader = `reader ${randomBytes(4).toString('hex')}`;
  const quoted = warehouse.client.escapeIdentifier(reader);
  await warehouse.client.query(`create role ${quoted}`);
  try {
    await warehouse.client.query(`grant select on history_sale to ${quoted} with grant option`);
    await warehouse.client.query('grant select on history_sale to public');
    const before = await warehouse.rows(PRIVILEGES);
    await warehouse.initialise(widened);
    expect(await warehouse.rows(PRIVILEGES)).toEqual(before);
    expect(before.flat()).toContain(reader);
  } finally {
    await warehouse.client.query(`drop owned by ${quoted}; drop role ${quoted}`);
  }
});

const PRIVILEGES = `
  select grantee, privilege_type, is_grantable from information_schema.table_privileges
  where table_name = 'history_sale' order by 1, 2`;
