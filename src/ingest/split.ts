import type { IngestionEntry } from '../shared/lake/entries.ts';
import type { Log } from '../shared/lake/log.ts';
import type { Splitting } from '../shared/lake/split.ts';
import type { Cuts } from './cut.ts';
import type { IngestContext } from './ingest.ts';
import { commitPlan, type IngestPlan, type IngestSplits, splitsIn } from './split-plan.ts';

/**
 * The look of a stage at a batch that is read in ranges. Plans begun by two at once, a batch read at once while there
 * is a plan of it, messages lost or sent twice: the log has one entry of a batch, and what comes of the rest is work
 * done in vain.
 */

type SplitContext = Pick<IngestContext, 'model' | 'ingestion' | 'report' | 'now' | 'whole'>;

/** `waiting` for its ranges; or all of them were done, and the batch is committed, by this look or by another. */
export type Carried = 'waiting' | 'won' | 'lost';

/** Goes on with the plan by which a batch is being read; null where there is none. */
export async function carryOn(
  context: SplitContext,
  split: Splitting,
  log: Log<IngestionEntry>,
  previous: IngestionEntry | null,
): Promise<Carried | null> {
  const splits = splitsIn(context.ingestion);
  const plan = await openPlan(context, splits, previous);
  if (plan === null) return null;
  const missing = await splits.missing(plan);
  if (missing.length === 0) return commitPlan({ ...context, log, splits }, plan);
  if (!(await split.isBusy())) await split.send(missing);
  return 'waiting';
}

async function openPlan(
  { model, whole = false }: SplitContext,
  splits: IngestSplits,
  previous: IngestionEntry | null,
): Promise<IngestPlan | null> {
  return splits.findStanding((previous?.batch ?? 0) + 1, model.hash, (plan) => {
    if (previous !== null && previous.log_id !== plan.entry.log_id) return 'it is of another log';
    if ((previous?.attempt ?? null) !== plan.previous) return 'the batch before it is another by now';
    return whole && !plan.whole ? 'every table is to be read whole' : null;
  });
}

/** Begins to read a batch in ranges. `entry` says what was read at once, and of the tables that are cut what they are. */
export async function beginPlan(
  { model, ingestion, whole = false }: SplitContext,
  split: Splitting,
  entry: IngestionEntry,
  before: IngestionEntry | null,
  { cuts, ranges }: Cuts,
): Promise<void> {
  const { batch, attempt } = entry;
  const previous = before?.attempt ?? null;
  const plan: IngestPlan = { format: 1, batch, attempt, model: model.hash, previous, whole, entry, cuts: [...cuts], ranges: [...ranges] };
  const splits = splitsIn(ingestion);
  await splits.begin(plan);
  await split.send(await splits.missing(plan));
}
