import { ingest } from '../ingest/ingest.ts';
import { load } from '../load/load.ts';
import { type Stage, type StageResult, STAGES } from '../shared/report.ts';
import { recorded } from '../shared/stage.ts';
import { transform } from '../transform/transform.ts';
import type { PipelineContext } from './context.ts';
import type { Output } from './output.ts';

/** Runs one stage until nothing is pending for it. */
export async function runStage(stage: Stage, context: PipelineContext): Promise<StageResult> {
  const { now } = context;
  switch (stage) {
    case 'ingest':
      return recorded(stage, context.ingestion, now, () => ingest(context));
    case 'transform':
      return recorded(stage, context.processed, now, () => transform(context));
    case 'load':
      return recorded(stage, context.processed, now, () => load(context));
  }
}

/**
 * Runs the three stages, one after the other. One that fails does not keep the later ones from what is pending for
 * them: a source that is down is no reason not to load what was read before.
 * @param failed is told of an error where it happens.
 * @returns the errors, in order.
 */
export async function runPipeline(
  context: PipelineContext,
  failed: (error: unknown) => void = () => undefined,
): Promise<readonly unknown[]> {
  const errors: unknown[] = [];
  for (const stage of STAGES) {
    if (context.signal.aborted) break;
    try {
      await runStage(stage, context);
    } catch (error) {
      errors.push(error);
      failed(error);
    }
  }
  return errors;
}

/** Runs the pipeline and tells what failed. @returns whether nothing did. */
export async function run(context: PipelineContext, output: Output): Promise<boolean> {
  const errors = await runPipeline(context, (error) => output.fail(error));
  return errors.length === 0;
}

/** The same for whoever waits for it to be done: being interrupted is an error here. */
export async function runToEnd(context: PipelineContext, output: Output): Promise<boolean> {
  const isDone = await run(context, output);
  context.signal.throwIfAborted();
  return isDone;
}
