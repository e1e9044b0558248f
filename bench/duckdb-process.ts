/** A process that has DuckDB turn CSV into a Parquet file, and says what it took: a yardstick. */

import { DuckDBInstance } from '@duckdb/node-api';
import { FACT, TABLE } from './models.ts';
import { answer, serve } from './child.ts';
import { measured } from './measured.ts';
import { duckColumn, duckTypes, literal } from './duckdb-sql.ts';

export interface DuckJob {
  /** In order. */
  readonly csv: readonly string[];
  readonly parquet: string;
  readonly threads: number;
  /** A file of ours: what it is compressed by, DuckDB's is, too. */
  readonly like: string;
}

function isDuckJob(job: unknown): job is DuckJob {
  return typeof job === 'object' && job !== null && 'csv' in job && 'parquet' in job && 'like' in job;
}

/** parquet-wasm writes ZSTD at level 1; DuckDB's own default is 3. */
const ZSTD_LEVEL = 1;

function copyStatement({ csv, parquet }: DuckJob, codec: string): string {
  const dialect = `auto_detect = false, header = true, delim = ',', quote = '"', escape = '"'`;
  const nulls = `nullstr = '', allow_quoted_nulls = false`;
  const from = `read_csv([${csv.map(literal).join(', ')}], ${dialect}, ${nulls}, columns = ${duckTypes(TABLE, FACT)})`;
  const columns = FACT.columns.map((column) => duckColumn(column)).join(', ');
  const level = codec === 'zstd' ? `, compression_level ${ZSTD_LEVEL}` : '';
  return `copy (select ${columns} from ${from}) to ${literal(parquet)} (format parquet, compression ${codec}${level})`;
}

serve(async (job) => {
  if (!isDuckJob(job)) throw new TypeError('that is no job for DuckDB');
  const instance = await DuckDBInstance.create(':memory:', { threads: String(job.threads) });
  const connection = await instance.connect();
  const codecs = `select distinct lower(compression) from parquet_metadata(${literal(job.like)})`;
  const codec = String((await connection.runAndReadAll(codecs)).getRows()[0]?.[0]);
  const statement = copyStatement(job, codec);
  let rows = 0;
  const took = await measured(async () => {
    rows = Number((await connection.runAndReadAll(statement)).getRows()[0]?.[0]);
  });
  connection.closeSync();
  return answer(took, rows);
});
