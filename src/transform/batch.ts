import { givingBack } from '../shared/lake/attempt.ts';
import type { Part, ProcessedEntry, TransformedOutput } from '../shared/lake/entries.ts';
import { dataKey } from '../shared/lake/key.ts';
import type { Lake } from '../shared/lake/lake.ts';
import type { DimensionSpec } from '../shared/model/dimension.ts';
import type { FactSpec } from '../shared/model/fact.ts';
import { outputHash, type OutputSpec, outputsOf, QUARANTINE, sourcesOf } from '../shared/model/model.ts';
import type { Skips } from '../shared/lake/skips.ts';
import { expectRows } from '../shared/parquet/parquet.ts';
import type { Report } from '../shared/report.ts';
import type { Cell } from '../shared/types/type.ts';
import { dimensionRows } from './dimension.ts';
import { FactMaker } from './fact.ts';
import type { Mirror } from './mirror.ts';
import { changedMirrors, isReady, isWhole, type MirrorInput, readMirrorsOf, writeMirrors } from './mirrors.ts';
import { PartWriter, rowsOf } from './parts.ts';
import { recordsOf } from './records.ts';
import { REJECT_COLUMNS, rejectCells, type Reject } from './reject.ts';
import { wasSkippedSince } from './skipped.ts';

export interface BatchInput extends MirrorInput {
  readonly report: Report;
  readonly skips: Skips;
}

/** What it takes to make rows of facts, and where they go: the whole of a batch, or a range of it. */
export interface FactInput extends Pick<BatchInput, 'model' | 'ingestion' | 'entry'> {
  readonly processed: Pick<Lake, 'put'>;
  readonly keyOf: (table: string, part: number) => string;
}

export type Outputs = Pick<ProcessedEntry, 'outputs' | 'mirrors'>;

/** Objects of an output that belong to a batch. */
export interface Made {
  readonly output: string;
  readonly parts: readonly Part[];
}

/**
 * Remodels one batch: mirrors first, then the dimensions that these change, then the facts, part by part. Everything is
 * written as new objects under this attempt; the caller's entry makes them count. What it wrote is given back where the
 * lake is full.
 * @param facts Those whose rows are made: none where that is done in ranges.
 */
export async function transformBatch(input: BatchInput, facts: readonly FactSpec[]): Promise<Outputs> {
  const { model, processed, report, attempt, entry } = input;
  const tables = [...model.tables, ...outputsOf(model)].map(({ name }) => name);
  return givingBack(processed, { tables: [...tables, QUARANTINE], batch: entry.batch, attempt }, async () => {
    const keyOf = keysOf(input);
    const rejects = rejectWriter(processed, keyOf);
    const { outputs, mirrors } = await transformMirrored(input, rejects);
    const made: Made[] = [];
    for (const fact of facts) {
      const rows = await transformFact({ ...input, keyOf }, fact, rejects);
      tellRows(report, 'table', entry.batch, rows);
      made.push(rows);
    }
    made.push({ output: QUARANTINE, parts: await rejects.close() });
    return { outputs: withMade(outputs, made), mirrors };
  });
}

/** Facts that the batch may bring rows of. */
export function factsOf({ model, entry, skips }: Pick<BatchInput, 'model' | 'entry' | 'skips'>): readonly FactSpec[] {
  return model.facts.filter(({ name, source }) => Object.hasOwn(entry.tables, source) && !skips.has(entry, name));
}

/** The rows of a fact of all that the input's entry names of its table. */
export async function transformFact(input: FactInput, fact: FactSpec, rejects: PartWriter): Promise<Made> {
  const writer = new PartWriter(input.processed, fact.columns, (part) => input.keyOf(fact.name, part));
  await writeFact(input, fact, writer, rejects);
  return { output: fact.name, parts: await writer.close() };
}

export function rejectWriter(processed: Pick<Lake, 'put'>, keyOf: FactInput['keyOf']): PartWriter {
  return new PartWriter(processed, REJECT_COLUMNS, (part) => keyOf(QUARANTINE, part));
}

