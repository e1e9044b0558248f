/** Ingestion batches without ingest: CSV objects and log entries as it would have written them. */

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { DirectoryLake } from '../../src/local/directory-lake.ts';
import {
  type IngestedTable,
  type IngestionEntry,
  ingestionEntrySchema,
  type Part,
  type ProcessedEntry,
  processedEntrySchema,
} from '../../src/shared/lake/entries.ts';
import { dataKey } from '../../src/shared/lake/key.ts';
import { Log } from '../../src/shared/lake/log.ts';
import { bytesOf } from '../../src/shared/lake/read.ts';
import { declarationHash, type Model, QUARANTINE } from '../../src/shared/model/model.ts';
import type { FileColumn } from '../../src/shared/parquet/arrow.ts';
import { columnCells } from '../../src/shared/parquet/cells.ts';
import { decodeParquet } from '../../src/shared/parquet/parquet.ts';
import type { ReportEvent } from '../../src/shared/report.ts';
import type { Cell } from '../../src/shared/types/type.ts';
import { REJECT_COLUMNS } from '../../src/transform/reject.ts';
import { transform, type TransformContext } from '../../src/transform/transform.ts';
import { chunked, type CsvCell, csvText } from './csv.ts';
import { temporaryDirectory } from './postgres.ts';

export const SNAPSHOT_AT = '2024-08-07T12:00:00.000Z';

export interface SourceRows {
  /** The columns that the batch has, in order; all that the model declares, unless told otherwise. */
  readonly columns?: readonly string[];
  readonly rows: readonly (readonly CsvCell[])[];
  readonly whole?: string | null;
  /** How many objects the rows are spread over. */
  readonly parts?: number;
}

export interface Lakes {
  readonly ingestion: DirectoryLake;
  readonly processed: DirectoryLake;
  readonly logId: string;
}

export async function freshLakes(): Promise<Lakes> {
  const directory = await temporaryDirectory();
  return {
    ingestion: new DirectoryLake(join(directory, 'ingestion')),
    processed: new DirectoryLake(join(directory, 'processed')),
    logId: randomUUID(),
  };
}

export interface BatchOptions {
  readonly logId?: string;
  /** Changes the entry on its way into the log. */
  readonly edit?: (entry: IngestionEntry) => IngestionEntry;
}

/** Commits the next batch of the ingestion log: tables that are not named did not change. */
export async function ingested(
  lakes: Lakes,
  model: Model,
  tables: Readonly<Record<string, SourceRows>>,
  options: BatchOptions = {},
): Promise<IngestionEntry> {
  const log = new Log(lakes.ingestion, ingestionEntrySchema);
  const batch = (await log.head()) + 1;
  const attempt = randomUUID();
  const written: Record<string, IngestedTable> = {};
  for (const { name } of model.tables) {
    written[name] = await writeTable(lakes, model, name, tables[name] ?? { rows: [], whole: null }, { batch, attempt });
  }
  const common = {
    format: 1,
    batch,
    attempt,
    committed_at: SNAPSHOT_AT,
    snapshot_at: SNAPSHOT_AT,
    snapshot: '7:7:',
  } as const;
  const entry: IngestionEntry = {
    ...common,
    log_id: options.logId ?? lakes.logId,
    model: model.hash,
    source: {
      system_identifier: null,
      database_oid: '5',
      in_recovery: false,
      timeline: null,
      address: null,
      port: null,
    },
    tables: written,
  };
  const edited = options.edit?.(entry) ?? entry;
  await log.commit(edited);
  return edited;
}

type Attempt = Pick<IngestionEntry, 'batch' | 'attempt'>;

async function writeTable(
  lakes: Lakes,
  model: Model,
  name: string,
  source: SourceRows,
  of: Attempt,
): Promise<IngestedTable> {
  const table = model.tables.find((spec) => spec.name === name);
  if (!table) throw new Error(`no table ${name}`);
  const columns = [...(source.columns ?? Object.keys(table.columns))];
  const parts = await writeParts(lakes, name, columns, source, of);
  const whole = source.whole === undefined ? (of.batch === 1 ? 'first read' : null) : source.whole;
  const declaration = declarationHash(model, table);
  const common = { declaration, fingerprint: 'f', cursor: '7', leaves: [], columns, whole, digest: null };
  return { ...common, rows: source.rows.length, parts: [...parts] };
}

async function writeParts(
  { ingestion }: Lakes,
  table: string,
  columns: readonly string[],
  { rows, parts: count = 1 }: SourceRows,
  { batch, attempt }: Attempt,
): Promise<readonly Part[]> {
  const parts: Part[] = [];
  const size = Math.ceil(rows.length / count);
  for (let at = 0; at < rows.length; at += size) {
    const key = dataKey(table, batch, attempt, parts.length, 'csv');
    const slice = rows.slice(at, at + size);
    const bytes = await ingestion.put(key, chunked(Buffer.from(csvText(columns, slice)), [65_536]));
    parts.push({ key, rows: slice.length, bytes });
  }
  return parts;
}

export interface Ran {
  readonly batches: number;
  readonly head: number;
  readonly events: readonly ReportEvent[];
}

export async function transformed(lakes: Lakes, model: Model, more: Partial<TransformContext> = {}): Promise<Ran> {
  const events: ReportEvent[] = [];
  const report = (event: ReportEvent): void => void events.push(event);
  const { ingestion, processed } = lakes;
  const { batches, head } = await transform({
    model,
    ingestion,
    processed,
    report,
    now: () => new Date(SNAPSHOT_AT),
    ...more,
  });
  return { batches, head, events };
}

export async function processedEntry(lakes: Lakes, batch: number): Promise<ProcessedEntry> {
  return new Log(lakes.processed, processedEntrySchema).read(batch);
}

/** The rows that a batch has of a dimension or fact. */
export async function outputRows(lakes: Lakes, model: Model, batch: number, name: string): Promise<readonly Cell[][]> {
  const output = [...model.dimensions, ...model.facts].find((spec) => spec.name === name);
  return rowsOf(lakes, batch, name, output?.columns ?? []);
}

export interface RejectedRow {
  readonly table: string;
  readonly key: Cell;
  readonly column: Cell;
  readonly reason: Cell;
  readonly row: unknown;
}

export async function rejectedRows(lakes: Lakes, batch: number): Promise<readonly RejectedRow[]> {
  const rows = await rowsOf(lakes, batch, QUARANTINE, REJECT_COLUMNS);
  return rows.map(([table, key = null, column = null, reason = null, row]) => {
    return { table: String(table), key, column, reason, row: JSON.parse(String(row)) as unknown };
  });
}

async function rowsOf(lakes: Lakes, batch: number, name: string, columns: readonly FileColumn[]): Promise<Cell[][]> {
  const entry = await processedEntry(lakes, batch);
  const rows: Cell[][] = [];
  for (const part of entry.outputs[name]?.parts ?? []) {
    const table = await decodeParquet(part.key, await bytesOf(lakes.processed, part.key), part.rows);
    const cells = columns.map((column) => columnCells(table, column.name, column.type) ?? []);
    for (let at = 0; at < part.rows; at += 1) rows.push(cells.map((column) => column[at] ?? null));
  }
  return rows;
}
