import { factSalesOrder } from '../src/models/totesys/sales.ts';
import { salesOrder } from '../src/models/totesys/source.ts';
import { totesys } from '../src/models/totesys/model.ts';
import { type Model, model } from '../src/shared/model/model.ts';

/** The fact of the benchmark, and the table that it is made of. */
export const TABLE = salesOrder.spec;
export const FACT = factSalesOrder.spec;

/** The product's own fact without its dimensions: what a yardstick of `sales_order` alone does. */
const aloneSpec = { ...FACT, columns: FACT.columns.map((column) => ({ ...column, references: null })) };

/** `totesys` is what is shipped: 11 tables, three stars. `sales_order` is one table of it and its fact, nothing else. */
export const MODELS = {
  totesys,
  sales_order: model({ tables: [salesOrder], dimensions: [], facts: [{ ...factSalesOrder, spec: aloneSpec }] }),
} as const satisfies Readonly<Record<string, Model>>;

export type ModelName = keyof typeof MODELS;
