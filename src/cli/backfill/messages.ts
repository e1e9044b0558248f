import * as v from 'valibot';
import { type ErrorContext, ERROR_KINDS, type ErrorKind, PipelineError } from '../../shared/errors.ts';
import { type RangeOutcome, rangeRefSchema } from '../../shared/lake/split.ts';
import { type ReportEvent, STAGES } from '../../shared/report.ts';

/** What `starling backfill` and its workers say to each other. */

/** To a worker: one range to do. It gets the next one when it has answered. */
export const taskSchema = v.object({ stage: v.picklist(STAGES), ref: rangeRefSchema });
export type Task = v.InferOutput<typeof taskSchema>;

const kind = v.custom<ErrorKind>((input) => typeof input === 'string' && ERROR_KINDS.includes(input));
const event = v.custom<ReportEvent>((input) => typeof input === 'object' && input !== null && 'event' in input);
const outcome = v.picklist(['done', 'committed', 'gone'] satisfies readonly RangeOutcome[]);
const context = v.custom<ErrorContext>((input) => typeof input === 'object' && input !== null);

/** From a worker: that it is ready, what it tells of its work, and how a range ended. A bug has no kind. */
export const answerSchema = v.variant('answer', [
  v.object({ answer: v.literal('ready') }),
  v.object({ answer: v.literal('event'), event }),
  v.object({ answer: v.literal('done'), outcome }),
  v.object({ answer: v.literal('failed'), kind: v.nullable(kind), message: v.string(), context }),
]);
export type Answer = v.InferOutput<typeof answerSchema>;

export type Failure = Extract<Answer, { readonly answer: 'failed' }>;

export function failureOf(error: unknown): Failure {
  if (error instanceof PipelineError) {
    return { answer: 'failed', kind: error.kind, message: error.message, context: error.context };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { answer: 'failed', kind: null, message, context: {} };
}

export function errorOf({ kind: known, message, context: where }: Failure): Error {
  return known === null ? new Error(message) : new PipelineError(known, message, where);
}
