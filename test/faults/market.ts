import { bigint, int, numeric, text, timestamp } from '../../src/shared/model/column.ts';
import { dimDate, dimension } from '../../src/shared/model/dimension.ts';
import { column, datePart, key, lookup, timePart } from '../../src/shared/model/expression.ts';
import { fact } from '../../src/shared/model/fact.ts';
import { model } from '../../src/shared/model/model.ts';
import { table } from '../../src/shared/model/table.ts';

/**
 * A market: stalls in towns, and what they sell. `counter` is what tests know a state of a sale by: no two states of a
 * row have the same. Nothing in the source keeps a sale from naming a stall that comes later.
 */
export const MARKET_SCHEMA = `
  create table town (town_id int primary key, name text not null);
  create table stall (stall_id int primary key, name text not null, town_id int not null);
  create table sale (
    sale_id int primary key, stall_id int not null, price numeric not null, counter bigint not null, note text,
    sold_at timestamp not null, last_updated timestamp not null
  );
  create table refund (
    refund_id int primary key, stall_id int not null, amount numeric not null, counter bigint not null,
    made_at timestamp not null
  )`;

const town = table('town', { town_id: int().key(), name: text() });
const stall = table('stall', { stall_id: int().key(), name: text(), town_id: int() });

const saleColumns = {
  sale_id: int().key(),
  stall_id: int(),
  price: numeric(),
  counter: bigint(),
  sold_at: timestamp(),
  last_updated: timestamp(),
};
const sale = table('sale', saleColumns);
const notedSale = table('sale', { ...saleColumns, note: text().nullable() });

const refund = table('refund', {
  refund_id: int().key(),
  stall_id: int(),
  amount: numeric(),
  counter: bigint(),
  made_at: timestamp(),
});

const dimStall = dimension('dim_stall', stall, {
  stall_id: key(),
  name: column(),
  town_name: lookup('town_id', town, 'name'),
});

const times = { recordKey: 'sale_record_id', createdAt: 'sold_at', lastUpdated: 'last_updated' } as const;

const factColumns = {
  sale_id: key(),
  stall_id: column().references(dimStall),
  price: column().as(numeric(10, 2)),
  counter: column(),
  sold_date: datePart('sold_at').references(dimDate),
  sold_time: timePart('sold_at'),
  updated_date: datePart('last_updated').references(dimDate),
  updated_time: timePart('last_updated'),
};

/** What was declared first. */
export const earlierMarket = model({
  tables: [town, stall, sale],
  dimensions: [dimStall],
  facts: [fact('fact_sale', sale, times, factColumns)],
});

/** A column and a fact later. */
export const market = model({
  tables: [town, stall, notedSale, refund],
  dimensions: [dimStall],
  facts: [
    fact('fact_sale', notedSale, times, { ...factColumns, note: column() }),
    fact('fact_refund', refund, { recordKey: 'refund_record_id' }, {
      refund_id: key(),
      stall_id: column().references(dimStall),
      amount: column().as(numeric(10, 2)),
      counter: column(),
      made_date: datePart('made_at').references(dimDate),
    }),
  ],
});
