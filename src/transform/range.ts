import { randomInt } from 'node:crypto';
import { PipelineError } from '../shared/errors.ts';
import { ingestionEntrySchema, type IngestedTable, type IngestionEntry, processedEntrySchema } from '../shared/lake/entries.ts';
import { dataKey } from '../shared/lake/key.ts';
import type { Lake } from '../shared/lake/lake.ts';
import { Log } from '../shared/lake/log.ts';
import { readSkips } from '../shared/lake/skips.ts';
import type { RangeOutcome, RangeRef } from '../shared/lake/split.ts';
import type { FactSpec } from '../shared/model/fact.ts';
import { type Made, rejectWriter, tellRows, transformFact } from './batch.ts';
import { commitPlan, type Mark, RANGES_MAX, splitsIn, stands, type TransformPlan } from './split.ts';
import type { TransformContext } from './transform.ts';

/**
 * Does one range of a batch, and commits the batch if it was the last. It may be called for any range at any time, by
 * several at once, and again.
 * @throws PipelineError; the range stays missing.
 */
export async function workRange(context: TransformContext, ref: RangeRef): Promise<RangeOutcome> {
  try {
    return await work(context, ref);
  } catch (error) {
    throw error instanceof PipelineError ? error.within({ batch: ref.batch }) : error;
  }
}

async function work(context: TransformContext, ref: RangeRef): Promise<RangeOutcome> {
  const processed = new Log(context.processed, processedEntrySchema);
  const splits = splitsIn(context.processed);
  if ((await processed.head(ref.batch - 1)) >= ref.batch) {
    // It was begun, or the batch done at once, since whoever committed it looked for plans.
    await splits.retire(ref.batch);
    return 'gone';
  }
  const plan = await splits.planOf(ref, context.model.hash);
  if (!plan) return 'gone';
  const entry = await new Log(context.ingestion, ingestionEntrySchema).read(ref.batch);
  const previous = ref.batch === 1 ? null : await processed.read(ref.batch - 1);
  // The next look of the stage makes another plan.
  if (!stands(plan, { entry, previous, skips: await readSkips(context.processed) })) return 'gone';
  if (!(await splits.isDone(ref))) {
    const { output, ...made } = await transformRange(context, plan, ref.range, entry);
    await splits.mark(ref, made);
    tellRows(context.report, 'range', ref.batch, { output, parts: made.parts });
  }
  if ((await splits.missing(plan)).length > 0) return 'done';
  return (await commitPlan(context, splits, plan, processed)) === 'won' ? 'committed' : 'gone';
}

/** The rows of one range, as objects of the plan's attempt; what it put is given back where the lake is full. */
async function transformRange(
  { model, ingestion, processed }: TransformContext,
  plan: TransformPlan,
  range: number,
  entry: IngestionEntry,
): Promise<Mark & Pick<Made, 'output'>> {
  const { fact, table } = readFrom(plan, range, entry, model.facts);
  const numberOf = partNumbers(range);
  const keyOf = (output: string, part: number): string => dataKey(output, plan.batch, plan.attempt, numberOf(part), 'parquet');
  const ofRange = { ...entry, tables: { [fact.source]: table } };
  return puttingInto(processed, async (lake) => {
    const rejects = rejectWriter(lake, keyOf);
    const { parts } = await transformFact({ model, ingestion, entry: ofRange, processed: lake, keyOf }, fact, rejects);
    return { output: fact.name, parts: [...parts], rejects: [...(await rejects.close())] };
  });
}

/** `part-<n>` has 15 digits: four say the range, six are drawn, and five count the objects. */
const DRAWS = 1_000_000;
const PARTS_MAX = 100_000;

/**
 * How a worker numbers the objects of a range, so that two at one range do not meet at one key, nor any at one of the
 * planner, who counts from 0. Where two draw the same, the second is refused by the lake, and its range tried again.
 */
export function partNumbers(range: number): (part: number) => number {
  if (range >= RANGES_MAX) throw new RangeError(`a plan has at most ${RANGES_MAX} ranges`);
  const drawn = (range + 1) * DRAWS + randomInt(DRAWS);
  return (part) => {
    if (part >= PARTS_MAX) throw new RangeError(`a range has at most ${PARTS_MAX} objects`);
    return drawn * PARTS_MAX + part;
  };
}

/** A fact, and what the range has of its table. */
function readFrom(
  { batch, ranges }: TransformPlan,
  range: number,
  entry: IngestionEntry,
  facts: readonly FactSpec[],
): { readonly fact: FactSpec; readonly table: IngestedTable } {
  const cut = ranges[range];
  const fact = facts.find(({ name }) => name === cut?.fact);
  const table = fact && entry.tables[fact.source];
  const parts = table?.parts.slice(cut?.from, cut?.to) ?? [];
  const isThere = cut !== undefined && parts.length > 0 && parts.length === cut.to - cut.from;
  if (fact && table && isThere) return { fact, table: { ...table, parts } };
  throw new PipelineError('lake_corrupt', `the plan of batch ${batch} has no range ${range} that its log entry has objects of`);
}

/**
 * Others put objects below the same prefixes, so that, unlike a whole attempt, what is given back is what was put here
 * and nothing else.
 */
async function puttingInto<T>(lake: Lake, work: (lake: Pick<Lake, 'put'>) => Promise<T>): Promise<T> {
  const keys: string[] = [];
  const put: Lake['put'] = async (key, body) => {
    const bytes = await lake.put(key, body);
    keys.push(key);
    return bytes;
  };
  try {
    return await work({ put });
  } catch (error) {
    const isFull = error instanceof PipelineError && error.kind === 'lake_full';
    if (isFull) await Promise.all(keys.map(async (key) => lake.delete(key))).catch(() => undefined);
    throw error;
  }
}
