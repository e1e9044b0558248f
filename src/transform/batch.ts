import type { IngestedTable, IngestionEntry, MirrorObjects, ProcessedEntry } from '../shared/lake/entries.ts';
import { dataKey } from '../shared/lake/key.ts';
import type { Lake } from '../shared/lake/lake.ts';
import {
  mirrorColumns,
  type Model,
  outputHash,
  type OutputSpec,
  outputsOf,
  QUARANTINE,
  sourcesOf,
} from '../shared/model/model.ts';
import type { DimensionSpec } from '../shared/model/dimension.ts';
import type { FactSpec } from '../shared/model/fact.ts';
import type { TableSpec } from '../shared/model/table.ts';
import type { Report } from '../shared/report.ts';
import { dimensionRows } from './dimension.ts';
import { factMaker } from './fact.ts';
import { applyBatch, Mirror, readMirror, sameRow, writeMirror } from './mirror.ts';
import { PartWriter, rowsOf } from './parts.ts';
import { recordsOf } from './records.ts';
import { REJECT_COLUMNS, rejectCells, type Reject } from './reject.ts';
import type { Cell } from '../shared/types/type.ts';

export interface BatchInput {
  readonly model: Model;
  readonly ingestion: Lake;
  readonly processed: Lake;
  readonly entry: IngestionEntry;
  /** The processed entry of the batch before; null for batch 1. */
  readonly previous: ProcessedEntry | null;
  readonly attempt: string;
  readonly report: Report;
}

type Outputs = Pick<ProcessedEntry, 'outputs' | 'mirrors'>;

/**
 * Remodels one batch: mirrors first, then the dimensions that these change, then the facts, part by part. Everything is
 * written as new objects under this attempt; the caller's entry makes them count.
 */
export async function transformBatch(input: BatchInput): Promise<Outputs> {
  const { model, entry, processed } = input;
  const rejects = new PartWriter(processed, REJECT_COLUMNS, (part) => keyOf(input, QUARANTINE, part));
  const mirrors = await changedMirrors(input);
  const outputs: ProcessedEntry['outputs'] = {};
  for (const output of outputsOf(model)) {
    const hash = outputHash(model, output);
    const before = input.previous?.outputs[output.name]?.hash ?? null;
    const ready = isFact(output) || isReady(input, output, mirrors);
    const whole = isFact(output) ? isWhole(entry.tables[output.source]) : ready && before !== hash;
    const writer = new PartWriter(processed, output.columns, (part) => keyOf(input, output.name, part));
    const emit = emitter(writer, rejects);
    if (isFact(output)) await writeFact(input, output, emit);
    else if (ready) await writeDimension(input, output, whole, mirrors, emit);
    const parts = [...(await writer.close())];
    const rows = rowsOf(parts);
    if (rows > 0) input.report({ event: 'table', stage: 'transform', batch: entry.batch, table: output.name, rows });
    outputs[output.name] = { hash: ready ? hash : (before ?? ''), whole, rows, parts };
  }
  outputs[QUARANTINE] = await closeRejects(input, rejects);
  return { outputs, mirrors: await writeMirrors(input, mirrors) };
}

type Emit = (row: readonly Cell[] | Reject) => Promise<void>;

/** Sends rows to their output and rejected ones to quarantine, a part at a time. */
function emitter(writer: PartWriter, rejects: PartWriter): Emit {
  return async (row) => {
    const into = isReject(row) ? rejects : writer;
    into.add(isReject(row) ? rejectCells(row) : row);
    if (into.full) await into.flush();
  };
}

/**
 * Whether the mirrors hold what the dimension shows. In a batch that was read before a column was declared they do not
 * yet: the dimension then waits, and is made whole from the batch that brings the column.
 */
function isReady(input: BatchInput, dimension: DimensionSpec, changed: ReadonlyMap<string, Mirror>): boolean {
  return sourcesOf(dimension).every((name) => {
    const table = input.model.tables.find((spec) => spec.name === name);
    const columns = changed.get(name)?.columns ?? input.previous?.mirrors[name]?.columns ?? [];
    return table !== undefined && holds(columns, mirrorColumns(input.model, table));
  });
}

