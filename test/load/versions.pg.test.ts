import { describe, expect, test } from 'vitest';
import { numeric } from '../../src/shared/model/column.ts';
import { column } from '../../src/shared/model/expression.ts';
import { fact } from '../../src/shared/model/fact.ts';
import type { Superuser } from '../../src/local/postgres/databases.ts';
import { reject } from '../support/processed.ts';
import { otherServers, ownServer, testServer } from '../support/postgres.ts';
import {
  factColumns,
  factOptions,
  factSale,
  itemRow,
  sale,
  saleRow,
  shopRow,
  shops,
  shopsWith,
  sourceSale,
} from './shops.ts';
import { freshWarehouse } from './warehouse.ts';

const widened = shopsWith(fact('fact_sale', sale, factOptions, { ...factColumns, price: column().as(numeric(12, 4)) }));

const HISTORY = `
  select sale_id, batch_id::int, price, note, version::int, valid_from::text, is_current, changed_columns
  from history_sale order by sale_id, version`;

/** One warehouse's life, with everything in it that asks something of the server. */
async function life(server: Superuser): Promise<unknown> {
  const warehouse = await freshWarehouse(shops, { server });
  await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: [saleRow(1), saleRow(2, { shop_id: '2' })] });
  const fine = reject(factSale.spec, 'price', 'has more than 2 decimals', sourceSale('1', { price: '1.2345' }));
  await warehouse.batch({ fact_sale: [saleRow(2, { item_id: '1', due: '0044-03-15 BC' })] }, { rejects: [fine] });
  await warehouse.batch({ fact_sale: [saleRow(1), saleRow(2, { shop_id: '2' })] });
  await warehouse.batch({
    dim_shop: [shopRow(1, 'renamed'), shopRow(2)],
    fact_sale: [saleRow(3, { updated_time: '12:44:00' })],
  });
  const late = { ...saleRow(3, { updated_time: '12:59:00' }), note: 'moved' };
  await warehouse.batch({ dim_item: [itemRow(1)], fact_sale: [late] }, { model: widened });
  expect(await warehouse.initialise(widened)).toEqual([]);
  return {
    history: await warehouse.rows(HISTORY),
    current: await warehouse.rows('select sale_id, batch_id::int, price, note from current_sale order by 1'),
    shops: await warehouse.rows('select * from dim_shop order by 1'),
    days: await warehouse.rows(
      'select date_id::text, year, day_of_week, day_name, month_name from dim_date d order by d.date_id',
    ),
    quarantine: await warehouse.rows(
      'select batch_id::int, record_key, row, released_at is null from pipeline.quarantine order by 1, 2',
    ),
    ledger: await warehouse.rows('select batch_id::int, snapshot_at::text, counts from pipeline.ledger order by 1'),
  };
}

describe('the life of a warehouse', () => {
  test('comes to this', async () => {
    const { history, current } = Object(await life(testServer));
    expect(history).toEqual([
      [1, 1, '9.9900', null, 1, '2024-08-07 09:00:00+00', false, null],
      [1, 2, '1.2345', null, 2, '2024-08-07 12:15:00+00', false, ['price']],
      [1, 3, '9.9900', null, 3, '2024-08-07 12:30:00+00', true, ['price']],
      [2, 1, '9.9900', null, 1, '2024-08-07 09:00:00+00', false, null],
      [2, 2, '9.9900', null, 2, '2024-08-07 12:15:00+00', false, ['shop_id', 'item_id', 'due']],
      [2, 3, '9.9900', null, 3, '2024-08-07 12:30:00+00', true, ['shop_id', 'item_id', 'due']],
      [3, 4, '9.9900', null, 1, '2024-08-07 09:00:00+00', false, null],
      [3, 5, '9.9900', 'moved', 2, '2024-08-07 12:59:00+00', true, ['note', 'updated_time']],
    ]);
    expect(current).toEqual([
      [1, 3, '9.9900', null],
      [2, 3, '9.9900', null],
      [3, 5, '9.9900', 'moved'],
    ]);
  });

  test.runIf(otherServers().length > 0).each(otherServers())(
    'comes to the same on PostgreSQL $major',
    async ({ binariesDirectory }) => {
      const server = await ownServer({ binariesDirectory });
      expect(await life(server)).toEqual(await life(testServer));
    },
  );
});
