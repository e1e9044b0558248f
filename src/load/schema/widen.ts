import type { ColumnType, NumericDigits } from '../../shared/types/type.ts';

const NUMERIC = /^numeric\((\d+),(\d+)\)$/;

/** Digits before the point that the integer types need. */
const INTEGER_PLACES = new Map([
  ['integer', 10],
  ['bigint', 19],
]);

/** Whether every value of the existing type (as the catalogue names it) is a value of the declared one. */
export function isWider(existing: string, declared: ColumnType): boolean {
  if (declared.kind === 'bigint') return existing === 'integer';
  if (declared.kind !== 'numeric') return false;
  const digits = digitsOf(existing);
  if (!digits) return false;
  if (!declared.digits) return true;
  const { precision, scale } = declared.digits;
  return scale >= digits.scale && precision - scale >= digits.precision - digits.scale;
}

/** The digits that values of an existing type can have; null where it is no exact number. */
function digitsOf(existing: string): NumericDigits | null {
  const places = INTEGER_PLACES.get(existing);
  if (places !== undefined) return { precision: places, scale: 0 };
  const [, precision, scale] = NUMERIC.exec(existing) ?? [];
  return precision === undefined ? null : { precision: Number(precision), scale: Number(scale) };
}
