import { PipelineError } from '../errors.ts';
import type { Log, LogEntry } from './log.ts';

/** An entry that says by which model its batch was made. */
type ModelledEntry = LogEntry & { readonly model: string };

/**
 * Deployments do not reach all stages at one time. A stage may take a batch made by another model than its own when
 * the writer is the one that is behind: what the batch lacks is null, and is filled in when the writer has caught up.
 * When the reader is behind it has to wait, or it would drop what it does not know of, for good.
 *
 * The writer is behind where the model did not change with this batch, and no batch of late is by the reader's model; or
 * where a later batch is by it. Of two readers at once, the one that is ahead may have taken the batch of the change.
 * @throws PipelineError `model_mismatch` when the reader is behind.
 */
export async function checkModel<E extends ModelledEntry>(log: Log<E>, entry: E, hash: string): Promise<void> {
  if (entry.model === hash) return;
  const head = await log.head(entry.batch);
  // Of a year that is made again by today's model this is the one question.
  if (head > entry.batch && (await log.read(head)).model === hash) return;
  const isUnchanged = entry.batch > 1 && (await log.read(entry.batch - 1)).model === entry.model;
  if (isUnchanged && !(await isOfLate(log, entry.batch, hash))) return;
  for (let batch = head - 1; batch > entry.batch; batch -= 1) {
    if ((await log.read(batch)).model === hash) return;
  }
  throw new PipelineError('model_mismatch', `batch ${entry.batch} was made by another model than this build has`, {
    batch: entry.batch,
  });
}

/** How many batches ago a model can have been in use that a process still runs: hours, at four an hour. */
const LATE_BATCHES = 50;

async function isOfLate<E extends ModelledEntry>(log: Log<E>, before: number, hash: string): Promise<boolean> {
  for (let batch = before - 1; batch > 0 && batch >= before - LATE_BATCHES; batch -= 1) {
    if ((await log.read(batch)).model === hash) return true;
  }
  return false;
}

/**
 * A table that an entry says nothing of did not change; but one that the reader's own model declares has to be in it.
 * @throws PipelineError `lake_corrupt`
 */
export function checkComplete(entry: ModelledEntry, hash: string, known: object, declared: readonly string[]): void {
  const missing = entry.model === hash ? declared.find((name) => !Object.hasOwn(known, name)) : undefined;
  if (missing === undefined) return;
  const message = `the log entry of batch ${entry.batch} says nothing of ${missing}`;
  throw new PipelineError('lake_corrupt', message, { batch: entry.batch, table: missing });
}

/**
 * Batches of two histories must not be mixed.
 * @throws PipelineError `lake_foreign` unless `log_id` is the one that was followed so far.
 */
export function checkSameLog(entry: LogEntry, followed: string | null, follower: string): void {
  if (followed === null || entry.log_id === followed) return;
  const message = `${follower} was filled from another log than the one that batch ${entry.batch} is in`;
  throw new PipelineError('lake_foreign', message, { batch: entry.batch });
}
