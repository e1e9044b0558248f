import * as v from 'valibot';
import { workRange as ingestRange } from '../../ingest/range.ts';
import { workRange as loadRange } from '../../load/range.ts';
import { PipelineError } from '../../shared/errors.ts';
import type { RangeOutcome, RangeRef } from '../../shared/lake/split.ts';
import type { Stage } from '../../shared/report.ts';
import { workRange as transformRange } from '../../transform/range.ts';
import type { PipelineContext } from '../context.ts';
import { type Answer, failureOf, taskSchema } from './messages.ts';

/** How a range of each stage is done. */
const WORK: Readonly<Record<Stage, (context: PipelineContext, ref: RangeRef) => Promise<RangeOutcome>>> = {
  ingest: ingestRange,
  transform: transformRange,
  load: loadRange,
};

/** @throws PipelineError where nobody is there to hand out ranges. */
export function checkWorker(worker: NodeJS.Process): void {
  if (!worker.send) throw new PipelineError('config', '`starling backfill` starts its workers itself');
}

/**
 * A worker process: does the ranges that its parent hands it, one at a time, until the parent is gone. It has no say in
 * when to end: a terminal sends SIGINT to parent and workers alike, and the range in hand is to be finished.
 */
export async function workForParent(context: PipelineContext, worker: NodeJS.Process): Promise<boolean> {
  const answer = (said: Answer): void => void worker.send?.(said);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) worker.removeAllListeners(signal).on(signal, () => undefined);
  const orphaned = new Promise<void>((resolve) => worker.on('disconnect', resolve));
  const report: PipelineContext['report'] = (event) => answer({ answer: 'event', event });
  worker.on('message', (message) => void work({ ...context, report }, message).then(answer));
  answer({ answer: 'ready' });
  await orphaned;
  // Whatever it is at is lost; nobody would know of it.
  worker.exit();
  return true;
}

async function work(context: PipelineContext, message: unknown): Promise<Answer> {
  try {
    const { stage, ref } = v.parse(taskSchema, message);
    return { answer: 'done', outcome: await WORK[stage](context, ref) };
  } catch (error) {
    return failureOf(error);
  }
}
