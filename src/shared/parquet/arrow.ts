import {
  Bool,
  type Data,
  type DataType,
  DateDay,
  Decimal,
  Field,
  Float64,
  Int32,
  Int64,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  TimeMicrosecond,
  TimestampMicrosecond,
  Utf8,
} from 'apache-arrow';
import type { Cell, ColumnType } from '../types/type.ts';

/** A column of a Parquet file. */
export interface FileColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
}

/** Column-wise rows: `cells[c][r]` is row r of column c. */
export type Cells = readonly (readonly Cell[])[];

/** The logical type that the column has in Parquet. An unbounded numeric fits no decimal, so its digits travel as text. */
export function arrowType(type: ColumnType): DataType {
  switch (type.kind) {
    case 'int':
      return new Int32();
    case 'bigint':
      return new Int64();
    case 'double':
      return new Float64();
    case 'text':
      return new Utf8();
    case 'boolean':
      return new Bool();
    case 'date':
      return new DateDay();
    case 'time':
      return new TimeMicrosecond();
    case 'timestamp':
      return new TimestampMicrosecond();
    case 'timestamptz':
      return new TimestampMicrosecond('UTC');
    case 'numeric':
      return type.digits ? new Decimal(type.digits.scale, type.digits.precision, 128) : new Utf8();
  }
}

/** Builds an Arrow table of one record batch from columns of equal length. */
export function arrowTable(columns: readonly FileColumn[], cells: Cells, rows: number): Table {
  const fields = columns.map(({ name, type, nullable }) => new Field(name, arrowType(type), nullable));
  const children = columns.map(({ type }, at) => columnData(type, cells[at] ?? []));
  const struct = makeData({ type: new Struct(fields), length: rows, nullCount: 0, children });
  const schema = new Schema(fields);
  return new Table(schema, [new RecordBatch(schema, struct)]);
}

function columnData(type: ColumnType, cells: readonly Cell[]): Data {
  const length = cells.length;
  const { nullBitmap, nullCount } = validity(cells);
  const shared = { length, nullCount, nullBitmap };
  switch (type.kind) {
    case 'int':
      return makeData({ ...shared, type: new Int32(), data: numbers(new Int32Array(length), cells) });
    case 'date':
      return makeData({ ...shared, type: new DateDay(), data: numbers(new Int32Array(length), cells) });
    case 'double':
      return makeData({ ...shared, type: new Float64(), data: numbers(new Float64Array(length), cells) });
    case 'bigint':
      return makeData({ ...shared, type: new Int64(), data: bigints(length, cells) });
    case 'time':
      return makeData({ ...shared, type: new TimeMicrosecond(), data: bigints(length, cells) });
    case 'timestamp':
      return makeData({ ...shared, type: new TimestampMicrosecond(), data: bigints(length, cells) });
    case 'timestamptz':
      return makeData({ ...shared, type: new TimestampMicrosecond('UTC'), data: bigints(length, cells) });
    case 'boolean':
      return makeData({ ...shared, type: new Bool(), data: bits(length, (row) => cells[row] === true) });
    case 'text':
      return makeData({ ...shared, type: new Utf8(), ...utf8(cells) });
    case 'numeric': {
      if (!type.digits) return makeData({ ...shared, type: new Utf8(), ...utf8(cells) });
      const decimal = new Decimal(type.digits.scale, type.digits.precision, 128);
      return makeData({ ...shared, type: decimal, data: decimals(cells) });
    }
  }
}

function validity(cells: readonly Cell[]): { readonly nullBitmap: Uint8Array | null; readonly nullCount: number } {
  let nullCount = 0;
  for (const cell of cells) if (cell === null) nullCount += 1;
  const nullBitmap = nullCount === 0 ? null : bits(cells.length, (row) => cells[row] !== null);
  return { nullBitmap, nullCount };
}

/** Arrow packs bits least significant first. */
function bits(length: number, isSet: (row: number) => boolean): Uint8Array {
  const packed = new Uint8Array(Math.ceil(length / 8));
  for (let row = 0; row < length; row += 1) {
    if (isSet(row)) packed[row >> 3] = (packed[row >> 3] ?? 0) | (1 << (row & 7));
  }
  return packed;
}

function numbers<A extends Int32Array | Float64Array>(into: A, cells: readonly Cell[]): A {
  for (let row = 0; row < cells.length; row += 1) into[row] = Number(cells[row] ?? 0);
  return into;
}

function bigints(length: number, cells: readonly Cell[]): BigInt64Array {
  const values = new BigInt64Array(length);
  for (let row = 0; row < length; row += 1) values[row] = BigInt(cells[row] ?? 0);
  return values;
}

/** Two's complement in 128 bits, low word first; the cell's digits already have the type's scale. */
function decimals(cells: readonly Cell[]): Uint32Array {
  const words = new BigUint64Array(cells.length * 2);
  for (let row = 0; row < cells.length; row += 1) {
    const unscaled = BigInt(String(cells[row] ?? 0).replace('.', ''));
    words[row * 2] = BigInt.asUintN(64, unscaled);
    words[row * 2 + 1] = BigInt.asUintN(64, unscaled >> 64n);
  }
  return new Uint32Array(words.buffer);
}

function utf8(cells: readonly Cell[]): { readonly valueOffsets: Int32Array; readonly data: Uint8Array } {
  const valueOffsets = new Int32Array(cells.length + 1);
  for (let row = 0; row < cells.length; row += 1) {
    const cell = cells[row];
    const bytes = typeof cell === 'string' ? Buffer.byteLength(cell) : 0;
    valueOffsets[row + 1] = (valueOffsets[row] ?? 0) + bytes;
  }
  const data = Buffer.allocUnsafe(valueOffsets[cells.length] ?? 0);
  for (let row = 0; row < cells.length; row += 1) {
    const cell = cells[row];
    if (typeof cell === 'string') data.write(cell, valueOffsets[row] ?? 0, 'utf8');
  }
  return { valueOffsets, data };
}
