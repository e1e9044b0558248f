import { PipelineError } from './errors.ts';
import type { Lake } from './lake/lake.ts';
import { readState, type StageState, writeState } from './lake/state.ts';
import type { Stage, StageResult } from './report.ts';

/**
 * Runs a stage and leaves behind, in `state/<stage>.json`, when it looked, how far it is and how it ended. That is for
 * people and for freshness; that it cannot be written is no reason to fail.
 */
export async function recorded(
  stage: Stage,
  lake: Lake,
  now: () => Date,
  work: () => Promise<StageResult>,
): Promise<StageResult> {
  const looked_at = now().toISOString();
  try {
    const result = await work();
    const outcome = outcomeOf(result);
    // Of a look that leaves something to do it cannot be said that all of it is in the batches up to there.
    const seen = result.isUpToDate ? { seen_at: looked_at, seen_batch: result.head } : await lastSeen(lake, stage);
    const detail = { ...result.detail, ...seen };
    await keep(lake, stage, { stage, looked_at, batch: result.head, outcome, detail });
    return result;
  } catch (error) {
    await keepFailure(lake, stage, looked_at, error);
    throw error instanceof PipelineError ? error.within({ stage }) : error;
  }
}

function outcomeOf({ batches, isUpToDate }: StageResult): StageState['outcome'] {
  if (batches > 0) return 'committed';
  return isUpToDate ? 'nothing_new' : 'waiting';
}

async function lastSeen(lake: Lake, stage: Stage): Promise<NonNullable<StageState['detail']>> {
  const before = await readState(lake, stage).catch(() => null);
  return Object.fromEntries(Object.entries(before?.detail ?? {}).filter(([name]) => SEEN.has(name)));
}

const SEEN = new Set(['seen_at', 'seen_batch']);

/** What was known of the last look that succeeded stays known. */
async function keepFailure(lake: Lake, stage: Stage, looked_at: string, error: unknown): Promise<void> {
  const before = await readState(lake, stage).catch(() => null);
  const kind = error instanceof PipelineError ? error.kind : 'bug';
  const message = error instanceof Error ? error.message : String(error);
  const known = before?.detail ? { detail: before.detail } : {};
  const failure = { kind, message };
  await keep(lake, stage, { stage, looked_at, batch: before?.batch ?? 0, outcome: 'failed', error: failure, ...known });
}

async function keep(lake: Lake, stage: Stage, state: StageState): Promise<void> {
  await writeState(lake, stage, state).catch(() => undefined);
}
