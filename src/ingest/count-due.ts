import type { StageState } from '../shared/lake/state.ts';

/** The state's detail that this file keeps: when a look last counted the source's rows. */
const COUNTED_AT = 'counted_at';

/** A missed row is found by the next batch; where there is none, after so long. */
const COUNT_EVERY_MS = 60 * 60 * 1000;

/** Whether it is time to count although nothing has changed. */
export function isCountDue(before: StageState | null, now: Date): boolean {
  const at = before?.detail?.[COUNTED_AT];
  const agoMs = typeof at === 'string' ? now.getTime() - new Date(at).getTime() : Number.NaN;
  // Nor is it known where the clock went back.
  return !(agoMs >= 0 && agoMs < COUNT_EVERY_MS);
}

/** For the state of ingest. @param counted Whether this look did. */
export function countedDetail(before: StageState | null, now: Date, counted: boolean): Readonly<Record<string, string>> {
  const at = counted ? now.toISOString() : before?.detail?.[COUNTED_AT];
  return typeof at === 'string' ? { [COUNTED_AT]: at } : {};
}
