import { describe, expect, test } from 'vitest';
import { text } from '../../src/shared/model/column.ts';
import { dimension } from '../../src/shared/model/dimension.ts';
import { key } from '../../src/shared/model/expression.ts';
import { model } from '../../src/shared/model/model.ts';
import { table } from '../../src/shared/model/table.ts';
import { itemRow, saleRow, shopRow, shops } from './shops.ts';
import { freshWarehouse } from './warehouse.ts';

test('a dimension shows the latest state, and rows that do not differ are not touched', async () => {
  const warehouse = await freshWarehouse(shops);
  await warehouse.batch({ dim_shop: [shopRow(1), shopRow(2), shopRow(3)] });
  const untouched = 'select shop_id, ctid, xmin from dim_shop where shop_id in (1, 3) order by 1';
  const before = await warehouse.rows(untouched);
  await warehouse.batch({ dim_shop: [shopRow(1), shopRow(2, 'renamed'), shopRow(3), shopRow(4)] });
  expect(await warehouse.rows('select * from dim_shop order by 1')).toEqual([
    [1, 'shop 1'],
    [2, 'renamed'],
    [3, 'shop 3'],
    [4, 'shop 4'],
  ]);
  expect(await warehouse.rows(untouched)).toEqual(before);
  expect(await warehouse.rows("select counts->'dim_shop' from pipeline.ledger where batch_id = 2")).toEqual([
    [{ staged: 4, written: 2, quarantined: 0, released: 0 }],
  ]);
});

test('a value that becomes null, and a null that becomes a value, are differences', async () => {
  const warehouse = await freshWarehouse(shops);
  for (const colour of [null, 'red', '', null]) {
    await warehouse.batch({ dim_item: [{ ...itemRow(1), colour }] });
    expect(await warehouse.rows('select colour from dim_item')).toEqual([[colour]]);
  }
});

test('a dimension of nothing but its key is filled too, and keys may be any text', async () => {
  const code = table('code', { code: text().key() });
  const codes = model({ tables: [code], dimensions: [dimension('dim_code', code, { code: key() })], facts: [] });
  const warehouse = await freshWarehouse(codes);
  await warehouse.batch({ dim_code: [{ code: 'a' }, { code: '' }] });
  await warehouse.batch({ dim_code: [{ code: 'a' }, { code: "it's; \\." }] });
  expect(await warehouse.rows('select code from dim_code order by 1')).toEqual([[''], ['a'], ["it's; \\."]]);
});

describe('the calendar', () => {
  const DAYS = `
    select date_id::text, year, month, day, day_of_week, day_name, month_name, quarter
    from dim_date d order by d.date_id`;

  test('has each day that any fact refers to, once, and grows', async () => {
    const warehouse = await freshWarehouse(shops);
    await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: [saleRow(1), saleRow(2, { due: '2024-09-01' })] });
    expect(await warehouse.rows(DAYS)).toEqual([
      ['2024-08-07', 2024, 8, 7, 3, 'Wednesday', 'August', 3],
      ['2024-08-30', 2024, 8, 30, 5, 'Friday', 'August', 3],
      ['2024-09-01', 2024, 9, 1, 7, 'Sunday', 'September', 3],
    ]);
    await warehouse.batch({ fact_sale: [saleRow(3, { due: '2024-12-30' }), saleRow(4, { due: '2024-09-01' })] });
    expect((await warehouse.rows(DAYS)).map((row) => row[0])).toEqual([
      '2024-08-07',
      '2024-08-30',
      '2024-09-01',
      '2024-12-30',
    ]);
    expect((await warehouse.rows(DAYS)).at(-1)).toEqual(['2024-12-30', 2024, 12, 30, 1, 'Monday', 'December', 4]);
  });

  test('has years before Christ as negative numbers, and years far away', async () => {
    const warehouse = await freshWarehouse(shops);
    const days = ['0044-03-15 BC', '0001-12-31 BC', '0001-01-01', '12024-02-29'];
    await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: days.map((due, at) => saleRow(at + 1, { due })) });
    const years = 'select date_id::text, year, day_of_week from dim_date d where date_id <> $1 order by d.date_id';
    expect(await warehouse.rows(years, ['2024-08-07'])).toEqual([
      ['0044-03-15 BC', -44, 5],
      ['0001-12-31 BC', -1, 7],
      ['0001-01-01', 1, 1],
      ['12024-02-29', 12024, 4],
    ]);
  });

  test('has the first and the last day that a model lets through', async () => {
    const warehouse = await freshWarehouse(shops);
    const due = ['4714-11-24 BC', '294276-12-31'];
    await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: due.map((day, at) => saleRow(at, { due: day })) });
    expect(await warehouse.rows('select year, month_name, quarter from dim_date where day in (24, 31) order by 1')).toEqual(
      [
        [-4714, 'November', 4],
        [294_276, 'December', 4],
      ],
    );
  });

  test('agrees with an independent calendar for every day of twelve years', async () => {
    const warehouse = await freshWarehouse(shops);
    const first = Date.UTC(1995, 0, 1);
    const days = Array.from({ length: 4383 }, (_, at) => new Date(first + at * 86_400_000));
    const sales = days.map((day, at) => saleRow(at + 1, { due: day.toISOString().slice(0, 10) }));
    await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: sales });
    const expected = days.map((day) => [
      day.toISOString().slice(0, 10),
      day.getUTCFullYear(),
      day.getUTCMonth() + 1,
      day.getUTCDate(),
      day.getUTCDay() || 7,
      inEnglish(day, { weekday: 'long' }),
      inEnglish(day, { month: 'long' }),
      Math.floor(day.getUTCMonth() / 3) + 1,
    ]);
    expect((await warehouse.rows(DAYS)).slice(0, days.length)).toEqual(expected);
  });
});

function inEnglish(day: Date, options: Intl.DateTimeFormatOptions): string {
  return day.toLocaleDateString('en', { timeZone: 'UTC', ...options });
}
