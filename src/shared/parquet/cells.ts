import { type Data, type Table, Type } from 'apache-arrow';
import type { Cell, ColumnType } from '../types/type.ts';

/** The cells of one column of an Arrow table, in the form that `ColumnType` says; null where the file lacks the column. */
export function columnCells(table: Table, name: string, type: ColumnType): Cell[] | null {
  const vector = table.getChild(name);
  if (!vector) return null;
  return vector.data.flatMap((data) => dataCells(data, type));
}

function dataCells(data: Data, type: ColumnType): Cell[] {
  const cellAt = reader(data, type);
  return Array.from({ length: data.length }, (_, row) => (data.getValid(row) ? cellAt(row) : null));
}

type CellAt = (row: number) => Cell;

/** Reads the raw buffers: Arrow's own accessors turn microseconds into milliseconds. */
function reader(data: Data, type: ColumnType): CellAt {
  const { values } = data;
  switch (data.typeId) {
    case Type.Int:
    case Type.Float:
    case Type.Date:
    case Type.Time:
    case Type.Timestamp:
      return integerReader(values, type);
    case Type.Bool:
      return (row) => ((values[(row + data.offset) >> 3] >> ((row + data.offset) & 7)) & 1) === 1;
    case Type.Decimal:
      return decimalReader(values, type);
    default:
      return utf8Reader(values, data.valueOffsets);
  }
}

function integerReader(values: ArrayLike<number | bigint>, type: ColumnType): CellAt {
  const wide = type.kind === 'bigint' || type.kind === 'timestamp' || type.kind === 'timestamptz';
  return wide ? (row) => BigInt(values[row] ?? 0) : (row) => Number(values[row]);
}

function utf8Reader(values: Uint8Array, offsets: Int32Array): CellAt {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return (row) => bytes.toString('utf8', offsets[row], offsets[row + 1]);
}

function decimalReader(values: Uint32Array, type: ColumnType): CellAt {
  const scale = type.kind === 'numeric' && type.digits ? type.digits.scale : 0;
  return (row) => decimalText(values, row * 4, scale);
}

function decimalText(words: Uint32Array, at: number, scale: number): string {
  let unscaled = 0n;
  for (let word = 3; word >= 0; word -= 1) unscaled = (unscaled << 32n) | BigInt(words[at + word] ?? 0);
  const value = BigInt.asIntN(128, unscaled);
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  const point = digits.length - scale;
  const text = scale === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
  return value < 0n ? `-${text}` : text;
}
