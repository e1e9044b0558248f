import type { Cell, ColumnType } from '../types/type.ts';
import { ColumnBuffer, larger } from './column-buffer.ts';

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
