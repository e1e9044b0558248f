import * as v from 'valibot';
import { type IngestionEntry, partSchema, type ProcessedEntry, processedEntrySchema } from '../shared/lake/entries.ts';
import type { Lake } from '../shared/lake/lake.ts';
import type { Log } from '../shared/lake/log.ts';
import type { Skips } from '../shared/lake/skips.ts';
import { commitOnce, rangeBytesOf, splitPlanBase, type Splitting, Splits } from '../shared/lake/split.ts';
import { QUARANTINE } from '../shared/model/model.ts';
import type { Report } from '../shared/report.ts';
import { factsOf, type Made, tellRows, transformBatch, withMade } from './batch.ts';
import { commitBatch, type EntryInput, entryOf } from './commit.ts';

const index = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** CSV objects of a fact's source table, which lie next to each other in the batch's entry: `from` up to before `to`. */
const rangeSchema = v.strictObject({ fact: v.string(), from: index, to: index });
export type FactRange = v.InferOutput<typeof rangeSchema>;

/** As many as the keys of their objects tell apart. */
export const RANGES_MAX = 9_999;

const planSchema = v.pipe(
  v.object({
    ...splitPlanBase,
    /** The log entry of the batch as far as it goes without the ranges: mirrors and dimensions are made. */
    entry: processedEntrySchema,
    /** The attempt of the batch before; null for batch 1. */
    previous: v.nullable(v.pipe(v.string(), v.uuid())),
    /** The skips of this batch and earlier ones. */
    skips: v.array(v.string()),
    ranges: v.array(rangeSchema),
  }),
  v.check(({ batch, attempt, model, entry }) => {
    return entry.batch === batch && entry.attempt === attempt && entry.model === model;
  }),
);
export type TransformPlan = v.InferOutput<typeof planSchema>;

const markSchema = v.object({ parts: v.array(partSchema), rejects: v.array(partSchema) });
export type Mark = v.InferOutput<typeof markSchema>;

export type TransformSplits = Splits<TransformPlan, Mark>;

export function splitsIn(processed: Lake): TransformSplits {
  return new Splits(processed, planSchema, markSchema);
}

/** What a plan is made of; the checks of the two logs are the planner's, and hold for as long as these are the same. */
interface Ground {
  readonly entry: Pick<IngestionEntry, 'batch' | 'attempt'>;
  readonly previous: Pick<ProcessedEntry, 'attempt'> | null;
  readonly skips: Skips;
}

/** Whether a plan is still what would be made today: an operator can take batches back, or skip a table. */
export function stands(plan: TransformPlan, { entry, previous, skips }: Ground): boolean {
  const known = skips.before(entry.batch + 1);
  return (
    plan.entry.ingested === entry.attempt &&
    plan.previous === (previous?.attempt ?? null) &&
    plan.skips.length === known.length &&
    plan.skips.every((key, at) => key === known[at])
  );
}

const OTHER_GROUND = 'the batch, the one before it, or what is skipped of it is another by now';

/**
 * Has a large batch done in ranges: makes what needs the whole of it, and hands out the rest. Of a batch that is being
 * done so already, what got lost is handed out again.
 * @returns null where the batch is to be done at once.
 */
export async function transformInRanges(
  input: EntryInput,
  split: Splitting,
  log: Log<ProcessedEntry>,
): Promise<'won' | 'lost' | 'handed_out' | null> {
  const splits = splitsIn(input.processed);
  const whyNot = (plan: TransformPlan) => (stands(plan, input) ? null : OTHER_GROUND);
  const open = await splits.findStanding(input.entry.batch, input.model.hash, whyNot);
  if (open) return carryOn(input, splits, open, split, log);
  const ranges = cut(input, split);
  if (ranges.length < 2) return null;
  const plan = await makePlan(input, ranges);
  await splits.begin(plan);
  const { batch, attempt } = plan;
  await split.send(ranges.map((_, range) => ({ batch, attempt, range })));
  return 'handed_out';
}

async function carryOn(
  input: EntryInput,
  splits: TransformSplits,
  plan: TransformPlan,
  split: Splitting,
  log: Log<ProcessedEntry>,
): Promise<'won' | 'lost' | 'handed_out'> {
  const missing = await splits.missing(plan);
  if (missing.length === 0) return commitPlan(input, splits, plan, log);
  if (!(await split.isBusy())) await split.send(missing);
  return 'handed_out';
}

/** Facts by runs of the objects that they are made of. None where the batch is not so large. */
export function cut(input: EntryInput, split: Splitting): readonly FactRange[] {
  const facts = factsOf(input).map(({ name, source }) => ({ fact: name, parts: input.entry.tables[source]?.parts ?? [] }));
  const bytes = facts.flatMap(({ parts }) => parts).reduce((sum, part) => sum + part.bytes, 0);
  if (bytes <= split.thresholdBytes) return [];
  // Two neighbours are always more than one may be, so that there are never too many.
  const rangeBytes = Math.max(rangeBytesOf(split, bytes), bytes / (RANGES_MAX / 4));
  return facts.flatMap(({ fact, parts }) => cutFact(fact, parts.map((part) => part.bytes), rangeBytes));
}

function cutFact(fact: string, sizes: readonly number[], rangeBytes: number): readonly FactRange[] {
  const ranges: FactRange[] = [];
  let [from, bytes] = [0, 0];
  for (const [at, size] of sizes.entries()) {
    if (at > from && bytes + size > rangeBytes) {
      ranges.push({ fact, from, to: at });
      [from, bytes] = [at, 0];
    }
    bytes += size;
  }
  return from < sizes.length ? [...ranges, { fact, from, to: sizes.length }] : ranges;
}

async function makePlan(input: EntryInput, ranges: readonly FactRange[]): Promise<TransformPlan> {
  const { entry, attempt, model, previous, skips } = input;
  // Its tables are told of by the commit.
  const made = await transformBatch({ ...input, report: () => undefined }, []);
  return {
    format: 1,
    batch: entry.batch,
    attempt,
    model: model.hash,
    entry: entryOf(input, made),
    previous: previous?.attempt ?? null,
    skips: [...skips.before(entry.batch + 1)],
    ranges: [...ranges],
  };
}

/** What committing takes of a stage's context. */
interface Committing {
  readonly report: Report;
  readonly now: () => Date;
}

/** Commits a batch none of whose ranges is missing. `lost` also where another worker committed the same plan. */
export async function commitPlan(
  { report, now }: Committing,
  splits: TransformSplits,
  plan: TransformPlan,
  log: Log<ProcessedEntry>,
): Promise<'won' | 'lost'> {
  const made = madeOf(plan, await splits.marks(plan));
  const entry = { ...plan.entry, outputs: withMade(plan.entry.outputs, made), committed_at: now().toISOString() };
  for (const [output, { parts }] of Object.entries(entry.outputs)) {
    if (output !== QUARANTINE) tellRows(report, 'table', plan.batch, { output, parts });
  }
  const outcome = await commitBatch(() => commitOnce(log, entry), entry, report);
  await splits.retire(plan.batch);
  return outcome;
}

function madeOf({ ranges }: TransformPlan, marks: readonly Mark[]): readonly Made[] {
  return ranges.flatMap(({ fact }, at) => {
    const { parts = [], rejects = [] } = marks[at] ?? {};
    return [{ output: fact, parts }, { output: QUARANTINE, parts: rejects }];
  });
}
