import * as v from 'valibot';
import { type RangeRef, rangeRefSchema } from '../lake/split.ts';

/** A message of the stage's queue, as Lambda's event source mapping hands it over. */
export interface RangeMessage {
  readonly id: string;
  /** By it SQS knows which of a message's deliveries is meant. */
  readonly receipt: string;
  /** Null where the body is no range. */
  readonly ref: RangeRef | null;
}

/** https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html */
const record = v.object({
  eventSource: v.literal('aws:sqs'),
  messageId: v.string(),
  receiptHandle: v.optional(v.string(), ''),
  body: v.optional(v.string(), ''),
});
const queued = v.object({ Records: v.pipe(v.array(record), v.minLength(1)) });

/** Null for an event that is no queue's. */
export function readRangeMessages(event: unknown): readonly RangeMessage[] | null {
  const parsed = v.safeParse(queued, event);
  if (!parsed.success) return null;
  return parsed.output.Records.map(({ messageId, receiptHandle, body }) => ({
    id: messageId, receipt: receiptHandle, ref: refOf(body),
  }));
}

function refOf(body: string): RangeRef | null {
  try {
    const parsed = v.safeParse(rangeRefSchema, JSON.parse(body));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
}
