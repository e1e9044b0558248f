import { describe, expect, test } from 'vitest';
import { factMaker } from '../../src/transform/fact.ts';
import { factSale, sale } from '../support/teams.ts';

const HEADER = Object.keys(sale.spec.columns);
const make = factMaker(factSale.spec, sale.spec, HEADER);
const SOLD_AT = '2024-08-07 12:30:00.5';

describe('a fact row', () => {
  test('has the cells of its declared columns, in their order', () => {
    expect(make(['1', '2', '3.5', 't', SOLD_AT])).toEqual([1, 2, '3.50', true, 19_942, 45_000_500_000]);
    expect(make(['1', '2', '3.5', null, SOLD_AT])).toEqual([1, 2, '3.50', null, 19_942, 45_000_500_000]);
  });

  test('is read by the header, wherever the columns stand in it', () => {
    const mixed = factMaker(factSale.spec, sale.spec, ['sold_at', 'unknown', 'price', 'sale_id', 'paid', 'person_id']);
    expect(mixed([SOLD_AT, '?', '3.5', '1', 'f', '2'])).toEqual([1, 2, '3.50', false, 19_942, 45_000_500_000]);
  });

  test('has null for a column that was declared after the batch was read, even if it may not be null', () => {
    const old = factMaker(factSale.spec, sale.spec, ['sale_id', 'paid', 'sold_at']);
    expect(old(['1', 't', SOLD_AT])).toEqual([1, null, null, true, 19_942, 45_000_500_000]);
  });
});

describe('a row that does not fit', () => {
  test.each([
    ['price', '3.999', 'does not fit numeric(10,2): it has more than 2 decimals'],
    ['price', null, 'is null'],
    ['person_id', 'x', 'is not a 32-bit integer'],
    ['sale_id', null, 'is null'],
  ])('because of %s is kept whole, as it was read', (column, value, reason) => {
    const record = ['1', '2', '3.5', null, SOLD_AT];
    record[HEADER.indexOf(column)] = value;
    const row = Object.fromEntries(HEADER.map((name, at) => [name, record[at]]));
    expect(make(record)).toEqual({ table: 'fact_sale', key: record[0], column, reason, row });
  });

  test('because of its time names the column that shows it', () => {
    expect(make(['1', '2', '3.5', null, 'infinity'])).toMatchObject({ column: 'sold_date', reason: 'is infinite' });
  });

  test('has no key where the batch has none', () => {
    expect(factMaker(factSale.spec, sale.spec, ['price'])(['x'])).toMatchObject({
      key: null,
      column: 'price',
      row: { price: 'x' },
    });
  });
});

test('a table that lacks what the model has checked is a bug', () => {
  expect(() => factMaker(factSale.spec, { ...sale.spec, columns: {} }, HEADER)).toThrow(
    'passed the checks of the model',
  );
});
