import { PipelineError } from '../shared/errors.ts';
import type { IngestedTable, IngestionEntry, MirrorObjects, ProcessedEntry } from '../shared/lake/entries.ts';
import type { Lake } from '../shared/lake/lake.ts';
import type { DimensionSpec } from '../shared/model/dimension.ts';
import { mirrorColumns, type Model, outputHash, sourcesOf } from '../shared/model/model.ts';
import type { TableSpec } from '../shared/model/table.ts';
import { applyBatch, Mirror, readMirror, sameRow, writeMirror } from './mirror.ts';
import type { Reject } from './reject.ts';

/** What has to be known of a batch to bring its mirrors up to it. */
export interface MirrorInput {
  readonly model: Model;
  readonly ingestion: Lake;
  readonly processed: Lake;
  readonly entry: IngestionEntry;
  /** The processed entry of the batch before; null for batch 1. */
  readonly previous: ProcessedEntry | null;
  readonly attempt: string;
}

/**
 * What a dimension of this very model was made of has to be there as mirrors: a change of a table without one would be
 * lost, and the dimension not made anew.
 * @throws PipelineError `lake_corrupt`
 */
export function checkMirrors(model: Model, previous: ProcessedEntry | null): void {
  if (previous === null) return;
  for (const dimension of model.dimensions) {
    if (previous.outputs[dimension.name]?.hash !== outputHash(model, dimension)) continue;
    const missing = sourcesOf(dimension).find((table) => !Object.hasOwn(previous.mirrors, table));
    if (missing === undefined) continue;
    const message = `the log entry of batch ${previous.batch} names no mirror of ${missing}, which ${dimension.name} was made of`;
    throw new PipelineError('lake_corrupt', message, { batch: previous.batch, table: missing });
  }
}

/** The mirrors of all tables that the batch brings rows of, or reads whole, brought up to it. */
export async function changedMirrors(
  input: MirrorInput,
  reject: (row: Reject) => Promise<void>,
): Promise<Map<string, Mirror>> {
  const mirrors = new Map<string, Mirror>();
  for (const table of input.model.tables) {
    const ingested = input.entry.tables[table.name];
    if (!ingested || mirrorColumns(input.model, table).length === 0) continue;
    if (ingested.rows === 0 && !isWhole(ingested)) continue;
    const mirror = await mirrorFor(input, table, ingested);
    if (!mirror) continue;
    await applyBatch(mirror, input.ingestion, table.name, ingested, reject);
    mirrors.set(table.name, mirror);
  }
  return mirrors;
}

/**
 * A mirror gets other columns, or another key, only from a table that is read whole: there is no other way to fill
 * them. Null where the batch was read before the key was declared.
 */
async function mirrorFor(input: MirrorInput, table: TableSpec, ingested: IngestedTable): Promise<Mirror | null> {
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

export function isWhole(ingested: IngestedTable | undefined): boolean {
  return ingested !== undefined && ingested.whole !== null;
}

/** The mirrors of the tables that an output reads: those of this batch, else those of the batch before. */
export async function readMirrorsOf(
  input: MirrorInput,
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

/** Writes the mirrors that the batch changed; the others stay the objects that they were. */
export async function writeMirrors(
  input: MirrorInput,
  mirrors: ReadonlyMap<string, Mirror>,
): Promise<ProcessedEntry['mirrors']> {
  const written: Record<string, MirrorObjects> = { ...input.previous?.mirrors };
  const { batch } = input.entry;
  for (const [table, mirror] of mirrors) {
    const known = Object.hasOwn(written, table) ? written[table] : undefined;
    if (known && !mirror.changed && sameRow(known.columns, mirror.columns)) continue;
    written[table] = await writeMirror(input.processed, mirror, { table, batch, attempt: input.attempt });
  }
  return written;
}

/**
 * Whether the mirrors hold what the dimension shows. In a batch that was read before a column was declared they do not
 * yet: the dimension then waits, and is made whole from the batch that brings the column.
 */
export function isReady(input: MirrorInput, dimension: DimensionSpec, changed: ReadonlyMap<string, Mirror>): boolean {
  return sourcesOf(dimension).every((name) => {
    const table = input.model.tables.find((spec) => spec.name === name);
    const columns = changed.get(name)?.columns ?? input.previous?.mirrors[name]?.columns ?? [];
    return table !== undefined && holds(columns, mirrorColumns(input.model, table));
  });
}
