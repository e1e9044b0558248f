/** DuckDB as the independent reader of what Starling writes. All values come as DuckDB's text, null as null. */

import { type DuckDBConnection, DuckDBInstance, type JS } from '@duckdb/node-api';
import { join } from 'node:path';
import type { Part } from '../../src/shared/lake/entries.ts';
import type { Lake } from '../../src/shared/lake/lake.ts';
import { afterwards } from './postgres.ts';

export type TextRow = readonly (string | null)[];

export interface Duck {
  /** The rows of a query, in its order. */
  readonly rows: (query: string) => Promise<readonly TextRow[]>;
  readonly run: (statement: string) => Promise<void>;
}

export async function openDuck(): Promise<Duck> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  afterwards(async () => connection.closeSync());
  await connection.run(`set timezone = 'UTC'`);
  return {
    rows: async (query) => textRows(connection, query),
    run: async (statement) => {
      await connection.run(statement);
    },
  };
}

async function textRows(connection: DuckDBConnection, query: string): Promise<readonly TextRow[]> {
  const reader = await connection.runAndReadAll(`select columns(*)::varchar from (${query})`);
  return reader.getRowsJS().map((row) => row.map(textOf));
}

function textOf(cell: JS): string | null {
  if (cell === null || typeof cell === 'string') return cell;
  throw new TypeError('every column is cast to text');
}

/** `from` what a lake's Parquet parts hold; without parts, nothing of `columns`. */
export function parquetOf(lake: Lake, parts: readonly Part[], columns: readonly string[]): string {
  if (parts.length > 0) return `read_parquet(${list(parts.map((part) => pathOf(lake, part.key)))})`;
  return `(select ${columns.map((name) => `null as ${quoted(name)}`).join(', ')} limit 0)`;
}

/** `from` what a lake's CSV parts hold, as text; DuckDB reads PostgreSQL's dialect only under these options. */
export function csvOf(lake: Lake, parts: readonly Part[], columns: readonly string[]): string {
  if (parts.length === 0)
    return `(select ${columns.map((name) => `null::varchar as ${quoted(name)}`).join(', ')} limit 0)`;
  const files = list(parts.map((part) => pathOf(lake, part.key)));
  const types = columns.map((name) => `${literal(name)}: 'varchar'`).join(', ');
  const dialect = `auto_detect = false, header = true, delim = ',', quote = '"', escape = '"', strict_mode = false`;
  return `read_csv(${files}, ${dialect}, nullstr = '', allow_quoted_nulls = false, columns = {${types}})`;
}

export function pathOf(lake: Lake, key: string): string {
  return join(lake.location, key);
}

function list(paths: readonly string[]): string {
  return `[${paths.map(literal).join(', ')}]`;
}

export function literal(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