/** The outputs with more rows, which follow those that they have. */
export function withMade(outputs: Outputs['outputs'], made: readonly Made[]): Outputs['outputs'] {
  const all = Object.entries(outputs).map(([name, output]) => {
    const more = made.filter((each) => each.output === name).flatMap(({ parts }) => parts);
    const parts = [...output.parts, ...more];
    return [name, { ...output, rows: rowsOf(parts), parts }] as const;
  });
  return Object.fromEntries(all);
}

export function tellRows(report: Report, event: 'table' | 'range', batch: number, { output, parts }: Made): void {
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  if (parts.length > 0) report({ event, stage: 'transform', batch, table: output, rows: rowsOf(parts), bytes });
}

function keysOf({ entry, attempt }: BatchInput): FactInput['keyOf'] {
  return (table, part) => dataKey(table, entry.batch, attempt, part, 'parquet');
}

/** Mirrors and dimensions; of the other outputs all but their rows. */
async function transformMirrored(input: BatchInput, rejects: PartWriter): Promise<Outputs> {
  const { model, entry, skips } = input;
  const mirrors = await changedMirrors(input, emitter(rejects, rejects));
  const outputs: Outputs['outputs'] = {};
  for (const output of outputsOf(model)) {
    const isSkipped = skips.has(entry, output.name);
    // Without its hash a dimension is made whole by the next batch.
    if (isSkipped) outputs[output.name] = noRows('', false);
    else if (isFact(output)) outputs[output.name] = noRows(outputHash(model, output), isWhole(entry.tables[output.source]));
    else outputs[output.name] = await transformDimension(input, output, mirrors, rejects);
  }
  outputs[QUARANTINE] = noRows(QUARANTINE, false);
  return { outputs, mirrors: await writeMirrors(input, mirrors) };
}

function noRows(hash: string, whole: boolean): TransformedOutput {
  return { hash, whole, rows: 0, parts: [] };
}

async function transformDimension(
  input: BatchInput,
  dimension: DimensionSpec,
  mirrors: ReadonlyMap<string, Mirror>,
  rejects: PartWriter,
): Promise<TransformedOutput> {
  const { name } = dimension;
  const hash = outputHash(input.model, dimension);
  const known = input.previous?.outputs[name]?.hash ?? null;
  const before = wasSkippedSince(input.previous, dimension, input.skips, input.entry.batch) ? null : known;
  if (!isReady(input, dimension, mirrors)) return noRows(before ?? '', false);
  const whole = before !== hash;
  const keyOf = keysOf(input);
  const writer = new PartWriter(input.processed, dimension.columns, (part) => keyOf(name, part));
  await writeDimension(input, dimension, whole, mirrors, emitter(writer, rejects));
  const parts = [...(await writer.close())];
  tellRows(input.report, 'table', input.entry.batch, { output: name, parts });
  return { hash, whole, rows: rowsOf(parts), parts };
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

/** Then it is looked whether the part is full: a block that had to hold a long record holds many others, too. */
const ROWS_AT_ONCE = 4_096;

async function writeFact(input: FactInput, fact: FactSpec, writer: PartWriter, rejects: PartWriter): Promise<void> {
  const ingested = input.entry.tables[fact.source];
  const source = input.model.tables.find(({ name }) => name === fact.source);
  if (!ingested || !source) return;
  expectRows(ingested.rows);
  const maker = new FactMaker(fact, source, ingested.columns, writer.buffers);
  for await (const block of recordsOf(input.ingestion, ingested)) {
    for (;;) {
      const atMost = Math.min(writer.room, block.recordsAtMost, ROWS_AT_ONCE);
      writer.keep(maker.makeAll(block, writer.reserve(atMost), atMost));
      if (writer.full) await writer.flush();
      else if (!block.next()) break;
      else await writeOne(maker.make(block, writer.reserve(1)), writer, rejects);
    }
  }
}

/** One that the quick way leaves alone. */
async function writeOne(reject: Reject | null, writer: PartWriter, rejects: PartWriter): Promise<void> {
  if (reject) rejects.add(rejectCells(reject));
  else writer.keep(1);
  if (rejects.full) await rejects.flush();
  if (writer.full) await writer.flush();
}

function isFact(output: OutputSpec): output is FactSpec {
  return 'recordKey' in output;
}

function isReject(row: readonly Cell[] | Reject): row is Reject {
  return 'reason' in row;
}
