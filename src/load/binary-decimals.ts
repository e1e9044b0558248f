import type { Data } from 'apache-arrow';
import { decimalText } from '../shared/parquet/cells.ts';
import type { ColumnType } from '../shared/types/type.ts';
import { writeCell } from './binary-cells.ts';
import { type BinaryColumn, LENGTH_BYTES, type Rows, Validity, WORD, writeNull } from './binary-rows.ts';

/** `numeric_recv` reads groups of four decimal digits, counted from the point: this many a group. */
const GROUP = 10_000;
const HEAD_BYTES = 8;
const [POSITIVE, NEGATIVE] = [0x0000, 0x4000];

/** Decimals of 128 bits, by integer arithmetic where a number holds them exactly. */
export class DecimalColumn implements BinaryColumn {
  readonly #words: Uint32Array;
  readonly #validity: Validity;
  readonly #scale: number;
  /** What a value without its point is divided by to get the whole. */
  readonly #divisor: number;
  readonly #fractionGroups: number;
  readonly #padding: number;

  constructor(data: Data, scale: number) {
    const { buffer, byteOffset, byteLength } = data.values;
    this.#words = new Uint32Array(buffer, byteOffset, byteLength / 4);
    this.#validity = new Validity(data);
    this.#scale = scale;
    this.#divisor = 10 ** scale;
    this.#fractionGroups = Math.ceil(scale / 4);
    this.#padding = 10 ** (this.#fractionGroups * 4 - scale);
  }

  measure(from: number, count: number, sizes: Int32Array): void {
    for (let row = 0; row < count; row += 1) {
      sizes[row] = (sizes[row] ?? 0) + LENGTH_BYTES + (this.#validity.isNull(from + row) ? 0 : this.#bytesOf(from + row));
    }
  }

  write(rows: Rows): void {
    const { from, count, view, at } = rows;
    for (let row = 0; row < count; row += 1) {
      if (this.#validity.isNull(from + row)) {
        writeNull(rows, row);
        continue;
      }
      const place = at[row] ?? 0;
      const value = this.#valueOf(from + row);
      at[row] = Number.isNaN(value) ? this.#writeText(view, place, from + row) : this.#writeValue(view, place, value);
    }
  }

  /** Without its point; NaN where a number does not hold it exactly, or the arithmetic with it. */
  #valueOf(row: number): number {
    const word = row * 4;
    const high = (this.#words[word + 1] ?? 0) | 0;
    const sign = high >> 31;
    const isShort = ((this.#words[word + 2] ?? 0) | 0) === sign && ((this.#words[word + 3] ?? 0) | 0) === sign;
    const value = high * WORD + (this.#words[word] ?? 0);
    return isShort && this.#scale <= 8 && Math.abs(value) < 1e15 ? value : Number.NaN;
  }

  #bytesOf(row: number): number {
    const value = this.#valueOf(row);
    if (Number.isNaN(value)) return writeCell(NUMERIC, decimalText(this.#words, row * 4, this.#scale)).length - LENGTH_BYTES;
    return HEAD_BYTES + 2 * (wholeGroups(Math.floor(Math.abs(value) / this.#divisor)) + this.#fractionGroups);
  }

  #writeValue(view: DataView, place: number, value: number): number {
    const size = Math.abs(value);
    const whole = Math.floor(size / this.#divisor);
    const groups = wholeGroups(whole);
    const all = groups + this.#fractionGroups;
    view.setInt32(place, HEAD_BYTES + 2 * all);
    view.setInt16(place + 4, all);
    view.setInt16(place + 6, groups - 1);
    view.setUint16(place + 8, value < 0 ? NEGATIVE : POSITIVE);
    view.setInt16(place + 10, this.#scale);
    const digits = place + LENGTH_BYTES + HEAD_BYTES;
    writeGroups(view, digits, groups, whole);
    writeGroups(view, digits + 2 * groups, this.#fractionGroups, (size - whole * this.#divisor) * this.#padding);
    return digits + 2 * all;
  }

  #writeText(view: DataView, place: number, row: number): number {
    const bytes = writeCell(NUMERIC, decimalText(this.#words, row * 4, this.#scale));
    new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(bytes, place);
    return place + bytes.length;
  }
}

const NUMERIC: ColumnType = { kind: 'numeric', digits: null };

/** At least one, of a whole number below 10^16. */
function wholeGroups(whole: number): number {
  if (whole < 1e4) return 1;
  if (whole < 1e8) return 2;
  return whole < 1e12 ? 3 : 4;
}

/** The lowest `count` groups of a whole number, the highest first. */
function writeGroups(view: DataView, at: number, count: number, value: number): void {
  let rest = value;
  for (let group = count - 1; group >= 0; group -= 1) {
    const above = Math.floor(rest / GROUP);
    view.setInt16(at + 2 * group, rest - above * GROUP);
    rest = above;
  }
}
