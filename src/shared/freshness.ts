import type { StageState } from './lake/state.ts';

/** The last batch that the warehouse holds, and Starling's clock when its snapshot was taken. */
export interface Loaded {
  readonly batch: number;
  readonly snapshotAt: Date;
}

/**
 * T, the time of the latest look at the source all of whose changes are loaded; freshness is now minus T. A look that
 * found nothing counts only when nothing is pending: otherwise it says nothing of what is on its way.
 */
export function freshAsOf(loaded: Loaded | null, ingest: StageState | null): Date | null {
  if (!loaded) return null;
  const seenAt = ingest?.detail?.['seen_at'];
  const seenBatch = ingest?.detail?.['seen_batch'];
  if (typeof seenAt !== 'string' || typeof seenBatch !== 'number' || seenBatch > loaded.batch) return loaded.snapshotAt;
  const seen = new Date(seenAt);
  return seen > loaded.snapshotAt ? seen : loaded.snapshotAt;
}
