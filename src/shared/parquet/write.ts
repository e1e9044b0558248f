import type * as parquetWasm from 'parquet-wasm';
import type { ColumnEncoding } from './encodings.ts';

export type ParquetModule = typeof parquetWasm;

/** A part as Arrow's IPC stream, and how its columns are to be written: what goes from one thread to another. */
export interface Encodable {
  readonly ipc: Uint8Array;
  readonly encodings: readonly (readonly [column: string, encoding: ColumnEncoding])[];
}

/** One Parquet file: ZSTD, statistics for every column chunk, one row group (parts are bounded where they are cut). */
export function writeFile(module: ParquetModule, { ipc, encodings }: Encodable): Uint8Array {
  const { Compression, EnabledStatistics, Encoding, Table, writeParquet, WriterPropertiesBuilder } = module;
  let properties = new WriterPropertiesBuilder()
    .setCompression(Compression.ZSTD)
    .setStatisticsEnabled(EnabledStatistics.Chunk)
    .setCreatedBy('starling');
  for (const [column, encoding] of encodings) {
    properties = properties.setColumnDictionaryEnabled(column, encoding === 'dictionary');
    if (encoding === 'delta') properties = properties.setColumnEncoding(column, Encoding.DELTA_BINARY_PACKED);
  }
  return writeParquet(Table.fromIPCStream(ipc), properties.build());
}
