import { PipelineError } from '../errors.ts';
import type { Log, LogEntry } from './log.ts';

/** An entry that says by which model its batch was made. */
type ModelledEntry = LogEntry & { readonly model: string };

/**
 * Deployments do not reach all stages at one time. A stage may take a batch made by another model than its own when
 * the writer is the one that is behind: what the batch lacks is null, and is filled in when the writer has caught up.
 * When the reader is behind it has to wait, or it would drop what it does not know of, for good.
 *
 * The writer is behind where the model did not change with this batch, or where a later batch is by the reader's model.
 * @throws PipelineError `model_mismatch` when the reader is behind.
 */
export async function checkModel<E extends ModelledEntry>(log: Log<E>, entry: E, hash: string): Promise<void> {
  if (entry.model === hash) return;
  if (entry.batch > 1 && (await log.read(entry.batch - 1)).model === entry.model) return;
  const head = await log.head(entry.batch);
  for (let batch = head; batch > entry.batch; batch -= 1) {
    if ((await log.read(batch)).model === hash) return;
  }
  throw new PipelineError('model_mismatch', `batch ${entry.batch} was made by another model than this build has`, {
    batch: entry.batch,
  });
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
