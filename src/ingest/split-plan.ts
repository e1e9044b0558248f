import * as v from 'valibot';
import { PipelineError } from '../shared/errors.ts';
import { type IngestedTable, type IngestionEntry, ingestionEntrySchema, partSchema, withoutPrototype } from '../shared/lake/entries.ts';
import type { Lake } from '../shared/lake/lake.ts';
import type { Log } from '../shared/lake/log.ts';
import { commitOnce, splitPlanBase, Splits } from '../shared/lake/split.ts';
import type { Report } from '../shared/report.ts';
import { parseSnapshot } from './session.ts';

/**
 * The plan of a batch that is read in ranges: the log entry as it will be, but for what the ranges bring. It holds data
 * and no SQL: whoever can write to the lake has nothing run on the source.
 */

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const digits = v.pipe(v.string(), v.regex(/^\d{1,20}$/));

/** Blocks of all leaves of a table. */
const rangeSchema = v.object({ table: v.string(), from: count, to: v.nullable(count) });
export type TableRange = v.InferOutput<typeof rangeSchema>;

/** The changed rows of a table: those that a transaction from `cursor` on wrote, up to `xmax`, and all of new leaves. */
const changesSchema = v.object({ cursor: digits, xmax: digits, leaves: v.array(digits) });
export type Changes = v.InferOutput<typeof changesSchema>;

/** A table that is read in ranges; `changes` is null where all rows are read. */
const cutSchema = v.object({ table: v.string(), changes: v.nullable(changesSchema) });
export type Cut = v.InferOutput<typeof cutSchema>;

const planFields = v.object({
  ...splitPlanBase,
  /** The attempt of the batch before, behind whose cursors it reads on; null for batch 1. */
  previous: v.nullable(v.pipe(v.string(), v.uuid())),
  /** Every table was asked to be read whole. */
  whole: v.boolean(),
  /** Its `committed_at` is that of the plan. Of the tables that are cut it has what they are, and no rows. */
  entry: ingestionEntrySchema,
  cuts: v.array(cutSchema),
  ranges: v.array(rangeSchema),
});

export const planSchema = v.pipe(
  planFields,
  v.check(({ entry, batch, attempt, model }) => entry.batch === batch && entry.attempt === attempt && entry.model === model),
  v.check(({ entry, cuts }) => cuts.every(({ table }) => Object.hasOwn(entry.tables, table))),
  v.check(({ cuts, ranges }) => ranges.every(({ table }) => cuts.some((cut) => cut.table === table))),
);
export type IngestPlan = v.InferOutput<typeof planSchema>;

const markSchema = v.object({
  /** Where the snapshot ended that the range was read under. */
  xmax: digits,
  /** Leaves of the table that were not there: detached, or dropped. */
  gone: v.array(digits),
  /** Null where it had no rows. */
  part: v.nullable(partSchema),
});
export type IngestMark = v.InferOutput<typeof markSchema>;

export type IngestSplits = Splits<IngestPlan, IngestMark>;

export function splitsIn(lake: Lake): IngestSplits {
  return new Splits<IngestPlan, IngestMark>(lake, planSchema, markSchema);
}

/** Whether the log still ends with the batch that a plan reads on behind: an operator can take batches back. */
export async function isNext(log: Log<IngestionEntry>, { batch, previous }: IngestPlan): Promise<boolean> {
  if ((await log.head(batch - 1)) !== batch - 1) return false;
  return batch === 1 || (await log.read(batch - 1)).attempt === previous;
}

interface Committing {
  readonly log: Log<IngestionEntry>;
  readonly splits: IngestSplits;
  readonly report: Report;
  readonly now: () => Date;
}

/** Commits the batch of a plan of which every range is marked. Whoever finds it so may; only one entry comes of it. */
export async function commitPlan({ log, splits, report, now }: Committing, plan: IngestPlan): Promise<'won' | 'lost'> {
  const entry = entryOf(plan, await splits.marks(plan), now());
  const outcome = await commitOnce(log, entry);
  await splits.retire(plan.batch);
  const { batch } = plan;
  let rows = 0;
  for (const [table, read] of Object.entries(entry.tables)) {
    rows += read.rows;
    if (outcome === 'lost' || read.rows === 0) continue;
    const bytes = read.parts.reduce((sum, part) => sum + part.bytes, 0);
    report({ event: 'table', stage: 'ingest', batch, table, rows: read.rows, bytes });
  }
  // Not how long it took: that is hours of many, and whoever is told takes it for what one call needs.
  report({ event: outcome === 'won' ? 'batch' : 'lost', stage: 'ingest', batch, rows });
  return outcome;
}

function entryOf(plan: IngestPlan, marks: readonly IngestMark[], at: Date): IngestionEntry {
  const tables = withoutPrototype(plan.entry.tables);
  for (const { table } of plan.cuts) {
    const draft = tables[table];
    if (draft) tables[table] = filled(draft, marks.filter((_, range) => plan.ranges[range]?.table === table));
  }
  const entry = { ...plan.entry, committed_at: at.toISOString(), snapshot: snapshotOf(plan, marks), tables };
  const parsed = v.safeParse(ingestionEntrySchema, entry);
  if (parsed.success) return parsed.output;
  throw new PipelineError('lake_corrupt', `the marks of batch ${plan.batch} do not go with its plan`, { batch: plan.batch });
}

function filled(draft: IngestedTable, marks: readonly IngestMark[]): IngestedTable {
  const parts = marks.flatMap(({ part }) => (part ? [part] : []));
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  // Should one come back, it is new to the next batch, and read whole.
  const gone = new Set(marks.flatMap((mark) => mark.gone));
  const leaves = draft.leaves.filter(({ oid }) => !gone.has(oid));
  // By this the next batch proves that no range was left out: what it counts, less what has changed, is no more.
  return { ...draft, leaves, rows, parts, ...(draft.whole === null ? {} : { rows_in_source: rows }) };
}

/**
 * The entry's snapshot starts where the next batch does, and ends where the last range's did: a source that is behind
 * that has gone back. What was in flight is not in it, so that it equals no snapshot of the source's own, of which it
 * could be said that nothing has moved since: ranges leave out rows that the plan's own snapshot shows.
 */
function snapshotOf(plan: IngestPlan, marks: readonly IngestMark[]): string {
  const { xmin, xmax } = parseSnapshot(plan.entry.snapshot);
  const last = marks.reduce((latest, mark) => (BigInt(mark.xmax) > latest ? BigInt(mark.xmax) : latest), xmax);
  return `${xmin}:${last}:`;
}
