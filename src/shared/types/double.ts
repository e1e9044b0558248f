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
    return SPECIAL.get(text) ?? (DOUBLE.test(text) ? Number(text) : NOT_DOUBLE);
  },
  format: (value) => (Object.is(value, -0) ? '-0' : String(value)),
};
