import * as v from 'valibot';
import type { DatabasePlace } from '../aws/secret.ts';
import { PipelineError } from '../errors.ts';
import { settings, topicArn } from '../settings.ts';

/** What a function is told by its environment. */
export interface Deployment {
  /** The deployment's name: it tells the metrics, logs and alerts of several in one account apart. */
  readonly pipeline: string;
  readonly alertTopicArn: string | null;
  readonly ingestionBucket: string;
  readonly processedBucket: string;
  readonly source: DatabasePlace;
  readonly sourceSchema: string;
  readonly warehouse: DatabasePlace;
  readonly warehouseSchema: string;
  /** Where ranges of batches that are too large for one call are sent, and how large they are; null: none are. */
  readonly ranges: { readonly queueUrl: string; readonly rangeBytes: number } | null;
}

/** What a stage cannot do without. */
export type Need = 'ingestion' | 'processed' | 'source' | 'warehouse';

const VARIABLES: Readonly<Record<Need, readonly Variable[]>> = {
  ingestion: ['INGESTION_BUCKET'],
  processed: ['PROCESSED_BUCKET'],
  source: ['SOURCE_SECRET_ARN', 'SOURCE_URL'],
  warehouse: ['WAREHOUSE_SECRET_ARN', 'WAREHOUSE_URL'],
};

const MB = 2 ** 20;

/** https://sqs.<region>.amazonaws.com/<account>/<name>, or another endpoint's. */
const queueUrl = v.pipe(v.string(), v.regex(/^https?:\/\/[^\s/]+\/\d{12}\/[A-Za-z0-9_-]{1,80}$/, 'is not the URL of a queue'));

const megabytes = v.pipe(
  v.string(), v.regex(/^\d{1,6}(\.\d{1,6})?$/, 'is not a number'), v.transform(Number), v.minValue(0.001, 'is too small'),
);

const variables = v.object({
  ...settings,
  PIPELINE_NAME: v.optional(v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,19}$/, 'is not a name')), 'starling'),
  ALERT_TOPIC_ARN: v.optional(topicArn),
  RANGE_QUEUE_URL: v.optional(queueUrl),
  RANGE_MB: v.optional(megabytes, '1024'),
});

type Variable = keyof (typeof variables)['entries'];

/**
 * Reads a function's environment; an empty variable counts as not set.
 * @throws PipelineError `config` that lists everything missing or malformed at once, and never a value.
 */
export function readDeployment(environment: NodeJS.ProcessEnv, needs: readonly Need[]): Deployment {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => Boolean(value)));
  const parsed = v.safeParse(variables, given);
  const malformed = (parsed.issues ?? []).map((issue) => `${v.getDotPath(issue)} ${issue.message}`);
  const missing = needs
    .filter((need) => !VARIABLES[need].some((name) => given[name]))
    .map((need) => `${VARIABLES[need].join(' or ')} is missing`);
  const problems = [...malformed, ...missing];
  if (problems.length > 0 || !parsed.success) {
    throw new PipelineError('config', `the environment of the function does not do: ${problems.join('; ')}`);
  }
  const { output } = parsed;
  return {
    pipeline: output.PIPELINE_NAME,
    alertTopicArn: output.ALERT_TOPIC_ARN ?? null,
    ingestionBucket: output.INGESTION_BUCKET ?? '',
    processedBucket: output.PROCESSED_BUCKET ?? '',
    source: { url: output.SOURCE_URL ?? null, secretArn: output.SOURCE_SECRET_ARN ?? null },
    sourceSchema: output.SOURCE_SCHEMA,
    warehouse: { url: output.WAREHOUSE_URL ?? null, secretArn: output.WAREHOUSE_SECRET_ARN ?? null },
    warehouseSchema: output.WAREHOUSE_SCHEMA,
    ranges: output.RANGE_QUEUE_URL === undefined
      ? null
      : { queueUrl: output.RANGE_QUEUE_URL, rangeBytes: Math.ceil(output.RANGE_MB * MB) },
  };
}
