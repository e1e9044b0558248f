import { describe, expect, test } from 'vitest';
import { type Column, int, numeric, text, timestamp, timestamptz } from '../../../src/shared/model/column.ts';
import { dimDate, dimension } from '../../../src/shared/model/dimension.ts';
import { type Evaluate, evaluator } from '../../../src/shared/model/evaluate.ts';
import {
  column,
  currencyName,
  date,
  datePart,
  type Expression,
  key,
  timePart,
} from '../../../src/shared/model/expression.ts';
import { fact } from '../../../src/shared/model/fact.ts';
import { type Table, table } from '../../../src/shared/model/table.ts';
import { type Cell, Unfit } from '../../../src/shared/types/type.ts';

/** Evaluates one column of a dimension over a table of one column, `from`, besides its key. */
function evaluates(from: Column, expression: Expression): (text: string | null) => Cell | string {
  const source: Table = table('t', { id: int().key(), from });
  const shown = dimension('dim_t', source, { id: key(), shown: expression }).spec.columns[1];
  const spec = source.spec.columns['from'];
  if (!shown || !spec) throw new Error('not declared');
  const evaluate: Evaluate = evaluator(shown, spec);
  return (value) => {
    const cell = evaluate(value);
    return cell instanceof Unfit ? `unfit: ${cell.reason}` : cell;
  };
}

describe('a column', () => {
  test('is null only where it may be', () => {
    expect(evaluates(text(), column('from'))(null)).toBe('unfit: is null');
    expect(evaluates(text().nullable(), column('from'))(null)).toBeNull();
    expect(evaluates(text(), column('from'))('')).toBe('');
  });

  test('is held by the declared type first, then by the one it is turned into', () => {
    const narrow = evaluates(numeric(6, 3), column('from').as(numeric(4, 1)));
    expect([narrow('12.5'), narrow('12.50'), narrow('12.55'), narrow('1000')]).toEqual([
      '12.5',
      '12.5',
      'unfit: does not fit numeric(4,1): it has more than 1 decimals',
      'unfit: does not fit numeric(6,3): it has more than 3 digits before the point',
    ]);
    expect(evaluates(int(), column('from').as(text()))('x')).toBe('unfit: is not a 32-bit integer');
    expect(evaluates(int(), column('from').as(text()))('12')).toBe('12');
    expect(evaluates(int(), column('from').as(numeric(4, 2)))('12')).toBe('12.00');
  });
});

describe('the parts of a time', () => {
  test('are taken in UTC, before 1970 too', () => {
    expect(evaluates(timestamp(), datePart('from'))('1969-12-31 23:59:59.5')).toBe(-1);
    expect(evaluates(timestamp(), timePart('from'))('1969-12-31 23:59:59.5')).toBe(86_399_500_000);
    expect(evaluates(timestamptz(), datePart('from'))('2024-02-29 00:00:00+00')).toBe(19_782);
    expect(evaluates(timestamp(), datePart('from'))('yesterday')).toMatch('unfit: is not a timestamp');
  });

  test('are texts where that is asked for', () => {
    expect(evaluates(timestamp(), datePart('from').as(text()))('2024-02-29 12:30:00')).toBe('2024-02-29');
    expect(evaluates(timestamp(), timePart('from').as(text()))('2024-02-29 12:30:00')).toBe('12:30:00');
    expect(evaluates(text(), date('from').as(text()))('2024-02-29')).toBe('2024-02-29');
    expect(evaluates(text(), date('from').as(text()))('2023-02-29')).toMatch('unfit');
    expect(evaluates(timestamp(), datePart('from').as(text()))('never')).toMatch('unfit');
  });
});

test('a date in a text is read exactly or not at all', () => {
  const read = evaluates(text().nullable(), date('from'));
  expect([read('2024-02-29'), read('2023-02-29'), read('29/02/2024'), read(''), read(null)]).toEqual([
    19_782,
    ...Array.from({ length: 3 }, () => 'unfit: is not a date (YYYY-MM-DD)'),
    null,
  ]);
});

test('a currency is named by ISO 4217, and is its own name where ISO has none', () => {
  const name = evaluates(text(), currencyName('from'));
  expect(['GBP', 'USD', 'EUR', 'JPY'].map(name)).toEqual(['British Pound', 'US Dollar', 'Euro', 'Japanese Yen']);
  expect(['QQQ', 'gbp', '', 'GBPX', '£'].map(name)).toEqual(['QQQ', 'gbp', '', 'GBPX', '£']);
});

test('a day beyond the calendar is no key of it, though a date may hold it', () => {
  const source = table('t', { id: int().key(), from: text() });
  const columns = { id: key(), on: date('from').references(dimDate), any: date('from') };
  const [, onCalendar, anyDay] = fact('fact_t', source, { recordKey: 'n' }, columns).spec.columns;
  const spec = source.spec.columns['from'];
  if (!onCalendar || !anyDay || !spec) throw new Error('not declared');
  expect(evaluator(onCalendar, spec)('294276-12-31')).toEqual(evaluator(anyDay, spec)('294276-12-31'));
  expect(evaluator(onCalendar, spec)('294277-01-01')).toMatchObject({
    reason: 'is after the year 294276, where the calendar ends',
  });
  expect(evaluator(anyDay, spec)('294277-01-01')).toEqual(expect.any(Number));
});
