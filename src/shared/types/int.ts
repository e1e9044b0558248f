import { type TextCodec, Unfit } from './type.ts';

const INTEGER = /^[+-]?\d+$/;
const NOT_INT = new Unfit('is not a 32-bit integer');
const NOT_BIGINT = new Unfit('is not a 64-bit integer');

export const intCodec: TextCodec<number> = {
  parse(text) {
    // 11 characters hold every 32-bit integer; longer digits would lose precision before the range is looked at.
    if (text.length > 11 || !INTEGER.test(text)) return NOT_INT;
    const value = Number(text);
    return value === (value | 0) ? value | 0 : NOT_INT;
  },
  format: String,
};

export const bigintCodec: TextCodec<bigint> = {
  parse(text) {
    if (text.length > 20 || !INTEGER.test(text)) return NOT_BIGINT;
    const value = BigInt(text.startsWith('+') ? text.slice(1) : text);
    return BigInt.asIntN(64, value) === value ? value : NOT_BIGINT;
  },
  format: String,
};
