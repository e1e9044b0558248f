import { type TextCodec, Unfit } from './type.ts';

const NOT_DOUBLE = new Unfit('is not a double precision number');
const DOUBLE = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const SPECIAL = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

/** `extra_float_digits = 1` makes PostgreSQL write the shortest text that reads back as the same number, as JavaScript does. */
export const doubleCodec: TextCodec<number> = {
  parse(text) {
    const special = SPECIAL.get(text);
    if (special !== undefined) return special;
    const value = DOUBLE.test(text) ? Number(text) : Number.NaN;
    // Digits that overflow to infinity are refused, as PostgreSQL does.
    return Number.isFinite(value) ? value : NOT_DOUBLE;
  },
  format: (value) => (Object.is(value, -0) ? '-0' : String(value)),
};
