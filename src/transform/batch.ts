import type { ProcessedEntry } from '../shared/lake/entries.ts';
import { dataKey } from '../shared/lake/key.ts';
import type { DimensionSpec } from '../shared/model/dimension.ts';
import type { FactSpec } from '../shared/model/fact.ts';
import { outputHash, type OutputSpec, outputsOf, QUARANTINE, sourcesOf } from '../shared/model/model.ts';
import type { Skips } from '../shared/lake/skips.ts';
import type { Report } from '../shared/report.ts';
import type { Cell } from '../shared/types/type.ts';
import { dimensionRows } from './dimension.ts';
import { FactMaker } from './fact.ts';
import type { Mirror } from './mirror.ts';
import { changedMirrors, isReady, isWhole, type MirrorInput, readMirrorsOf, writeMirrors } from './mirrors.ts';
import { PartWriter, rowsOf } from './parts.ts';
import type { Span } from './readers.ts';
import { recordsOf } from './records.ts';
import { REJECT_COLUMNS, rejectCells, type Reject } from './reject.ts';
import { wasSkippedSince } from './skipped.ts';

export interface BatchInput extends MirrorInput {
  readonly report: Report;
  readonly skips: Skips;
}

type Outputs = Pick<ProcessedEntry, 'outputs' | 'mirrors'>;

/**
 * Remodels one batch: mirrors first, then the dimensions that these change, then the facts, part by part. Everything is
 * written as new objects under this attempt; the caller's entry makes them count.
 */
export async function transformBatch(input: BatchInput): Promise<Outputs> {
  const { model, entry, processed } = input;
  const rejects = new PartWriter(processed, REJECT_COLUMNS, (part) => keyOf(input, QUARANTINE, part));
  const mirrors = await changedMirrors(input, emitter(rejects, rejects));
  const outputs: ProcessedEntry['outputs'] = {};
  for (const output of outputsOf(model)) {
    if (input.skips.has(entry, output.name)) {
      // Without its hash a dimension is made whole by the next batch.
      outputs[output.name] = { hash: '', whole: false, rows: 0, parts: [] };
      continue;
    }
    const hash = outputHash(model, output);
    const known = input.previous?.outputs[output.name]?.hash ?? null;
    const before = wasSkippedSince(input.previous, output, input.skips, entry.batch) ? null : known;
    const ready = isFact(output) || isReady(input, output, mirrors);
    const whole = isFact(output) ? isWhole(entry.tables[output.source]) : ready && before !== hash;
    const writer = new PartWriter(processed, output.columns, (part) => keyOf(input, output.name, part));
    if (isFact(output)) await writeFact(input, output, writer, rejects);
    else if (ready) await writeDimension(input, output, whole, mirrors, emitter(writer, rejects));
    const parts = [...(await writer.close())];
    const rows = rowsOf(parts);
    const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
    const table = { stage: 'transform', batch: entry.batch, table: output.name } as const;
    if (rows > 0) input.report({ event: 'table', ...table, rows, bytes });
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

async function writeFact(input: BatchInput, fact: FactSpec, writer: PartWriter, rejects: PartWriter): Promise<void> {
  const ingested = input.entry.tables[fact.source];
  const source = input.model.tables.find(({ name }) => name === fact.source);
  if (!ingested || !source) return;
  for await (const block of recordsOf(input.ingestion, ingested)) {
    const maker = new FactMaker(fact, source, block.header, writer.buffers);
    for (let from = 0; from < block.rows; ) {
      const to = Math.min(block.rows, from + writer.room);
      const into = writer.reserve(to - from);
      if (maker.makeAll({ block, from, to, into })) writer.keep(to - from);
      else await writeEach(maker, { block, from, to }, writer, rejects);
      if (writer.full) await writer.flush();
      from = to;
    }
  }
}

/** Record by record, where there is one that cannot be made. */
async function writeEach(
  maker: FactMaker,
  { block, from, to }: Omit<Span, 'into'>,
  writer: PartWriter,
  rejects: PartWriter,
): Promise<void> {
  for (let record = from; record < to; record += 1) {
    const reject = maker.make(block, record, writer.reserve(1));
    if (reject) rejects.add(rejectCells(reject));
    else writer.keep(1);
    if (rejects.full) await rejects.flush();
  }
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
