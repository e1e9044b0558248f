import type { Cell } from '../types/type.ts';
import { ColumnBuffer, larger } from './column-buffer.ts';

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
