import type { Part } from '../shared/lake/entries.ts';
import type { Lake } from '../shared/lake/lake.ts';
import type { FileColumn } from '../shared/parquet/arrow.ts';
import type { ColumnBuffer } from '../shared/parquet/column-buffer.ts';
import { columnBuffer } from '../shared/parquet/columns.ts';
import { encodeParquet } from '../shared/parquet/parquet.ts';
import { TextBuffer } from '../shared/parquet/text-buffer.ts';
import type { Cell } from '../shared/types/type.ts';

/** A part holds at most this many rows, and about this many bytes of text: what bounds the memory of a stage. */
const PART_ROWS = 65_536;
const PART_TEXT_BYTES = 32 * 1024 * 1024;

/** While parts are encoded and written, the next one is made; not more than these, for the memory that they take. */
const PARTS_AT_WORK = 2;

/** Most batches bring a few rows. */
const FIRST_ROWS = 256;

/**
 * Cuts rows into Parquet parts of bounded size. Rows are written into `buffers` where `reserve` says, and `keep` keeps
 * them; `add` does it all for one. Then `flush` whenever `full`; `close` gives the parts.
 */
export class PartWriter {
  readonly buffers: readonly ColumnBuffer[];
  readonly #lake: Pick<Lake, 'put'>;
  readonly #columns: readonly FileColumn[];
  readonly #keyOf: (part: number) => string;
  readonly #parts: Promise<Part>[] = [];
  readonly #texts: readonly TextBuffer[];
  #capacity = 0;
  /** How many rows to make room for at first. */
  #first = FIRST_ROWS;
  #rows = 0;

  constructor(lake: Pick<Lake, 'put'>, columns: readonly FileColumn[], keyOf: (part: number) => string) {
    this.#lake = lake;
    this.#columns = columns;
    this.#keyOf = keyOf;
    this.buffers = columns.map(({ type }) => columnBuffer(type));
    this.#texts = this.buffers.filter((buffer) => buffer instanceof TextBuffer);
  }

  get full(): boolean {
    return this.#rows >= PART_ROWS || this.#textBytes() >= PART_TEXT_BYTES;
  }

  /** How many rows the part can take yet. */
  get room(): number {
    return PART_ROWS - this.#rows;
  }

  /** Makes room for so many rows; where the first of them goes. */
  reserve(rows: number): number {
    const needed = this.#rows + rows;
    if (needed > this.#capacity) {
      this.#capacity = Math.max(needed, this.#first, Math.min(this.#capacity * 4, PART_ROWS));
      for (const buffer of this.buffers) buffer.grow(this.#capacity);
    }
    return this.#rows;
  }

  /** Keeps so many rows of what was reserved. */
  keep(rows: number): void {
    this.#rows += rows;
  }

  add(row: readonly Cell[]): void {
    const into = this.reserve(1);
    for (const [at, buffer] of this.buffers.entries()) buffer.set(into, row[at] ?? null);
    this.keep(1);
  }

  /** Returns while the part is still being written, unless too many are. */
  async flush(): Promise<void> {
    const rows = this.#rows;
    if (rows === 0) return;
    this.#rows = 0;
    this.#capacity = 0;
    this.#first = Math.min(rows, PART_ROWS);
    const part = this.#write(this.#parts.length, rows);
    // Who asks for it hears of its error, and nobody has to ask: the batch may have failed already.
    part.catch(() => undefined);
    this.#parts.push(part);
    await this.#unlessOneFails(async () => this.#parts.at(-1 - PARTS_AT_WORK));
  }

  async close(): Promise<readonly Part[]> {
    await this.flush();
    return this.#unlessOneFails(async () => Promise.all(this.#parts));
  }

  /** Nothing is still being written when whoever asks hears of an error: what the attempt took may be given back. */
  async #unlessOneFails<T>(wait: () => Promise<T>): Promise<T> {
    try {
      return await wait();
    } catch (error) {
      await Promise.allSettled(this.#parts);
      throw error;
    }
  }

  async #write(number: number, rows: number): Promise<Part> {
    const key = this.#keyOf(number);
    const columns = this.#columns.map(({ name, type, nullable }, at) => {
      const values = this.buffers[at]?.take(rows);
      if (!values) throw new Error(`column ${name} has no buffer`);
      return { name, type, nullable, values };
    });
    const body = await encodeParquet(columns);
    return { key, rows, bytes: await this.#lake.put(key, chunksOf(body)) };
  }

  #textBytes(): number {
    let bytes = 0;
    for (const buffer of this.#texts) bytes += buffer.textBytes(this.#rows);
    return bytes;
  }
}

export function rowsOf(parts: readonly Part[]): number {
  return parts.reduce((sum, part) => sum + part.rows, 0);
}

async function* chunksOf(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body;
}
