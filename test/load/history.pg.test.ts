import { describe, expect, test } from 'vitest';
import { bigint, int, timestamp, timestamptz } from '../../src/shared/model/column.ts';
import { column, key } from '../../src/shared/model/expression.ts';
import { fact } from '../../src/shared/model/fact.ts';
import { model } from '../../src/shared/model/model.ts';
import { table } from '../../src/shared/model/table.ts';
import type { TextRow } from '../support/processed.ts';
import { saleRow, shopRow, shops } from './shops.ts';
import { freshWarehouse } from './warehouse.ts';

const HISTORY = `
  select version::int, batch_id::int, valid_from::text, valid_to::text, is_current, recorded_at::text, changed_columns
  from history_sale where sale_id = 1 order by version`;

const created = { created_date: '2024-08-01', created_time: '10:00:00.123456' };
const updatedAt = (time: string, date = '2024-08-07') => ({ ...created, updated_date: date, updated_time: time });

test('a version is valid from creation, from its update where that moved, else from when it was seen', async () => {
  const warehouse = await freshWarehouse(shops);
  await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: [saleRow(1, updatedAt('09:00:00')), saleRow(2)] });
  await warehouse.batch({ fact_sale: [saleRow(1, { ...updatedAt('12:03:00.5'), price: '1.00', note: 'x' })] });
  await warehouse.batch({ fact_sale: [saleRow(1, { ...updatedAt('12:03:00.5'), price: '2.00' })] });
  expect(await warehouse.rows(HISTORY)).toEqual([
    [1, 1, '2024-08-01 10:00:00.123456+00', '2024-08-07 12:03:00.5+00', false, '2024-08-07 12:00:00+00', null],
    [
      2,
      2,
      '2024-08-07 12:03:00.5+00',
      '2024-08-07 12:30:00+00',
      false,
      '2024-08-07 12:15:00+00',
      ['price', 'note', 'updated_time'],
    ],
    [3, 3, '2024-08-07 12:30:00+00', null, true, '2024-08-07 12:30:00+00', ['price', 'note']],
  ]);
});

test('no version is valid from before the one it replaces, though the source clock is ahead or goes back', async () => {
  const warehouse = await freshWarehouse(shops);
  const ahead = { ...created, created_date: '2024-08-07', created_time: '13:00:00' };
  await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: [saleRow(1, { ...ahead, updated_time: '13:00:00' })] });
  await warehouse.batch({ fact_sale: [saleRow(1, { ...ahead, updated_time: '13:00:00', note: 'seen at 12:15' })] });
  await warehouse.batch({ fact_sale: [saleRow(1, { ...ahead, updated_time: '08:00:00' })] });
  await warehouse.batch({ fact_sale: [saleRow(1, { ...ahead, updated_time: '14:00:00' })] });
  expect((await warehouse.rows(HISTORY)).map((row) => row.slice(2, 5))).toEqual([
    ['2024-08-07 13:00:00+00', '2024-08-07 13:00:00+00', false],
    ['2024-08-07 13:00:00+00', '2024-08-07 13:00:00+00', false],
    ['2024-08-07 13:00:00+00', '2024-08-07 14:00:00+00', false],
    ['2024-08-07 14:00:00+00', null, true],
  ]);
});

test('versions of different keys do not mix, and each key has one current version', async () => {
  const warehouse = await freshWarehouse(shops);
  await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: [saleRow(1), saleRow(2)] });
  await warehouse.batch({ fact_sale: [saleRow(2, { note: 'b' }), saleRow(3)] });
  const all = 'select sale_id, version::int, is_current, changed_columns from history_sale order by 1, 2';
  expect(await warehouse.rows(all)).toEqual([
    [1, 1, true, null],
    [2, 1, false, null],
    [2, 2, true, ['note']],
    [3, 1, true, null],
  ]);
});

test('it says the same whatever the time zone of who asks', async () => {
  const warehouse = await freshWarehouse(shops);
  await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: [saleRow(1, updatedAt('09:00:00'))] });
  await warehouse.client.query("set timezone = 'Asia/Tokyo'");
  expect(await warehouse.rows('select valid_from::text from history_sale')).toEqual([
    ['2024-08-01 19:00:00.123456+09'],
  ]);
});

test('a condition on the key reaches the index of the fact table', async () => {
  const warehouse = await freshWarehouse(shops);
  await warehouse.initialise();
  await warehouse.client.query('set enable_seqscan = off; set enable_bitmapscan = off');
  const plan = await warehouse.rows('explain select * from history_sale where sale_id = 1');
  expect(plan.flat().join('\n')).toContain('Index Cond: (sale_id = 1)');
});

describe('a fact', () => {
  const tick = table('tick', {
    tick_id: bigint().key(),
    value: int(),
    made: timestamp().nullable(),
    touched: timestamptz().nullable(),
  });
  const columns = { tick_id: key(), value: column(), made: column(), touched: column() };
  const select = 'select version::int, valid_from::text, changed_columns from history_tick order by tick_id, version';
  test('with whole timestamps has its instants from them; where one is null, from when it was seen', async () => {
    const options = { recordKey: 'n', createdAt: 'made', lastUpdated: 'touched' } as const;
    const warehouse = await freshWarehouse(
      model({ tables: [tick], dimensions: [], facts: [fact('tick', tick, options, columns)] }),
    );
    const later = '2024-08-07 12:20:00.000001+00';
    await warehouse.batch({
      tick: [row(1, '2024-08-07 11:59:59.999999', null), { ...row(9, null, null), tick_id: '2' }],
    });
    await warehouse.batch({ tick: [row(2, '2024-08-07 11:59:59.999999', null)] });
    await warehouse.batch({ tick: [row(2, '2024-08-07 11:59:59.999999', later)] });
    await warehouse.batch({ tick: [row(2, '2024-08-07 11:59:59.999999', null)] });
    expect(await warehouse.rows(select)).toEqual([
      [1, '2024-08-07 11:59:59.999999+00', null],
      [2, '2024-08-07 12:15:00+00', ['value']],
      [3, later, ['touched']],
      [4, '2024-08-07 12:45:00+00', ['touched']],
      [1, '2024-08-07 12:00:00+00', null],
    ]);
  });

  test('without any knows only when it was seen', async () => {
    const plain = fact('tick', tick, { recordKey: 'n' }, columns);
    const warehouse = await freshWarehouse(model({ tables: [tick], dimensions: [], facts: [plain] }));
    await warehouse.batch({ tick: [row(1, '2020-01-01 00:00:00', null)] });
    await warehouse.batch({ tick: [row(2, '2020-01-01 00:00:00', null)] });
    expect(await warehouse.rows(select)).toEqual([
      [1, '2024-08-07 12:00:00+00', null],
      [2, '2024-08-07 12:15:00+00', ['value']],
    ]);
  });
});

function row(value: number, made: string | null, touched: string | null): TextRow {
  return { tick_id: '1', value: `${value}`, made, touched };
}
