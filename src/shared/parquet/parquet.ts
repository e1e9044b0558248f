import { type Table, tableFromIPC, tableToIPC } from 'apache-arrow';
import { PipelineError } from '../errors.ts';
import { arrowTable, type FileColumn } from './arrow.ts';
import type { ColumnBuffer } from './columns.ts';
import { encodeBeside } from './encoder.ts';
import { encodingOf } from './encodings.ts';
import { type ParquetModule, writeFile } from './write.ts';

/** Five megabytes of WebAssembly: read when the first file is, not when a stage starts. */
let loading: Promise<ParquetModule> | undefined;

function parquet(): Promise<ParquetModule> {
  loading ??= import('parquet-wasm');
  return loading;
}

/** A part of fewer rows is encoded before a thread for it has started. */
const ROWS_BESIDE = 32_768;

/**
 * The first `rows` rows as a Parquet file. What is in the buffers now: they may be written to again while the file is
 * being made, in another thread where there is one to spare.
 */
export async function encodeParquet(
  columns: readonly FileColumn[],
  buffers: readonly ColumnBuffer[],
  rows: number,
): Promise<Uint8Array> {
  const children = buffers.map((buffer) => buffer.data(rows));
  const ipc = tableToIPC(arrowTable(columns, children, rows), 'stream');
  const encodings = columns.map(({ name, type }, at) => [name, encodingOf(type, children[at])] as const);
  const beside = rows >= ROWS_BESIDE ? encodeBeside({ ipc, encodings }) : null;
  return beside ?? writeFile(await parquet(), { ipc, encodings });
}

/**
 * Reads a whole Parquet file.
 * @throws PipelineError `lake_corrupt` when the bytes are none, or hold another number of rows than `rows`.
 */
export async function decodeParquet(key: string, bytes: Uint8Array, rows: number): Promise<Table> {
  const table = await readTable(key, bytes);
  if (table.numRows === rows) return table;
  const message = `${key} holds ${table.numRows} rows, but its log entry says ${rows}`;
  throw new PipelineError('lake_corrupt', message, { key });
}

async function readTable(key: string, bytes: Uint8Array): Promise<Table> {
  const { readParquet } = await parquet();
  try {
    return tableFromIPC(readParquet(bytes).intoIPCStream());
  } catch (cause) {
    throw new PipelineError('lake_corrupt', `${key} is not a readable Parquet file`, { key }, cause);
  }
}
