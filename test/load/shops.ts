import { int, numeric, text, timestamp } from '../../src/shared/model/column.ts';
import { dimDate, dimension } from '../../src/shared/model/dimension.ts';
import { column, date, datePart, key, timePart } from '../../src/shared/model/expression.ts';
import { fact } from '../../src/shared/model/fact.ts';
import { type Model, model } from '../../src/shared/model/model.ts';
import { table } from '../../src/shared/model/table.ts';
import type { TextRow } from '../support/processed.ts';

/** A star small enough to see through: what shops sold of which item. */
export const shop = table('shop', { shop_id: int().key(), shop_name: text() });

export const item = table('item', { item_id: int().key(), item_name: text(), colour: text().nullable() });

export const saleColumns = {
  sale_id: int().key(),
  shop_id: int(),
  item_id: int().nullable(),
  price: numeric(),
  note: text().nullable(),
  due: text(),
  created_at: timestamp(),
  last_updated: timestamp(),
};

export const sale = table('sale', saleColumns);

export const dimShop = dimension('dim_shop', shop, { shop_id: key(), shop_name: column() });

export const dimItem = dimension('dim_item', item, { item_id: key(), item_name: column(), colour: column() });

export const factOptions = {
  recordKey: 'sale_record_id',
  createdAt: 'created_at',
  lastUpdated: 'last_updated',
} as const;

export const factColumns = {
  sale_id: key(),
  shop_id: column().references(dimShop),
  item_id: column().references(dimItem),
  price: column().as(numeric(10, 2)),
  note: column(),
  due: date('due').references(dimDate),
  created_date: datePart('created_at').references(dimDate),
  created_time: timePart('created_at'),
  updated_date: datePart('last_updated').references(dimDate),
  updated_time: timePart('last_updated'),
};

export const factSale = fact('fact_sale', sale, factOptions, factColumns);

export const shops: Model = model({ tables: [shop, item, sale], dimensions: [dimShop, dimItem], facts: [factSale] });

/** As `shops`, with another declaration of the fact. */
export function shopsWith(changed: typeof factSale | ReturnType<typeof fact>): Model {
  return model({ tables: [shop, item, sale], dimensions: [dimShop, dimItem], facts: [changed] });
}

/** A row of `fact_sale` of which only what matters is said. */
export function saleRow(id: number, differs: TextRow = {}): TextRow {
  return {
    sale_id: String(id),
    shop_id: '1',
    item_id: null,
    price: '9.99',
    note: null,
    due: '2024-08-30',
    created_date: '2024-08-07',
    created_time: '09:00:00',
    updated_date: '2024-08-07',
    updated_time: '09:00:00',
    ...differs,
  };
}

/** The source row that `saleRow(id)` would be made of. */
export function sourceSale(id: string | null, differs: TextRow = {}): TextRow {
  return {
    sale_id: id,
    shop_id: '1',
    item_id: null,
    price: '9.99',
    note: null,
    due: '2024-08-30',
    created_at: '2024-08-07 09:00:00',
    last_updated: '2024-08-07 09:00:00',
    ...differs,
  };
}

export const shopRow = (id: number, name = `shop ${id}`): TextRow => ({ shop_id: String(id), shop_name: name });

export const itemRow = (id: number, name = `item ${id}`): TextRow => ({
  item_id: String(id),
  item_name: name,
  colour: null,
});
