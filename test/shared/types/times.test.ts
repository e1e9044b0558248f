import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { civilFromDays, daysFromCivil, isCivilDate } from '../../../src/shared/types/calendar.ts';
import { dateCodec } from '../../../src/shared/types/date.ts';
import { timeCodec } from '../../../src/shared/types/time.ts';
import { dayOf, microsOfDay, timestampCodec, timestamptzCodec } from '../../../src/shared/types/timestamp.ts';
import { type ColumnType, type TextCodec, Unfit, type Value } from '../../../src/shared/types/type.ts';
import { FIRST_DAY, LAST_DAY } from '../../support/cells.ts';

const MS_PER_DAY = 86_400_000;
const any: ColumnType = { kind: 'text' };

function parse<V extends Value>(codec: TextCodec<V>, text: string): V | string {
  const cell = codec.parse(text, any);
  return cell instanceof Unfit ? cell.reason : cell;
}

describe('the calendar', () => {
  test('is the one of JavaScript’s Date wherever that has one', () => {
    fc.assert(
      fc.property(fc.integer({ min: -100_000_000, max: 100_000_000 }), (days) => {
        const date = new Date(days * MS_PER_DAY);
        const civil = { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
        expect(civilFromDays(days)).toEqual(civil);
        expect(daysFromCivil(civil)).toBe(days);
      }),
      { numRuns: 2_000 },
    );
  });

  test('goes on beyond it without a gap', () => {
    fc.assert(
      fc.property(fc.integer({ min: FIRST_DAY, max: LAST_DAY }), (days) => {
        expect(daysFromCivil(civilFromDays(days))).toBe(days);
        expect(isCivilDate(civilFromDays(days))).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  test('has leap days in years that 4 divides, not 100, but 400', () => {
    const years = [2023, 2024, 1900, 2000, 2100, 0, -4, -100];
    const leap = years.filter((year) => isCivilDate({ year, month: 2, day: 29 }));
    expect(leap).toEqual([2024, 2000, 0, -4]);
  });

  test('has no 13th month, no day 0 and no 30th of February', () => {
    for (const [month, day] of [
      [0, 1],
      [13, 1],
      [1, 0],
      [1, 32],
      [2, 30],
      [4, 31],
    ] as const) {
      expect(isCivilDate({ year: 2024, month, day })).toBe(false);
    }
  });
});

describe('date', () => {
  test.each([
    ['1970-01-01', 0],
    ['1969-12-31', -1],
    ['2024-02-29', 19_782],
    ['0001-01-01', -719_162],
    ['0001-12-31 BC', -719_163],
    ['4714-11-24 BC', FIRST_DAY],
    ['5874897-12-31', LAST_DAY],
    ['10000-01-01', 2_932_897],
  ])('reads and writes %s', (text, days) => {
    expect(parse(dateCodec, text)).toBe(days);
    expect(dateCodec.format(days, any)).toBe(text);
  });

  test.each([
    '0000-01-01',
    '0000-01-01 BC',
    '2023-02-29',
    '2024-02-30',
    '2024-13-01',
    '2024-00-10',
    '2024-04-31',
    '2024-1-1',
    '24-01-01',
    '4714-11-23 BC',
    '5874898-01-01',
    '9999999-01-01',
    '2024-01-01 00:00:00',
    '01/02/2024',
    '-2024-01-01',
    '2024-01-01BC',
  ])('refuses %s', (text) => {
    expect(parse(dateCodec, text)).toBe('is not a date (YYYY-MM-DD)');
  });

  test.each(['infinity', '-infinity'])('%s is said to be infinite', (text) => {
    for (const codec of [timestampCodec, timestamptzCodec]) expect(parse(codec, text)).toBe('is infinite');
    expect(parse(dateCodec, text)).toBe('is infinite');
  });
});

describe('time', () => {
  test.each([
    ['00:00:00', 0],
    ['00:00:00.000001', 1],
    ['08:30:00.5', 30_600_500_000],
    ['23:59:59.999999', 86_399_999_999],
    ['24:00:00', 86_400_000_000],
  ])('reads and writes %s', (text, micros) => {
    expect(parse(timeCodec, text)).toBe(micros);
    expect(timeCodec.format(micros, any)).toBe(text);
  });

  test.each([
    '24:00:00.000001',
    '24:00:01',
    '25:00:00',
    '12:60:00',
    '12:00:60',
    '12:00',
    '1:00:00',
    '12:00:00.1234567',
    '12:00:00+00',
  ])('refuses %s', (text) => {
    expect(parse(timeCodec, text)).toBe('is not a time (HH:MM:SS)');
  });
});

describe('timestamp', () => {
  test.each([
    ['1970-01-01 00:00:00', 0n],
    ['1969-12-31 23:59:59.999999', -1n],
    ['2024-02-29 12:34:56.789012', 1_709_210_096_789_012n],
    ['0044-03-15 12:00:00 BC', -63_517_780_800_000_000n],
    ['294247-01-10 04:00:54.775807', 2n ** 63n - 1n],
  ])('reads and writes %s, with and without a zone', (text, micros) => {
    expect(parse(timestampCodec, text)).toBe(micros);
    expect(timestampCodec.format(micros, any)).toBe(text);
    const zoned = text.endsWith(' BC') ? text.replace(' BC', '+00 BC') : `${text}+00`;
    expect(parse(timestamptzCodec, zoned)).toBe(micros);
    expect(timestamptzCodec.format(micros, any)).toBe(zoned);
  });

  test('reads ISO’s T and midnight at either end', () => {
    expect(parse(timestampCodec, '1970-01-02T00:00:00')).toBe(86_400_000_000n);
    expect(parse(timestampCodec, '1970-01-01 24:00:00')).toBe(86_400_000_000n);
  });

  test('a naive time is no instant with a zone, nor the other way round', () => {
    const reason = 'is not a timestamp (YYYY-MM-DD HH:MM:SS)';
    expect(parse(timestampCodec, '2024-01-01 00:00:00+00')).toBe(reason);
    expect(parse(timestamptzCodec, '2024-01-01 00:00:00')).toBe(reason);
    expect(parse(timestamptzCodec, '2024-01-01 00:00:00+01')).toBe(reason);
    expect(parse(timestamptzCodec, '2024-01-01 00:00:00+00:30')).toBe(reason);
  });

  test.each(['294247-01-10 04:00:54.775808', '294247-01-11 00:00:00', '294276-12-31 23:59:59.999999'])(
    '%s is one that PostgreSQL has, but 64 bits since 1970 have not',
    (text) => {
      expect(parse(timestampCodec, text)).toBe('is outside the years that 64-bit microseconds can hold');
    },
  );

  test.each([
    '2024-02-30 00:00:00',
    '2024-01-01',
    '0000-01-01 00:00:00',
    '2024-01-01 25:00:00',
    '2024-01-01  00:00:00',
  ])('refuses %s', (text) => {
    expect(parse(timestampCodec, text)).toBe('is not a timestamp (YYYY-MM-DD HH:MM:SS)');
  });

  test('falls apart into its day and its time of day, before 1970 too', () => {
    fc.assert(
      fc.property(fc.bigInt(-(2n ** 62n), 2n ** 62n), (value) => {
        const [day, micros] = [dayOf(value), microsOfDay(value)];
        expect(BigInt(day) * 86_400_000_000n + BigInt(micros)).toBe(value);
        expect(micros >= 0 && micros < 86_400_000_000).toBe(true);
      }),
    );
  });
});
