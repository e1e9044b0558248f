import { type Data, DataType, type RecordBatch, type Table } from 'apache-arrow';
import { PipelineError } from '../errors.ts';
import { formatCell, parseCell, typeName } from '../types/codecs.ts';
import { type Cell, type ColumnType, Unfit } from '../types/type.ts';

/** The cells of one column of a file, or of some rows of it, in the form that `ColumnType` says; null where the file lacks the column. */
export function columnCells(held: Table | RecordBatch, name: string, type: ColumnType): Cell[] | null {
  const vector = held.getChild(name);
  if (!vector) return null;
  const from = heldType(vector.type, type);
  const cells = vector.data.flatMap((data) => dataCells(data, from));
  return sameType(from, type) ? cells : cells.map((cell) => converted(cell, from, type, name));
}

/** One column of some rows as the file has it; null where it does not, or not of the type that is asked for. */
export function columnData(rows: RecordBatch, name: string, type: ColumnType): Data | null {
  const vector = rows.getChild(name);
  const data = vector?.data[0];
  return vector && data && sameType(heldType(vector.type, type), type) ? data : null;
}

/** The type that a file was written with: another than the declared one when the declaration has changed since. */
function heldType(held: DataType, declared: ColumnType): ColumnType {
  if (DataType.isInt(held)) return { kind: held.bitWidth === 64 ? 'bigint' : 'int' };
  if (DataType.isFloat(held)) return { kind: 'double' };
  if (DataType.isBool(held)) return { kind: 'boolean' };
  if (DataType.isDate(held)) return { kind: 'date' };
  if (DataType.isTime(held)) return { kind: 'time' };
  if (DataType.isTimestamp(held)) return { kind: held.timezone ? 'timestamptz' : 'timestamp' };
  if (DataType.isDecimal(held)) return { kind: 'numeric', digits: { precision: held.precision, scale: held.scale } };
  return declared.kind === 'numeric' && !declared.digits ? declared : { kind: 'text' };
}

function sameType(a: ColumnType, b: ColumnType): boolean {
  return typeName(a) === typeName(b);
}

function converted(cell: Cell, from: ColumnType, to: ColumnType, name: string): Cell {
  const made = parseCell(to, formatCell(from, cell));
  if (!(made instanceof Unfit)) return made;
  const message = `column ${name} was written as ${typeName(from)}; as ${typeName(to)} not all of it fits`;
  throw new PipelineError('model_mismatch', message, { column: name });
}

function dataCells(data: Data, type: ColumnType): Cell[] {
  const cellAt = reader(data, type);
  return Array.from({ length: data.length }, (_, row) => (data.getValid(row) ? cellAt(row) : null));
}

type CellAt = (row: number) => Cell;

/** Reads the raw buffers: Arrow's own accessors turn microseconds into milliseconds. */
function reader(data: Data, type: ColumnType): CellAt {
  const { values } = data;
  switch (type.kind) {
    case 'int':
    case 'double':
    case 'date':
    case 'time':
      return (row) => Number(values[row]);
    case 'bigint':
    case 'timestamp':
    case 'timestamptz':
      return (row) => BigInt(values[row] ?? 0);
    case 'boolean':
      return (row) => ((values[(row + data.offset) >> 3] >> ((row + data.offset) & 7)) & 1) === 1;
    case 'text':
      return utf8Reader(values, data.valueOffsets);
    case 'numeric':
      return type.digits ? decimalReader(values, type.digits.scale) : utf8Reader(values, data.valueOffsets);
  }
}

function utf8Reader(values: Uint8Array, offsets: Int32Array): CellAt {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return (row) => bytes.toString('utf8', offsets[row], offsets[row + 1]);
}

function decimalReader(values: Uint32Array, scale: number): CellAt {
  return (row) => decimalText(values, row * 4, scale);
}

/** The digits of the 128 bits at `at`, with a point before the last `scale`. */
export function decimalText(words: Uint32Array, at: number, scale: number): string {
  let unscaled = 0n;
  for (let word = 3; word >= 0; word -= 1) unscaled = (unscaled << 32n) | BigInt(words[at + word] ?? 0);
  const value = BigInt.asIntN(128, unscaled);
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  const point = digits.length - scale;
  const text = scale === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
  return value < 0n ? `-${text}` : text;
}
