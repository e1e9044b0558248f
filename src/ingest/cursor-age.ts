import type { StageState } from '../shared/lake/state.ts';
import type { StageResult } from '../shared/report.ts';
import type { Snapshot } from './session.ts';

/** The state's details that this file keeps: the snapshot's xmin, and since when it has been that. */
const [XMIN, SINCE] = ['cursor', 'cursor_since'] as const;

/**
 * Since when a transaction of the source has been holding the cursor back, as precisely as looks are frequent. It needs
 * no rights: other sessions, prepared transactions and what a standby's primary runs all hold back `xmin`, and where one
 * was running at an earlier look under the same `xmin`, it is at least that old. Nothing where none is running.
 */
export function heldCursor(
  { xmin, xmax }: Snapshot,
  before: StageState | null,
  now: Date,
): Readonly<Record<string, string>> {
  if (xmin === xmax) return {};
  const since = before?.detail?.[SINCE];
  const isTheSame = before?.detail?.[XMIN] === String(xmin) && typeof since === 'string';
  return { [XMIN]: String(xmin), [SINCE]: isTheSame ? since : now.toISOString() };
}

/** In seconds; 0 when nothing holds it. */
export function cursorAge(now: Date, result: StageResult): number {
  const since = result.detail?.[SINCE];
  return typeof since === 'string' ? Math.max(0, (now.getTime() - new Date(since).getTime()) / 1000) : 0;
}
