import type { ProcessedEntry } from '../shared/lake/entries.ts';
import { QUARANTINE } from '../shared/model/model.ts';
import type { Report } from '../shared/report.ts';
import type { BatchInput, Outputs } from './batch.ts';
import { tellSkipped } from './skipped.ts';

export interface EntryInput extends BatchInput {
  /** By table and output that an operator skipped: how many rows the batch brought of it. */
  readonly skipped: Readonly<Record<string, number>>;
  readonly now: () => Date;
}

/** The log entry that makes the outputs count. */
export function entryOf({ entry, model, attempt, skips, skipped, now }: EntryInput, made: Outputs): ProcessedEntry {
  return {
    format: 1,
    log_id: entry.log_id,
    batch: entry.batch,
    attempt,
    committed_at: now().toISOString(),
    snapshot_at: entry.snapshot_at,
    model: model.hash,
    ...made,
    ingested: entry.attempt,
    ...(skips.keys.length > 0 ? { skips: [...skips.before(entry.batch)], skipped: { ...skipped } } : {}),
  };
}

/**
 * Commits a batch, and tells how that went: who loses the race has nothing else to tell.
 * @param seconds How long it took, where one call did it all: of ranges it is hours of many, and says nothing of a call.
 */
export async function commitBatch(
  commit: () => Promise<'won' | 'lost'>,
  entry: ProcessedEntry,
  report: Report,
  seconds?: () => number,
): Promise<'won' | 'lost'> {
  const outcome = await commit();
  const { batch, outputs } = entry;
  if (outcome === 'won') {
    tellSkipped(report, batch, entry.skipped ?? {});
    tellQuarantined(report, batch, outputs[QUARANTINE]?.rows ?? 0);
  }
  const rows = Object.values(outputs).reduce((sum, output) => sum + output.rows, 0);
  report({ event: outcome === 'won' ? 'batch' : 'lost', stage: 'transform', batch, rows, ...(seconds ? { seconds: seconds() } : {}) });
  return outcome;
}

function tellQuarantined(report: Report, batch: number, quarantined: number): void {
  if (quarantined === 0) return;
  const message = `${quarantined} rows do not fit the model and go to quarantine`;
  report({ event: 'warning', stage: 'transform', batch, quarantined, message });
}
