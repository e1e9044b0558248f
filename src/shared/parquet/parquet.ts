import { type RecordBatch, Table, tableFromIPC } from 'apache-arrow';
import { PipelineError } from '../errors.ts';
import { release } from '../release.ts';
import type { FilledColumn } from './arrow.ts';
import { encodeBeside, startEncoder } from './encoder.ts';
import type * as wasm from './wasm.ts';
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
  const held = await readFile(key, bytes);
  const batches = held.recordBatches();
  expectAll(key, batches, rows);
  // Without rows there is no batch, and yet a schema.
  if (rows === 0) return tableFromIPC(held.intoIPCStream());
  held.free();
  return new Table(batches.flatMap((batch) => tableFromIPC(batch.intoIPCStream()).batches));
}

/**
 * The same, some rows at a time: what is given is there until the next is asked for. The memory of that is given back then, and
 * that of the bytes at once, which a collector would do after tens of megabytes more.
 * @param bytes Nobody else's.
 */
export async function* decodeBatches(key: string, bytes: Uint8Array, rows: number): AsyncGenerator<RecordBatch> {
  const held = await readFile(key, bytes);
  release(bytes);
  const batches = held.recordBatches();
  held.free();
  try {
    expectAll(key, batches, rows);
    for (let batch = batches.shift(); batch; batch = batches.shift()) {
      const stream = batch.intoIPCStream();
      yield* tableFromIPC(stream).batches;
      release(stream);
    }
  } finally {
    for (const batch of batches) batch.free();
  }
}

/**
 * Rows of a record batch, which comes by itself from where Parquet is read: a part at a time takes 17 MB more there and here;
 * with the 1,024 rows that are usual, the batches of a part take 20 MB more than its values.
 */
const BATCH_ROWS = 16_384;

async function readFile(key: string, bytes: Uint8Array): Promise<wasm.Table> {
  const { readParquet } = await parquet();
  try {
    return readParquet(bytes, { batchSize: BATCH_ROWS });
  } catch (cause) {
    throw new PipelineError('lake_corrupt', `${key} is not a readable Parquet file`, { key }, cause);
  }
}

function expectAll(key: string, batches: readonly wasm.RecordBatch[], rows: number): void {
  const found = batches.reduce((sum, batch) => sum + batch.numRows, 0);
  if (found === rows) return;
  throw new PipelineError('lake_corrupt', `${key} holds ${found} rows, but its log entry says ${rows}`, { key });
}
