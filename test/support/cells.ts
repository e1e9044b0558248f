/** Random cells of every type of the model language. */

import fc from 'fast-check';
import type { Cell, ColumnType } from '../../src/shared/types/type.ts';

const numeric = (precision: number, scale: number): ColumnType => ({ kind: 'numeric', digits: { precision, scale } });

export const TYPES: readonly ColumnType[] = [
  { kind: 'int' },
  { kind: 'bigint' },
  { kind: 'double' },
  { kind: 'text' },
  { kind: 'boolean' },
  { kind: 'date' },
  { kind: 'time' },
  { kind: 'timestamp' },
  { kind: 'timestamptz' },
  { kind: 'numeric', digits: null },
  numeric(10, 2),
  numeric(38, 0),
  numeric(38, 38),
];

/** The first and last day and instant that PostgreSQL has and 64-bit microseconds since 1970 can hold. */
export const FIRST_DAY = -2_440_588;
export const LAST_DAY = 2_145_042_905;
const FIRST_INSTANT = BigInt(FIRST_DAY) * 86_400_000_000n;
const LAST_INSTANT = 2n ** 63n - 1n;

/** Any text that PostgreSQL can hold: whole characters, no NUL. */
export const anyText = fc.string({ unit: 'binary', maxLength: 12 }).map((text) => text.replaceAll('\0', ''));

export function cellsOf(type: ColumnType): fc.Arbitrary<Exclude<Cell, null>> {
  switch (type.kind) {
    case 'int':
      return fc.oneof(fc.integer(), fc.constantFrom(-(2 ** 31), 2 ** 31 - 1, 0));
    case 'bigint':
      return fc.oneof(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n));
    case 'double':
      return fc.double();
    case 'text':
      return anyText;
    case 'boolean':
      return fc.boolean();
    case 'date':
      return fc.integer({ min: FIRST_DAY, max: LAST_DAY });
    case 'time':
      return fc.integer({ min: 0, max: 86_400_000_000 });
    case 'timestamp':
    case 'timestamptz':
      return fc.bigInt(FIRST_INSTANT, LAST_INSTANT);
    case 'numeric':
      return type.digits
        ? decimals(type.digits.precision, type.digits.scale)
        : fc.oneof(decimals(40, 7), decimals(20, 0));
    default:
      throw new TypeError('not a type');
  }
}

/** Decimals of at most `precision` digits with exactly `scale` decimals. */
function decimals(precision: number, scale: number): fc.Arbitrary<string> {
  const limit = 10n ** BigInt(precision) - 1n;
  return fc.oneof(fc.bigInt(-limit, limit), fc.bigInt(-1000n, 1000n)).map((unscaled) => decimal(unscaled, scale));
}

function decimal(unscaled: bigint, scale: number): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return unscaled < 0n ? `-${text}` : text;
}
