import type { BinaryColumn } from './binary-rows.ts';

/** `PGCOPY\n\377\r\n\0`, no flags, no header extension: PostgreSQL's manual, COPY, "Binary Format". */
const HEADER = Buffer.from([0x50, 0x47, 0x43, 0x4f, 0x50, 0x59, 0x0a, 0xff, 0x0d, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
/** A row of -1 fields. */
const TRAILER = Buffer.from([0xff, 0xff]);

/** Rows to be encoded, column-wise. */
export interface ColumnBatch {
  readonly columns: readonly BinaryColumn[];
  readonly rows: number;
}

/** Rows are encoded this many at a time: a chunk of some hundred kilobytes, unless they hold long texts. */
const CHUNK_ROWS = 2_048;

const COUNT_BYTES = 2;
/** Room for a chunk, most of the time. */
const BUFFER_BYTES = 256 * 1024;

/**
 * Encodes rows for `COPY … FROM STDIN (FORMAT binary)` in chunks of bounded size.
 * @param isSent Whether nothing holds the chunks any more that were taken: then the next one is written over the last.
 * What is not garbage need not be collected: 10 MB less of memory at 2,000,000 rows.
 */
export async function* encodeBinary(
  batches: AsyncIterable<ColumnBatch>,
  isSent: () => boolean,
): AsyncGenerator<Buffer> {
  yield HEADER;
  const at = new Int32Array(CHUNK_ROWS);
  let buffer = Buffer.alloc(0);
  for await (const { columns, rows } of batches) {
    for (let from = 0; from < rows; from += CHUNK_ROWS) {
      const count = Math.min(CHUNK_ROWS, rows - from);
      const bytes = layRows(columns, from, count, at);
      if (!isSent() || buffer.length < bytes) buffer = Buffer.allocUnsafe(Math.max(bytes, BUFFER_BYTES));
      writeRows(columns, from, count, at, buffer);
      yield buffer.subarray(0, bytes);
    }
  }
  yield TRAILER;
}

/** Lays rows one behind the other: where each begins. @returns how many bytes they take. */
function layRows(columns: readonly BinaryColumn[], from: number, count: number, sizes: Int32Array): number {
  sizes.fill(COUNT_BYTES, 0, count);
  for (const column of columns) column.measure(from, count, sizes);
  let bytes = 0;
  for (let row = 0; row < count; row += 1) {
    const size = sizes[row] ?? 0;
    sizes[row] = bytes;
    bytes += size;
  }
  return bytes;
}

/** A column at a time, across the rows. @param at Where each row begins; moved to where it ends. */
function writeRows(columns: readonly BinaryColumn[], from: number, count: number, at: Int32Array, into: Buffer): void {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  for (let row = 0; row < count; row += 1) {
    view.setInt16(at[row] ?? 0, columns.length);
    at[row] = (at[row] ?? 0) + COUNT_BYTES;
  }
  for (const column of columns) column.write({ from, count, view, at });
}
