import { type Table, tableFromIPC, tableToIPC } from 'apache-arrow';
import type * as parquetWasm from 'parquet-wasm';
import { PipelineError } from '../errors.ts';
import { arrowTable, type Cells, type FileColumn } from './arrow.ts';

type ParquetModule = typeof parquetWasm;

/** Five megabytes of WebAssembly: read when the first file is, not when a stage starts. */
let loading: Promise<ParquetModule> | undefined;

function parquet(): Promise<ParquetModule> {
  loading ??= import('parquet-wasm');
  return loading;
}

/** One Parquet file: ZSTD, statistics for every column chunk, one row group (parts are bounded where they are cut). */
export async function encodeParquet(columns: readonly FileColumn[], cells: Cells, rows: number): Promise<Uint8Array> {
  const { Compression, EnabledStatistics, Table: WasmTable, writeParquet, WriterPropertiesBuilder } = await parquet();
  const properties = new WriterPropertiesBuilder()
    .setCompression(Compression.ZSTD)
    .setStatisticsEnabled(EnabledStatistics.Chunk)
    .setCreatedBy('starling')
    .build();
  const table = WasmTable.fromIPCStream(tableToIPC(arrowTable(columns, cells, rows), 'stream'));
  return writeParquet(table, properties);
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
