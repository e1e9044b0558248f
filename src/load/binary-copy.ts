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

/** Encodes rows for `COPY … FROM STDIN (FORMAT binary)` in chunks of bounded size. */
export async function* encodeBinary(batches: AsyncIterable<ColumnBatch>): AsyncGenerator<Buffer> {
  yield HEADER;
  const sizes = new Int32Array(CHUNK_ROWS);
  for await (const { columns, rows } of batches) {
    for (let from = 0; from < rows; from += CHUNK_ROWS) {
      yield encodeChunk(columns, from, Math.min(CHUNK_ROWS, rows - from), sizes);
    }
  }
  yield TRAILER;
}

/** Lays the rows one behind the other, then writes a column at a time across them. */
function encodeChunk(columns: readonly BinaryColumn[], from: number, count: number, sizes: Int32Array): Buffer {
  sizes.fill(COUNT_BYTES, 0, count);
  for (const column of columns) column.measure(from, count, sizes);
  let bytes = 0;
  for (let row = 0; row < count; row += 1) {
    const size = sizes[row] ?? 0;
    sizes[row] = bytes;
    bytes += size;
  }
  const chunk = Buffer.allocUnsafe(bytes);
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  const at = sizes;
  for (let row = 0; row < count; row += 1) {
    view.setInt16(at[row] ?? 0, columns.length);
    at[row] = (at[row] ?? 0) + COUNT_BYTES;
  }
  for (const column of columns) column.write({ from, count, view, at });
  return chunk;
}
