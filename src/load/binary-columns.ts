import type { Data } from 'apache-arrow';
import type { Cell, ColumnType } from '../shared/types/type.ts';
import { EPOCH_DAYS, EPOCH_MICROS, writeCell } from './binary-cells.ts';
import { DecimalColumn } from './binary-decimals.ts';
import { type BinaryColumn, LENGTH_BYTES, type Rows, Validity, WORD, writeNull } from './binary-rows.ts';

/** A column as Parquet held it; null for a type that is better written cell by cell. */
export function arrowColumn(data: Data, type: ColumnType): BinaryColumn | null {
  switch (type.kind) {
    case 'int':
      return new Int32Column(data, 0);
    case 'date':
      return new Int32Column(data, EPOCH_DAYS);
    case 'bigint':
    case 'time':
      return new Int64Column(data, 0n);
    case 'timestamp':
    case 'timestamptz':
      return new Int64Column(data, EPOCH_MICROS);
    case 'double':
    case 'boolean':
      return null;
    case 'text':
      return new TextColumn(data);
    case 'numeric':
      return type.digits ? new DecimalColumn(data, type.digits.scale) : null;
  }
}

/** Any column, cell by cell. */
export function cellColumn(type: ColumnType, cells: readonly Cell[]): BinaryColumn {
  return new CellColumn(type, cells);
}

/** The same value in every row. */
export function constantColumn(value: bigint): BinaryColumn {
  return new ConstantColumn(value);
}

class Int32Column implements BinaryColumn {
  readonly #values: Int32Array;
  readonly #validity: Validity;
  readonly #minus: number;

  constructor(data: Data, minus: number) {
    this.#values = data.values;
    this.#validity = new Validity(data);
    this.#minus = minus;
  }

  measure(from: number, count: number, sizes: Int32Array): void {
    this.#validity.measure(from, count, sizes, 4);
  }

  write(rows: Rows): void {
    const { from, count, view, at } = rows;
    for (let row = 0; row < count; row += 1) {
      if (this.#validity.isNull(from + row)) {
        writeNull(rows, row);
        continue;
      }
      const place = at[row] ?? 0;
      view.setInt32(place, 4);
      view.setInt32(place + 4, (this.#values[from + row] ?? 0) - this.#minus);
      at[row] = place + 8;
    }
  }
}

class Int64Column implements BinaryColumn {
  /** Two of 32 bits a value, the lower one first. */
  readonly #words: Int32Array;
  readonly #validity: Validity;
  readonly #minusLow: number;
  readonly #minusHigh: number;

  constructor(data: Data, minus: bigint) {
    const { buffer, byteOffset, byteLength } = data.values;
    this.#words = new Int32Array(buffer, byteOffset, byteLength / 4);
    this.#validity = new Validity(data);
    this.#minusLow = Number(BigInt.asUintN(32, minus));
    this.#minusHigh = Number(minus >> 32n);
  }

  measure(from: number, count: number, sizes: Int32Array): void {
    this.#validity.measure(from, count, sizes, 8);
  }

  write(rows: Rows): void {
    const { from, count, view, at } = rows;
    for (let row = 0; row < count; row += 1) {
      if (this.#validity.isNull(from + row)) {
        writeNull(rows, row);
        continue;
      }
      const word = (from + row) * 2;
      const low = ((this.#words[word] ?? 0) >>> 0) - this.#minusLow;
      const borrow = low < 0 ? 1 : 0;
      const place = at[row] ?? 0;
      view.setInt32(place, 8);
      view.setInt32(place + 4, (this.#words[word + 1] ?? 0) - this.#minusHigh - borrow);
      view.setUint32(place + 8, borrow === 1 ? low + WORD : low);
      at[row] = place + 12;
    }
  }
}

class TextColumn implements BinaryColumn {
  readonly #bytes: Uint8Array;
  readonly #offsets: Int32Array;
  readonly #validity: Validity;

  constructor(data: Data) {
    this.#bytes = data.values;
    this.#offsets = data.valueOffsets;
    this.#validity = new Validity(data);
  }

  measure(from: number, count: number, sizes: Int32Array): void {
    for (let row = 0; row < count; row += 1) {
      const length = (this.#offsets[from + row + 1] ?? 0) - (this.#offsets[from + row] ?? 0);
      sizes[row] = (sizes[row] ?? 0) + LENGTH_BYTES + (this.#validity.isNull(from + row) ? 0 : length);
    }
  }

  write(rows: Rows): void {
    const { from, count, view, at } = rows;
    const into = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    for (let row = 0; row < count; row += 1) {
      if (this.#validity.isNull(from + row)) {
        writeNull(rows, row);
        continue;
      }
      const start = this.#offsets[from + row] ?? 0;
      const end = this.#offsets[from + row + 1] ?? 0;
      const place = at[row] ?? 0;
      view.setInt32(place, end - start);
      into.set(this.#bytes.subarray(start, end), place + LENGTH_BYTES);
      at[row] = place + LENGTH_BYTES + end - start;
    }
  }
}

class ConstantColumn implements BinaryColumn {
  readonly #value: bigint;

  constructor(value: bigint) {
    this.#value = value;
  }

  measure(_from: number, count: number, sizes: Int32Array): void {
    for (let row = 0; row < count; row += 1) sizes[row] = (sizes[row] ?? 0) + 12;
  }

  write({ count, view, at }: Rows): void {
    const [high, low] = [Number(this.#value >> 32n), Number(BigInt.asUintN(32, this.#value))];
    for (let row = 0; row < count; row += 1) {
      const place = at[row] ?? 0;
      view.setInt32(place, 8);
      view.setInt32(place + 4, high);
      view.setUint32(place + 8, low);
      at[row] = place + 12;
    }
  }
}

class CellColumn implements BinaryColumn {
  readonly #type: ColumnType;
  readonly #cells: readonly Cell[];
  /** Encoded when they are measured, by row from the first that is. */
  #encoded: readonly Buffer[] = [];
  #measuredFrom = 0;

  constructor(type: ColumnType, cells: readonly Cell[]) {
    this.#type = type;
    this.#cells = cells;
  }

  measure(from: number, count: number, sizes: Int32Array): void {
    this.#measuredFrom = from;
    this.#encoded = Array.from({ length: count }, (_, row) => writeCell(this.#type, this.#cells[from + row] ?? null));
    for (const [row, bytes] of this.#encoded.entries()) sizes[row] = (sizes[row] ?? 0) + bytes.length;
  }

  write({ from, count, view, at }: Rows): void {
    const into = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const first = from - this.#measuredFrom;
    for (const [row, bytes] of this.#encoded.slice(first, first + count).entries()) {
      into.set(bytes, at[row] ?? 0);
      at[row] = (at[row] ?? 0) + bytes.length;
    }
  }
}
