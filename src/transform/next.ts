import { randomUUID } from 'node:crypto';
import { PipelineError } from '../shared/errors.ts';
import type { IngestionEntry, ProcessedEntry } from '../shared/lake/entries.ts';
import type { Log } from '../shared/lake/log.ts';
import { checkComplete, checkModel, checkSameLog } from '../shared/lake/skew.ts';
import { readSkips } from '../shared/lake/skips.ts';
import { factsOf, transformBatch } from './batch.ts';
import { commitBatch, type EntryInput, entryOf } from './commit.ts';
import { checkMirrors } from './mirrors.ts';
import { leaveOut } from './skipped.ts';
import { transformInRanges } from './split.ts';
import type { TransformContext } from './transform.ts';

/** Transforms a batch, of which the one before has been; or has it done in ranges, where it is large. */
export async function transformNext(
  context: TransformContext,
  ingested: Log<IngestionEntry>,
  processed: Log<ProcessedEntry>,
  batch: number,
): Promise<'won' | 'lost' | 'handed_out'> {
  const started = performance.now();
  const input = await inputOf(context, ingested, processed, batch);
  const { report, split } = context;
  try {
    const outcome = split ? await transformInRanges(input, split, processed) : null;
    if (outcome === 'handed_out') report({ event: 'busy', stage: 'transform', batch });
    if (outcome !== null) return outcome;
    const entry = entryOf(input, await transformBatch(input, factsOf(input)));
    const seconds = (): number => (performance.now() - started) / 1000;
    return await commitBatch(() => processed.commit(entry), entry, report, seconds);
  } catch (error) {
    throw error instanceof PipelineError ? error.within({ batch }) : error;
  }
}

/** All that a batch is made of, as an attempt of its own. @throws PipelineError where the logs do not allow it yet. */
async function inputOf(
  { model, ingestion, processed: lake, report, now }: TransformContext,
  ingested: Log<IngestionEntry>,
  processed: Log<ProcessedEntry>,
  batch: number,
): Promise<EntryInput> {
  const entry = await ingested.read(batch);
  const previous = batch === 1 ? null : await processed.read(batch - 1);
  checkMirrors(model, previous);
  checkSameLog(entry, previous?.log_id ?? null, 'the processed bucket');
  await checkModel(ingested, entry, model.hash);
  checkComplete(entry, model.hash, entry.tables, model.tables.map(({ name }) => name));
  const skips = await readSkips(lake);
  const attempt = randomUUID();
  return { model, ingestion, processed: lake, report, now, previous, attempt, skips, ...leaveOut(model, entry, skips) };
}
