import { type ColumnType, type NumericDigits, type TextCodec, Unfit } from './type.ts';

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?$/;
const SPECIAL = new Set(['NaN', 'Infinity', '-Infinity']);
const NOT_NUMERIC = new Unfit('is not a decimal number');

/** Rows differ in few ways, types in fewer: one `Unfit` a type, not one a row. */
const unfits = new Map<string, Unfit>();

/** Exact or not at all: a value with more decimals than the type has is refused, never rounded. */
export const numericCodec: TextCodec<string> = {
  parse(text, type) {
    const digits = digitsOf(type);
    if (SPECIAL.has(text)) return digits ? unfit(digits, 'is not a finite number') : text;
    const match = DECIMAL.exec(text);
    const [, sign = '', whole = '', fraction = ''] = match ?? [];
    if (!match || whole + fraction === '') return NOT_NUMERIC;
    const integer = whole.replace(/^0+(?=\d)/, '') || '0';
    if (!digits) return signed(sign, integer, fraction);
    return fit(sign, integer, fraction, digits);
  },
  format: (value) => value,
};

function fit(sign: string, integer: string, fraction: string, digits: NumericDigits): string | Unfit {
  const { precision, scale } = digits;
  const extra = fraction.slice(scale);
  if (/[1-9]/.test(extra)) return unfit(digits, `has more than ${scale} decimals`);
  const places = integer === '0' ? 0 : integer.length;
  if (places > precision - scale) return unfit(digits, `has more than ${precision - scale} digits before the point`);
  return signed(sign, integer, fraction.slice(0, scale).padEnd(scale, '0'));
}

function signed(sign: string, integer: string, fraction: string): string {
  const digits = fraction === '' ? integer : `${integer}.${fraction}`;
  return sign === '-' && /[1-9]/.test(digits) ? `-${digits}` : digits;
}

function digitsOf(type: ColumnType): NumericDigits | null {
  return type.kind === 'numeric' ? type.digits : null;
}

function unfit({ precision, scale }: NumericDigits, what: string): Unfit {
  const reason = `does not fit numeric(${precision},${scale}): it ${what}`;
  const known = unfits.get(reason) ?? new Unfit(reason);
  unfits.set(reason, known);
  return known;
}
