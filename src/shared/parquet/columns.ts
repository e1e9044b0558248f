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

function larger<A extends Uint8Array | Int32Array | Float64Array>(from: A, into: A): A {
  into.set(from);
  return into;
}

/** Arrow packs bits least significant first. */
function packed(bytes: Uint8Array): Uint8Array {
  const bits = new Uint8Array(Math.ceil(bytes.length / 8));
  for (let row = 0; row < bytes.length; row += 1) {
    if (bytes[row] === 1) bits[row >> 3] = (bits[row >> 3] ?? 0) | (1 << (row & 7));
  }
  return bits;
}

/** `int` and `date`. */
export class Int32Buffer extends ColumnBuffer {
  #values = new Int32Array(0);

  override grow(rows: number): void {
    super.grow(rows);
    this.#values = larger(this.#values, new Int32Array(rows));
  }

  setNumber(row: number, value: number): void {
    this.#values[row] = value;
    this.mark(row);
  }

  protected override setValue(row: number, cell: Exclude<Cell, null>): void {
    this.setNumber(row, Number(cell));
  }

  protected override clear(row: number): void {
    this.#values[row] = 0;
  }

  protected override takeValues(rows: number) {
    const data = this.#values.subarray(0, rows);
    this.#values = new Int32Array(0);
    return { data };
  }
}

export class DoubleBuffer extends ColumnBuffer {
  #values = new Float64Array(0);

  override grow(rows: number): void {
    super.grow(rows);
    this.#values = larger(this.#values, new Float64Array(rows));
  }

  protected override setValue(row: number, cell: Exclude<Cell, null>): void {
    this.#values[row] = Number(cell);
    this.mark(row);
  }

  protected override clear(row: number): void {
    this.#values[row] = 0;
  }

  protected override takeValues(rows: number) {
    const data = this.#values.subarray(0, rows);
    this.#values = new Float64Array(0);
    return { data };
  }
}

export class BooleanBuffer extends ColumnBuffer {
  #values = new Uint8Array(0);

  override grow(rows: number): void {
    super.grow(rows);
    this.#values = larger(this.#values, new Uint8Array(rows));
  }

  setBoolean(row: number, value: boolean): void {
    this.#values[row] = value ? 1 : 0;
    this.mark(row);
  }

  protected override setValue(row: number, cell: Exclude<Cell, null>): void {
    this.setBoolean(row, cell === true);
  }

  protected override clear(row: number): void {
    this.#values[row] = 0;
  }

  protected override takeValues(rows: number) {
    const data = packed(this.#values.subarray(0, rows));
    this.#values = new Uint8Array(0);
    return { data };
  }
}

const [WORD, WORD_BITS] = [2 ** 32, 32n];

/**
 * Whole numbers of 64 or 128 bits, as words of 32, lowest first: `bigint`, `time`, `timestamp`, and decimals, whose
 * digits stand for a number without a point. A JavaScript number holds most of them exactly, and needs no BigInt.
 */
export class WordsBuffer extends ColumnBuffer {
  #words = new Int32Array(0);
  readonly #width: 2 | 4;

  constructor(type: ColumnType) {
    super(type);
    this.#width = type.kind === 'numeric' ? 4 : 2;
  }

  override grow(rows: number): void {
    super.grow(rows);
    this.#words = larger(this.#words, new Int32Array(rows * this.#width));
  }

  /** @param value A safe integer. */
  setNumber(row: number, value: number): void {
    const at = row * this.#width;
    const high = Math.floor(value / WORD);
    this.#words[at] = value - high * WORD;
    this.#words[at + 1] = high;
    if (this.#width === 4) {
      const sign = value < 0 ? -1 : 0;
      this.#words[at + 2] = sign;
      this.#words[at + 3] = sign;
    }
    this.mark(row);
  }

  setBigInt(row: number, value: bigint): void {
    const at = row * this.#width;
    let rest = value;
    for (let word = 0; word < this.#width; word += 1) {
      this.#words[at + word] = Number(BigInt.asIntN(32, rest));
      rest >>= WORD_BITS;
    }
    this.mark(row);
  }

  /** A decimal's digits already have the type's scale. */
  protected override setValue(row: number, cell: Exclude<Cell, null>): void {
    this.setBigInt(row, BigInt(typeof cell === 'string' ? cell.replace('.', '') : cell));
  }

  protected override clear(row: number): void {
    this.#words.fill(0, row * this.#width, (row + 1) * this.#width);
  }

  protected override takeValues(rows: number) {
    const { buffer } = this.#words;
    this.#words = new Int32Array(0);
    if (this.#width === 4) return { data: new Uint32Array(buffer, 0, rows * 4) };
    return { data: new BigInt64Array(buffer, 0, rows) };
  }
}

const TEXT_BYTES = 16 * 1024;

/** `text`, and the digits of a numeric without bounds. */
export class TextBuffer extends ColumnBuffer {
  #offsets = new Int32Array(1);
  #bytes = Buffer.alloc(0);

  override grow(rows: number): void {
    super.grow(rows);
    this.#offsets = larger(this.#offsets, new Int32Array(rows + 1));
  }

  /** How many bytes the text of the first `rows` rows takes. */
  textBytes(rows: number): number {
    return this.#offsets[rows] ?? 0;
  }

  setBytes(row: number, bytes: Uint8Array, start: number, end: number): void {
    const at = this.#room(row, end - start);
    // Short copies are quicker by hand than by a call.
    if (end - start > 24) this.#bytes.set(bytes.subarray(start, end), at);
    else for (let from = start, to = at; from < end; from += 1, to += 1) this.#bytes[to] = bytes[from] ?? 0;
    this.mark(row);
  }

  protected override setValue(row: number, cell: Exclude<Cell, null>): void {
    const text = String(cell);
    const at = this.#room(row, Buffer.byteLength(text));
    this.#bytes.write(text, at, 'utf8');
    this.mark(row);
  }

  protected override clear(row: number): void {
    this.#offsets[row + 1] = this.#offsets[row] ?? 0;
  }

  protected override takeValues(rows: number) {
    const [offsets, bytes] = [this.#offsets.subarray(0, rows + 1), this.#bytes.subarray(0, this.textBytes(rows))];
    this.#offsets = new Int32Array(1);
    this.#bytes = Buffer.alloc(0);
    return { valueOffsets: offsets, data: bytes };
  }

  /** Where the text of a row goes, with room for it. */
  #room(row: number, length: number): number {
    const at = this.#offsets[row] ?? 0;
    const end = at + length;
    if (end > this.#bytes.length) {
      // Never from Node's pool, which others use: the memory goes from one thread to another.
      const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, end, TEXT_BYTES));
      this.#bytes.copy(grown, 0, 0, at);
      this.#bytes = grown;
    }
    this.#offsets[row + 1] = end;
    return at;
  }
}

export function columnBuffer(type: ColumnType): ColumnBuffer {
  switch (type.kind) {
    case 'int':
    case 'date':
      return new Int32Buffer(type);
    case 'double':
      return new DoubleBuffer(type);
    case 'boolean':
      return new BooleanBuffer(type);
    case 'bigint':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return new WordsBuffer(type);
    case 'text':
      return new TextBuffer(type);
    case 'numeric':
      return type.digits ? new WordsBuffer(type) : new TextBuffer(type);
  }
}
