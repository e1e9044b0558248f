/** What is used of parquet-wasm, five megabytes of WebAssembly, for whoever imports it when there is a file to read or write. */
export {
  Compression, EnabledStatistics, Encoding, readParquet, RecordBatch, Table, writeParquet, WriterPropertiesBuilder,
} from 'parquet-wasm';
