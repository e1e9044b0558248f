import * as v from 'valibot';

/**
 * What woke a function. It is only ever a wake-up: what there is to do is read from the logs. All that an event can ask
 * for is that the source be read whole (`{"whole": true}`, after a restore).
 */
export interface WakeUp {
  /** For the log: `s3 log/00000000000000000042.json`, `schedule`, `sweep`, or `unknown`. */
  readonly by: string;
  readonly whole: boolean;
  /** Nothing that Starling's schedules, S3 or a person by hand would send. */
  readonly malformed: boolean;
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html; keys are URL-encoded. */
const notification = v.object({
  Records: v.pipe(v.array(v.object({ s3: v.object({ object: v.object({ key: v.string() }) }) })), v.minLength(1)),
});

const asked = v.strictObject({
  wake: v.optional(v.picklist(['schedule', 'sweep', 'deploy'])),
  whole: v.optional(v.boolean(), false),
});

/** A plain EventBridge schedule, without an input of its own. */
const scheduled = v.object({ source: v.picklist(['aws.scheduler', 'aws.events']) });

export function readWakeUp(event: unknown): WakeUp {
  const known = { whole: false, malformed: false };
  const byHand = v.safeParse(asked, event);
  // An array passes for an object without fields.
  if (byHand.success && !Array.isArray(event)) return { ...known, by: byHand.output.wake ?? 'hand', whole: byHand.output.whole };
  const byS3 = v.safeParse(notification, event);
  if (byS3.success) return { ...known, by: `s3 ${printable(byS3.output.Records[0]?.s3.object.key ?? '')}` };
  if (v.is(scheduled, event)) return { ...known, by: 'schedule' };
  return { by: 'unknown', whole: false, malformed: true };
}

/** A key that Starling writes is all of these; whatever else an event says is not worth a line of log. */
function printable(key: string): string {
  return /^[A-Za-z0-9._/-]{1,300}$/.test(key) ? key : '(another key)';
}
