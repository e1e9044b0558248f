import type { Cells, FileColumn } from '../shared/parquet/arrow.ts';
import type { Part } from '../shared/lake/entries.ts';
import type { Lake } from '../shared/lake/lake.ts';
import { encodeParquet } from '../shared/parquet/parquet.ts';
import type { Cell } from '../shared/types/type.ts';
import { owned } from './owned.ts';

/** A part holds at most this many rows, and its text at most this many characters: what bounds the memory of a stage. */
const PART_ROWS = 65_536;
const PART_CHARACTERS = 32 * 1024 * 1024;

/** Cuts rows into Parquet parts of bounded size. `add` until `full`, then `flush`; `close` gives the parts. */
export class PartWriter {
  readonly #lake: Lake;
  readonly #columns: readonly FileColumn[];
  readonly #keyOf: (part: number) => string;
  readonly #parts: Part[] = [];
  #cells: Cell[][];
  #rows = 0;
  #characters = 0;

  constructor(lake: Lake, columns: readonly FileColumn[], keyOf: (part: number) => string) {
    this.#lake = lake;
    this.#columns = columns;
    this.#keyOf = keyOf;
    this.#cells = columns.map(() => []);
  }

  get full(): boolean {
    return this.#rows >= PART_ROWS || this.#characters >= PART_CHARACTERS;
  }

  add(row: readonly Cell[]): void {
    for (const [at, cells] of this.#cells.entries()) {
      const cell = row[at] ?? null;
      cells.push(typeof cell === 'string' ? owned(cell) : cell);
      if (typeof cell === 'string') this.#characters += cell.length;
    }
    this.#rows += 1;
  }

  async flush(): Promise<void> {
    if (this.#rows === 0) return;
    const [cells, rows]: [Cells, number] = [this.#cells, this.#rows];
    this.#cells = this.#columns.map(() => []);
    this.#rows = 0;
    this.#characters = 0;
    const key = this.#keyOf(this.#parts.length);
    const body = await encodeParquet(this.#columns, cells, rows);
    const bytes = await this.#lake.put(key, chunksOf(body));
    this.#parts.push({ key, rows, bytes });
  }

  async close(): Promise<readonly Part[]> {
    await this.flush();
    return this.#parts;
  }
}

export function rowsOf(parts: readonly Part[]): number {
  return parts.reduce((sum, part) => sum + part.rows, 0);
}

async function* chunksOf(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body;
}
