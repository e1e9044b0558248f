import { shopRow, shops } from './shops.ts';
import { freshWarehouse, type Warehouse } from './warehouse.ts';

/** What tests of quarantine look at: the versions of sales, and what waits to become one. */
export const VERSIONS = 'select sale_id, batch_id::int, shop_id, note from fact_sale order by sale_id, batch_id';
export const WAITING = `
  select batch_id::int, record_key, column_name, reason, stage from pipeline.quarantine
  where released_at is null and dropped_at is null order by batch_id, quarantine_id`;

/** A warehouse of `shops` that knows shop 1. */
export async function withShop(): Promise<Warehouse> {
  const warehouse = await freshWarehouse(shops);
  await warehouse.batch({ dim_shop: [shopRow(1)] });
  return warehouse;
}
