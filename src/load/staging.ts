import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { PipelineError } from '../shared/errors.ts';
import type { Part } from '../shared/lake/entries.ts';
import type { Lake } from '../shared/lake/lake.ts';
import { bytesOf } from '../shared/lake/read.ts';
import { columnCells, columnData } from '../shared/parquet/cells.ts';
import { decodeParquet } from '../shared/parquet/parquet.ts';
import { fromPostgres } from '../shared/postgres/errors.ts';
import { identifier, identifiers } from '../shared/postgres/sql.ts';
import type { ColumnType } from '../shared/types/type.ts';
import { arrowColumn, cellColumn, constantColumn } from './binary-columns.ts';
import { type ColumnBatch, encodeBinary } from './binary-copy.ts';
import { sqlType } from './schema/ddl.ts';

export interface StagedColumn {
  readonly name: string;
  readonly type: ColumnType;
}

/** Temporary tables live in the session and are dropped with the transaction that made them. */
export const STAGED = 'pg_temp.staged';

/**
 * Makes an empty temporary table; nothing of it may be null-checked yet: rows that do not fit are to be quarantined.
 */
export async function createStaging(client: pg.Client, name: string, columns: readonly StagedColumn[]): Promise<void> {
  const lines = columns.map((column) => `${identifier(column.name)} ${sqlType(column.type)}`);
  await client.query(`drop table if exists ${name}`);
  await client.query(`create temporary table ${name.replace('pg_temp.', '')} (${lines.join(', ')}) on commit drop`);
}

/**
 * Copies rows into a table in PostgreSQL's binary form, with back-pressure.
 * @param source For an error's message: what is being loaded.
 */
export async function copyRows(
  client: pg.Client,
  into: string,
  columns: readonly StagedColumn[],
  batches: AsyncIterable<ColumnBatch>,
  source: string,
): Promise<number> {
  const names = identifiers(columns.map((column) => column.name));
  const copy = client.query(copyFrom(`copy ${into} (${names}) from stdin (format binary)`));
  try {
    await pipeline(
      Readable.from(
        encodeBinary(batches),
      ),
      copy,
    );
    return copy.rowCount;
  } catch (error) {
    throw fromPostgres('warehouse', error, { table: source });
  }
}

interface PartRows {
  /** Made by the model that reads them: then no column may be missing. */
  readonly isOfModel?: boolean;
  /** Appended to every row. */
  readonly constant?: readonly bigint[];
}

/** The rows of a batch's parts, a part at a time. */
export async function* partRows(
  lake: Lake,
  parts: readonly Part[],
  columns: readonly StagedColumn[],
  { isOfModel = true, constant = [] }: PartRows = {},
): AsyncGenerator<ColumnBatch> {
  for (const part of parts) {
    const table = await decodeParquet(part.key, await bytesOf(lake, part.key), part.rows);
    const held = columns.map(({ name, type }) => {
      const data = columnData(table, name, type);
      const cells = data ? null : columnCells(table, name, type);
      if (!data && !cells && isOfModel) throw new PipelineError('lake_corrupt', `${part.key} has no column ${name}`, { key: part.key });
      // A part from before a column was declared lacks it: then it is null.
      return (data && arrowColumn(data, type)) ?? cellColumn(type, cells ?? columnCells(table, name, type) ?? []);
    });
    yield { columns: [...held, ...constant.map(constantColumn)], rows: part.rows };
  }
}
