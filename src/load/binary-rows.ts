import type { Data } from 'apache-arrow';

/** Some rows of a column, and where in a buffer each of them is being written. */
export interface Rows {
  readonly from: number;
  readonly count: number;
  readonly view: DataView;
  /** By row, from the first: moves behind what is written. */
  readonly at: Int32Array;
}

/**
 * A column in PostgreSQL's binary form, for many rows at once: the rows are laid side by side, and then a column at a
 * time is written across them, in loops over typed arrays. A value is its length (-1: NULL) and what its type's `…_recv`
 * function reads.
 */
export interface BinaryColumn {
  /** Adds to `sizes`, by row from the first, what each row takes with its length. */
  measure(from: number, count: number, sizes: Int32Array): void;
  /** Some of the rows that were measured last. */
  write(rows: Rows): void;
}

/** Of the length in front of a value. */
export const LENGTH_BYTES = 4;
/** What the higher of two words of 32 bits counts. */
export const WORD = 2 ** 32;

/** Which rows are null. */
export class Validity {
  readonly #bits: Uint8Array | null;
  readonly #offset: number;

  constructor({ nullBitmap, nullCount, offset }: Data) {
    this.#bits = nullCount > 0 ? nullBitmap : null;
    this.#offset = offset;
  }

  get isFull(): boolean {
    return this.#bits === null;
  }

  isNull(row: number): boolean {
    const bit = row + this.#offset;
    return this.#bits !== null && (((this.#bits[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 0;
  }

  /** Of values that have all the same size. */
  measure(from: number, count: number, sizes: Int32Array, bytes: number): void {
    for (let row = 0; row < count; row += 1) sizes[row] = (sizes[row] ?? 0) + LENGTH_BYTES + (this.isNull(from + row) ? 0 : bytes);
  }
}

export function writeNull({ view, at }: Rows, row: number): void {
  const place = at[row] ?? 0;
  view.setInt32(place, -1);
  at[row] = place + LENGTH_BYTES;
}
