import * as v from 'valibot';

import { PipelineError } from '../errors.ts';
import { readJson, toJson } from './json.ts';
import { stateKey } from './key.ts';
import type { Lake } from './lake.ts';

const STATE_MAX_BYTES = 1024 * 1024;

const stageState = v.object({
  stage: v.string(),
  /** When the stage last looked for work. */
  looked_at: v.pipe(v.string(), v.isoTimestamp()),
  /** The last batch that it has committed, 0 for none. */
  batch: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  /** `waiting`: there is something to do, and others are at it. */
  outcome: v.picklist(['committed', 'nothing_new', 'waiting', 'failed']),
  error: v.exactOptional(v.object({ kind: v.string(), message: v.string() })),
  detail: v.exactOptional(v.record(v.string(), v.union([v.string(), v.number()]))),
});

/** What a stage was last seen doing: for status, freshness and a hint at the head. Nothing may depend on it. */
export type StageState = Readonly<v.InferOutput<typeof stageState>>;

/** Null when there is none, or none that makes sense: it is advisory. */
export async function readState(lake: Lake, stage: string): Promise<StageState | null> {
  try {
    const parsed = v.safeParse(stageState, await readJson(lake, stateKey(stage), STATE_MAX_BYTES));
    return parsed.success && parsed.output.stage === stage ? parsed.output : null;
  } catch (error) {
    if (error instanceof PipelineError && (error.kind === 'lake_missing' || error.kind === 'lake_corrupt')) return null;
    throw error;
  }
}

export async function writeState(lake: Lake, stage: string, state: StageState): Promise<void> {
  await lake.replace(stateKey(stage), toJson({ ...state, stage }));
}
