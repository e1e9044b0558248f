import type { Cell, ColumnType } from '../shared/types/type.ts';

/** 2000-01-01 in days and microseconds since 1970-01-01: where PostgreSQL's own counting starts. */
export const EPOCH_DAYS = 10_957;
export const EPOCH_MICROS = 946_684_800_000_000n;

/** A value in PostgreSQL's binary form: its length (-1: NULL), and what its type's `…_recv` function reads. */
export function writeCell(type: ColumnType, cell: Cell): Buffer {
  if (cell === null) return int32s(-1);
  switch (type.kind) {
    case 'int':
      return int32s(4, Number(cell));
    case 'date':
      return int32s(4, Number(cell) - EPOCH_DAYS);
    case 'bigint':
    case 'time':
      return int64(BigInt(cell));
    case 'timestamp':
    case 'timestamptz':
      return int64(BigInt(cell) - EPOCH_MICROS);
    case 'double':
      return double(Number(cell));
    case 'boolean':
      return Buffer.from([0, 0, 0, 1, cell === true ? 1 : 0]);
    case 'text':
      return text(String(cell));
    case 'numeric':
      return numeric(String(cell));
  }
}

function int32s(...values: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(4 * values.length);
  for (const [at, value] of values.entries()) bytes.writeInt32BE(value, 4 * at);
  return bytes;
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.allocUnsafe(12);
  bytes.writeInt32BE(8);
  bytes.writeBigInt64BE(value, 4);
  return bytes;
}

function double(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(12);
  bytes.writeInt32BE(8);
  bytes.writeDoubleBE(value, 4);
  return bytes;
}

function text(value: string): Buffer {
  const length = Buffer.byteLength(value);
  const bytes = Buffer.allocUnsafe(4 + length);
  bytes.writeInt32BE(length);
  bytes.write(value, 4, 'utf8');
  return bytes;
}

/** `numeric_recv`'s signs. */
const [POSITIVE, NEGATIVE] = [0x0000, 0x4000];
const SPECIAL = new Map([
  ['NaN', 0xc000],
  ['Infinity', 0xd000],
  ['-Infinity', 0xf000],
]);

/** Groups of four decimal digits around the point: count, weight of the first, sign, decimals to show, groups. */
function numeric(value: string): Buffer {
  const special = SPECIAL.get(value);
  if (special !== undefined) return uint16s(0, 0, special, 0);
  const negative = value.startsWith('-');
  const [whole = '', fraction = ''] = value.slice(negative ? 1 : 0).split('.');
  const head = whole.padStart(Math.ceil(whole.length / 4) * 4, '0');
  const digits = head + fraction.padEnd(Math.ceil(fraction.length / 4) * 4, '0');
  const groups = Array.from({ length: digits.length / 4 }, (_, group) => Number(digits.slice(4 * group, 4 * group + 4)));
  return uint16s(groups.length, head.length / 4 - 1, negative ? NEGATIVE : POSITIVE, fraction.length, ...groups);
}

function uint16s(...values: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(4 + 2 * values.length);
  bytes.writeInt32BE(2 * values.length);
  for (const [at, value] of values.entries()) bytes.writeUInt16BE(value & 0xffff, 4 + 2 * at);
  return bytes;
}
