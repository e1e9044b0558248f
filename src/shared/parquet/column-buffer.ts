import type { Cell, ColumnType } from '../types/type.ts';
import type { ColumnData } from './arrow.ts';

/**
 * The columns of a part while it is being filled: values in Arrow's layout, written by row number. A row may be written
 * again as long as no later one was: so a row that turns out not to fit costs nothing to take back. There has to be room
 * for a row before it is written.
 */
export abstract class ColumnBuffer {
  readonly type: ColumnType;
  /** A byte a row; none while no row was null. */
  #valid: Uint8Array | null = null;
  #capacity = 0;

  constructor(type: ColumnType) {
    this.type = type;
  }

  /** Makes room for so many rows, more than there was. */
  grow(rows: number): void {
    this.#capacity = rows;
    if (this.#valid) this.#valid = larger(this.#valid, new Uint8Array(rows).fill(1));
  }

  set(row: number, cell: Cell): void {
    if (cell === null) this.setNull(row);
    else this.setValue(row, cell);
  }

  setNull(row: number): void {
    this.#valid ??= new Uint8Array(this.#capacity).fill(1);
    this.#valid[row] = 0;
    this.clear(row);
  }

  /** The first `rows` rows, which leave with the memory that they are in: there is no room any more. */
  take(rows: number): ColumnData {
    const valid = this.#valid?.subarray(0, rows);
    const nullCount = valid ? rows - valid.reduce((sum, bit) => sum + bit, 0) : 0;
    const nullBitmap = valid && nullCount > 0 ? packed(valid) : null;
    this.#valid = null;
    this.#capacity = 0;
    return { length: rows, nullCount, nullBitmap, ...this.takeValues(rows) };
  }

  protected mark(row: number): void {
    if (this.#valid) this.#valid[row] = 1;
  }

  protected abstract setValue(row: number, cell: Exclude<Cell, null>): void;
  /** A row that is null still has a place. */
  protected abstract clear(row: number): void;
  protected abstract takeValues(rows: number): Pick<ColumnData, 'data' | 'valueOffsets'>;
}

/** What is there, with more room behind it. */
export function larger<A extends Uint8Array | Int32Array | Float64Array>(from: A, into: A): A {
  into.set(from);
  return into;
}

/** Arrow packs bits least significant first. */
export function packed(bytes: Uint8Array): Uint8Array {
  const bits = new Uint8Array(Math.ceil(bytes.length / 8));
  for (let row = 0; row < bytes.length; row += 1) {
    if (bytes[row] === 1) bits[row >> 3] = (bits[row >> 3] ?? 0) | (1 << (row & 7));
  }
  return bits;
}