async function writeDimension(
  input: BatchInput,
  dimension: DimensionSpec,
  whole: boolean,
  changed: ReadonlyMap<string, Mirror>,
  emit: Emit,
): Promise<void> {
  const sources = sourcesOf(dimension);
  if (!whole && !sources.some((table) => changed.get(table)?.changed)) return;
  const mirrors = await readMirrorsOf(input, sources, changed);
  for (const row of dimensionRows(input.model, dimension, mirrors, whole)) await emit(row);
}

async function writeFact(input: BatchInput, fact: FactSpec, emit: Emit): Promise<void> {
  const ingested = input.entry.tables[fact.source];
  const source = input.model.tables.find(({ name }) => name === fact.source);
  if (!ingested || !source) return;
  for await (const { header, records } of recordsOf(input.ingestion, ingested)) {
    const make = factMaker(fact, source, header);
    for (const record of records) await emit(make(record));
  }
}

/** The mirrors of all tables that the batch brings rows of, or reads whole, brought up to it. */
async function changedMirrors(input: BatchInput): Promise<Map<string, Mirror>> {
  const mirrors = new Map<string, Mirror>();
  for (const table of input.model.tables) {
    const ingested = input.entry.tables[table.name];
    if (!ingested || mirrorColumns(input.model, table).length === 0) continue;
    if (ingested.rows === 0 && !isWhole(ingested)) continue;
    const mirror = await mirrorFor(input, table, ingested);
    if (!mirror) continue;
    await applyBatch(mirror, input.ingestion, table.name, ingested);
    mirrors.set(table.name, mirror);
  }
  return mirrors;
}

/**
 * A mirror gets other columns, or another key, only from a table that is read whole: there is no other way to fill
 * them. Null where the batch was read before the key was declared.
 */
async function mirrorFor(input: BatchInput, table: TableSpec, ingested: IngestedTable): Promise<Mirror | null> {
  const known = input.previous?.mirrors[table.name];
  const wanted = mirrorColumns(input.model, table);
  if (known && (holds(known.columns, wanted) || !isWhole(ingested))) return readMirror(input.processed, known);
  if (!isWhole(ingested) || !ingested.columns.includes(table.key)) return null;
  return new Mirror(wanted.filter((column) => ingested.columns.includes(column)));
}

/** Whether a mirror of `columns` has all that is wanted, by the same key: the first. */
function holds(columns: readonly string[], wanted: readonly string[]): boolean {
  return columns[0] === wanted[0] && wanted.every((column) => columns.includes(column));
}

function isWhole(ingested: IngestedTable | undefined): boolean {
  return ingested !== undefined && ingested.whole !== null;
}

async function readMirrorsOf(
  input: BatchInput,
  sources: readonly string[],
  changed: ReadonlyMap<string, Mirror>,
): Promise<ReadonlyMap<string, Mirror>> {
  const mirrors = new Map<string, Mirror>();
  for (const table of sources) {
    const known = input.previous?.mirrors[table];
    const mirror = changed.get(table) ?? (known ? await readMirror(input.processed, known) : new Mirror([]));
    mirrors.set(table, mirror);
  }
  return mirrors;
}

async function writeMirrors(input: BatchInput, mirrors: ReadonlyMap<string, Mirror>): Promise<Outputs['mirrors']> {
  const written: Record<string, MirrorObjects> = { ...input.previous?.mirrors };
  const { batch } = input.entry;
  for (const [table, mirror] of mirrors) {
    const known = written[table];
    if (known && !mirror.changed && sameRow(known.columns, mirror.columns)) continue;
    written[table] = await writeMirror(input.processed, mirror, { table, batch, attempt: input.attempt });
  }
  return written;
}

async function closeRejects(input: BatchInput, rejects: PartWriter): Promise<ProcessedEntry['outputs'][string]> {
  const parts = [...(await rejects.close())];
  const quarantined = rowsOf(parts);
  if (quarantined > 0) {
    const message = `${quarantined} rows do not fit the model and go to quarantine`;
    input.report({ event: 'warning', stage: 'transform', batch: input.entry.batch, quarantined, message });
  }
  return { hash: QUARANTINE, whole: false, rows: quarantined, parts };
}

function keyOf(input: BatchInput, table: string, part: number): string {
  return dataKey(table, input.entry.batch, input.attempt, part, 'parquet');
}

function isFact(output: OutputSpec): output is FactSpec {
  return 'recordKey' in output;
}

function isReject(row: readonly Cell[] | Reject): row is Reject {
  return 'reason' in row;
}
