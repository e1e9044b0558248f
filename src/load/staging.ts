import { pipeline } from 'node:stream/promises';
import type { RecordBatch } from 'apache-arrow';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { PipelineError } from '../shared/errors.ts';
import type { Part } from '../shared/lake/entries.ts';
import type { Lake } from '../shared/lake/lake.ts';
import { bytesOf } from '../shared/lake/read.ts';
import type { FactSpec } from '../shared/model/fact.ts';
import { columnCells, columnData } from '../shared/parquet/cells.ts';
import { decodeBatches } from '../shared/parquet/parquet.ts';
import { fromPostgres } from '../shared/postgres/errors.ts';
import { identifier, identifiers } from '../shared/postgres/sql.ts';
import type { ColumnType } from '../shared/types/type.ts';
import { arrowColumn, cellColumn, constantColumn } from './binary-columns.ts';
import { type ColumnBatch, encodeBinary } from './binary-copy.ts';
import type { BinaryColumn } from './binary-rows.ts';
import type { Target } from './dimension.ts';
import type { DistinctValues } from './distinct.ts';
import { BATCH_ID, sqlType } from './schema/ddl.ts';

export interface StagedColumn {
  readonly name: string;
  readonly type: ColumnType;
}

/** The columns of a fact as they are staged: its own, and the batch that they are of. */
export function stagedColumns(fact: FactSpec): readonly StagedColumn[] {
  return [...fact.columns, { name: BATCH_ID, type: { kind: 'bigint' } }];
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
    const isSent = () => copy.writableLength === 0 && client.connection.stream.writableLength === 0;
    await pipeline(encodeBinary(batches, isSent), copy);
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
  /** Columns, by name, of which all values are to be gathered. */
  readonly distinct?: ReadonlyMap<string, DistinctValues>;
}

/** The rows of a batch's parts, as many at a time as Parquet gives. A part is fetched while the one before it is sent. */
export async function* partRows(
  lake: Lake,
  parts: readonly Part[],
  columns: readonly StagedColumn[],
  options: PartRows = {},
): AsyncGenerator<ColumnBatch> {
  for await (const [part, bytes] of fetched(lake, parts)) yield* rowsOfPart(part, bytes, columns, options);
}

async function* rowsOfPart(
  part: Part,
  bytes: Uint8Array,
  columns: readonly StagedColumn[],
  { isOfModel = true, constant = [], distinct = new Map() }: PartRows,
): AsyncGenerator<ColumnBatch> {
  for await (const rows of decodeBatches(part.key, bytes, part.rows)) {
    const missing = columns.find(({ name }) => !rows.getChild(name));
    if (missing && isOfModel) throw new PipelineError('lake_corrupt', `${part.key} has no column ${missing.name}`, { key: part.key });
    const held = columns.map((column) => binaryColumn(rows, column, distinct.get(column.name)));
    yield { columns: [...held, ...constant.map(constantColumn)], rows: rows.numRows };
  }
}

async function* fetched(lake: Lake, parts: readonly Part[]): AsyncGenerator<readonly [Part, Uint8Array]> {
  let next = fetchPart(lake, parts[0]);
  for (const [at, part] of parts.entries()) {
    const bytes = await next;
    next = fetchPart(lake, parts[at + 1]);
    yield [part, bytes];
  }
}

/** Who waits for it hears of its error; nobody does where the rows before it could not be sent. */
function fetchPart(lake: Lake, part: Part | undefined): Promise<Uint8Array> {
  const bytes = part ? bytesOf(lake, part.key) : Promise.resolve(new Uint8Array());
  bytes.catch(() => undefined);
  return bytes;
}

/** A part from before a column was declared lacks it: then it is null. */
function binaryColumn(rows: RecordBatch, { name, type }: StagedColumn, distinct: DistinctValues | undefined): BinaryColumn {
  const data = columnData(rows, name, type);
  if (data) distinct?.add(data);
  const column = data && arrowColumn(data, type);
  if (column) return column;
  const cells = columnCells(rows, name, type);
  if (cells && !data) distinct?.giveUp();
  return cellColumn(type, cells ?? []);
}

interface FactParts {
  readonly parts: readonly Part[];
  readonly isOfModel: boolean;
  readonly distinct?: ReadonlyMap<string, DistinctValues>;
}

/** Copies parts of a fact, with the batch that they are of. @returns how many rows. */
export async function copyFact(
  { client, lake, batch }: Target,
  fact: FactSpec,
  { parts, isOfModel, distinct = new Map() }: FactParts,
  into: string,
): Promise<number> {
  const rows = partRows(lake, parts, fact.columns, { isOfModel, constant: [BigInt(batch)], distinct });
  return copyRows(client, into, stagedColumns(fact), rows, fact.name);
}
