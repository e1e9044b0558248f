import { PipelineError } from '../shared/errors.ts';
import { ingestionEntrySchema, processedEntrySchema } from '../shared/lake/entries.ts';
import type { Lake } from '../shared/lake/lake.ts';
import { Log } from '../shared/lake/log.ts';
import { readState } from '../shared/lake/state.ts';
import type { Splitting } from '../shared/lake/split.ts';
import type { Model } from '../shared/model/model.ts';
import type { Report, StageResult } from '../shared/report.ts';

export interface TransformContext {
  readonly model: Model;
  readonly ingestion: Lake;
  readonly processed: Lake;
  readonly report: Report;
  /** Starling's clock. */
  readonly now: () => Date;
  /** When aborted, the batch in hand is finished and no other begun. */
  readonly signal?: AbortSignal;
  /** How large batches are done in ranges; without it, all are done at once. */
  readonly split?: Splitting;
}

/**
 * Transforms every batch that ingest has committed and transform has not, oldest first. What has been done is only
 * ever read from the two logs, so that it may be called at any time, by anybody, and by several at once.
 * @throws PipelineError; the batch it names and those behind it stay pending.
 */
export async function transform(context: TransformContext): Promise<StageResult> {
  const ingested = new Log(context.ingestion, ingestionEntrySchema);
  const processed = new Log(context.processed, processedEntrySchema);
  let head = await processed.head(await lastSeen(context.processed));
  let until = await ingested.head(head);
  if (head > until) throw behind(head, until);
  let batches = 0;
  while (head < until && context.signal?.aborted !== true) {
    // With what reads and writes Parquet: most looks find no batch, and start without.
    const { transformNext } = await import('./next.ts');
    const outcome = await transformNext(context, ingested, processed, head + 1);
    // Batches behind it wait for it, as they would for one that fails.
    if (outcome === 'handed_out') return { stage: 'transform', batches, head, isUpToDate: false };
    if (outcome === 'won') batches += 1;
    head += 1;
    // What has come in the meantime is done too.
    if (head === until) until = await ingested.head(head);
  }
  if (batches === 0) context.report({ event: 'nothing_new', stage: 'transform', batch: head });
  return { stage: 'transform', batches, head, isUpToDate: head >= until };
}

/** Where the head of the log was, as a hint: a log of a year is searched by ten listings, and one does where it is known. */
async function lastSeen(processed: Lake): Promise<number> {
  const state = await readState(processed, 'transform').catch(() => null);
  return state?.batch ?? 0;
}

/** How many batches ingest has committed and transform has not; `done`: the last that it has, where that is known. */
export async function pendingBatches(
  { ingestion, processed }: Pick<TransformContext, 'ingestion' | 'processed'>,
  done?: number,
): Promise<number> {
  const head = done ?? (await new Log(processed, processedEntrySchema).head(await lastSeen(processed)));
  return Math.max(0, (await new Log(ingestion, ingestionEntrySchema).head(head)) - head);
}

function behind(head: number, until: number): PipelineError {
  const message = `the processed bucket holds batch ${head}, but the ingestion bucket ends at batch ${until}`;
  return new PipelineError('lake_foreign', message, { batch: head });
}
