import { type Table, tableFromIPC } from 'apache-arrow';
import { PipelineError } from '../errors.ts';
import type { FilledColumn } from './arrow.ts';
import { encodeBeside, startEncoder } from './encoder.ts';
import { type ParquetModule, writeFile } from './write.ts';

/** Five megabytes of WebAssembly: read when the first file is, not when a stage starts. */
let loading: Promise<ParquetModule> | undefined;

function parquet(): Promise<ParquetModule> {
  loading ??= import('./wasm.ts');
  return loading;
}

/** A part of fewer rows is encoded sooner than it is handed over. */
const ROWS_BESIDE = 32_768;

/** Tells that there will be so many rows: with that many, another thread is started to encode them. */
export function expectRows(rows: number): void {
  if (rows >= ROWS_BESIDE) startEncoder();
}

/** A Parquet file, made in another thread where there is one to spare; the memory of the values is not the caller's any more. */
export async function encodeParquet(columns: readonly FilledColumn[]): Promise<Uint8Array> {
  const rows = columns[0]?.values.length ?? 0;
  return (rows >= ROWS_BESIDE ? encodeBeside(columns) : null) ?? writeFile(await parquet(), columns);
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

/** Rows of a record batch: with the 1,024 that are usual, the batches of a part take 20 MB more than its values. */
const BATCH_ROWS = 65_536;

async function readTable(key: string, bytes: Uint8Array): Promise<Table> {
  const { readParquet } = await parquet();
  try {
    return tableFromIPC(readParquet(bytes, { batchSize: BATCH_ROWS }).intoIPCStream());
  } catch (cause) {
    throw new PipelineError('lake_corrupt', `${key} is not a readable Parquet file`, { key }, cause);
  }
}
