import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { doubleCodec } from '../../../src/shared/types/double.ts';
import { bigintCodec, intCodec } from '../../../src/shared/types/int.ts';
import { numericCodec } from '../../../src/shared/types/numeric.ts';
import { type ColumnType, Unfit } from '../../../src/shared/types/type.ts';

const int: ColumnType = { kind: 'int' };
const bigint: ColumnType = { kind: 'bigint' };
const double: ColumnType = { kind: 'double' };
const unbounded: ColumnType = { kind: 'numeric', digits: null };
const numeric = (precision: number, scale: number): ColumnType => ({ kind: 'numeric', digits: { precision, scale } });
const reason = (cell: unknown): string => (cell instanceof Unfit ? cell.reason : `fits as ${String(cell)}`);

describe('int', () => {
  test.each([
    ['-2147483648', -2_147_483_648],
    ['2147483647', 2_147_483_647],
    ['+7', 7],
    ['-0', 0],
    ['007', 7],
  ])('reads %s', (text, value) => {
    expect(intCodec.parse(text, int)).toBe(value);
  });

  test.each(['-2147483649', '2147483648', '4294967296', '99999999999', '1.0', '1e3', '', '+', '12345678901234567890'])(
    'refuses %s',
    (text) => {
      expect(intCodec.parse(text, int)).toBeInstanceOf(Unfit);
    },
  );
});

describe('bigint', () => {
  test.each([
    ['-9223372036854775808', -(2n ** 63n)],
    ['9223372036854775807', 2n ** 63n - 1n],
    ['+7', 7n],
    ['-0', 0n],
  ])('reads %s', (text, value) => {
    expect(bigintCodec.parse(text, bigint)).toBe(value);
  });

  test.each(['-9223372036854775809', '9223372036854775808', '99999999999999999999', '1.0', '+', '-', '1n', '0b1'])(
    'refuses %s',
    (text) => {
      expect(bigintCodec.parse(text, bigint)).toBeInstanceOf(Unfit);
    },
  );
});

describe('double', () => {
  test.each([
    ['1e21', 1e21],
    ['-1.5E-7', -1.5e-7],
    ['.5', 0.5],
    ['5.', 5],
    ['+2', 2],
    ['1.7976931348623157e+308', Number.MAX_VALUE],
    ['5e-324', 5e-324],
    ['NaN', Number.NaN],
    ['Infinity', Infinity],
    ['-Infinity', -Infinity],
    ['-0', -0],
  ])('reads %s', (text, value) => {
    expect(doubleCodec.parse(text, double)).toBe(value);
  });

  test('refuses digits that only infinity could hold', () => {
    for (const text of ['1e309', '-1e309', '9'.repeat(400)])
      expect(doubleCodec.parse(text, double)).toBeInstanceOf(Unfit);
  });

  test('refuses what is no number', () => {
    for (const text of ['.', 'e5', '1e', '1_000', 'inf', 'nan', '0x1p3']) {
      expect(doubleCodec.parse(text, double)).toBeInstanceOf(Unfit);
    }
  });
});

describe('numeric without digits', () => {
  test.each([
    ['0', '0'],
    ['-0', '0'],
    ['-0.00', '0.00'],
    ['007.10', '7.10'],
    ['+1.5', '1.5'],
    ['.5', '0.5'],
    ['-.5', '-0.5'],
    ['5.', '5'],
    ['1.500', '1.500'],
    ['NaN', 'NaN'],
    ['Infinity', 'Infinity'],
    ['-Infinity', '-Infinity'],
    [
      '1234567890123456789012345678901234567890.12345678901234567890',
      '1234567890123456789012345678901234567890.12345678901234567890',
    ],
  ])('reads %s as %s', (text, value) => {
    expect(numericCodec.parse(text, unbounded)).toBe(value);
  });

  test('refuses what is no plain decimal', () => {
    for (const text of ['', '.', '+', '-', '-.', '1e5', '1.2.3', ' 1', 'inf']) {
      expect(reason(numericCodec.parse(text, unbounded))).toBe('is not a decimal number');
    }
  });
});

describe('numeric with digits', () => {
  test.each([
    ['1', '1.00'],
    ['1.5', '1.50'],
    ['1.50000', '1.50'],
    ['.5', '0.50'],
    ['5.', '5.00'],
    ['+2.5', '2.50'],
    ['99999999.99', '99999999.99'],
    ['-99999999.99', '-99999999.99'],
    ['0000000000099.10', '99.10'],
    ['-0.00', '0.00'],
  ])('numeric(10,2) reads %s as %s', (text, value) => {
    expect(numericCodec.parse(text, numeric(10, 2))).toBe(value);
  });

  test('more decimals are refused, never rounded', () => {
    for (const text of ['3.999', '0.001', '0.0000000000000000001', '-3.141']) {
      expect(reason(numericCodec.parse(text, numeric(10, 2)))).toBe(
        'does not fit numeric(10,2): it has more than 2 decimals',
      );
    }
  });

  test('more digits before the point are refused', () => {
    expect(reason(numericCodec.parse('100000000', numeric(10, 2)))).toBe(
      'does not fit numeric(10,2): it has more than 8 digits before the point',
    );
    expect(reason(numericCodec.parse('1', numeric(2, 2)))).toBe(
      'does not fit numeric(2,2): it has more than 0 digits before the point',
    );
    expect(numericCodec.parse('0.25', numeric(2, 2))).toBe('0.25');
    expect(numericCodec.parse('9'.repeat(38), numeric(38, 0))).toBe('9'.repeat(38));
    expect(numericCodec.parse('9'.repeat(39), numeric(38, 0))).toBeInstanceOf(Unfit);
  });

  test.each(['NaN', 'Infinity', '-Infinity'])('%s is not finite, and nobody sums it up', (text) => {
    expect(reason(numericCodec.parse(text, numeric(10, 2)))).toBe(
      'does not fit numeric(10,2): it is not a finite number',
    );
  });

  test('a reason is one object a type, not one a row', () => {
    expect(numericCodec.parse('1.001', numeric(9, 2))).toBe(numericCodec.parse('2.002', numeric(9, 2)));
  });

  test('a decimal fits exactly when arithmetic says so, and is then the same number', () => {
    const parts = fc
      .record({
        unscaled: fc.bigInt(-(10n ** 14n), 10n ** 14n),
        decimals: fc.nat(6),
        precision: fc.integer({ min: 1, max: 14 }),
        scale: fc.nat(6),
      })
      .filter(({ precision, scale }) => scale <= precision);
    fc.assert(
      fc.property(parts, ({ unscaled, decimals, precision, scale }) => {
        const cell = numericCodec.parse(written(unscaled, decimals), numeric(precision, scale));
        const rescaled = unscaled * 10n ** BigInt(scale);
        const divisor = 10n ** BigInt(decimals);
        const exact = rescaled / divisor;
        const fits = rescaled % divisor === 0n && abs(exact) < 10n ** BigInt(precision);
        expect(cell instanceof Unfit ? null : BigInt(cell.replace('.', ''))).toBe(fits ? exact : null);
      }),
    );
  });
});

function abs(value: bigint): bigint {
  return value < 0n ? -value : value;
}

function written(unscaled: bigint, decimals: number): string {
  const digits = String(abs(unscaled)).padStart(decimals + 1, '0');
  const point = digits.length - decimals;
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, point)}.${digits.slice(point)}`;
}
