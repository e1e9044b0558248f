/** The functions as they are deployed, in this process: on moto's AWS and real databases. */

import type { SQSBatchResponse } from 'aws-lambda';
import { afterEach, beforeEach, vi } from 'vitest';
import type { Stage, StageResult } from '../../../src/shared/report.ts';
import { freshTopic, listenTo, type Listener } from '../../support/alerts.ts';
import type { Moto } from '../../support/moto.ts';
import { freshDatabase } from '../../support/postgres.ts';
import { freshBucket, testS3Client } from '../../support/s3.ts';
import { awsEnvironment, rdsSecret, testSecret, type TestSecret } from '../../support/secrets.ts';

type Handler = (event: unknown, context: { getRemainingTimeInMillis: () => number }) => Promise<StageResult | SQSBatchResponse>;

/** A cold start: nothing is kept from another test's. */
export async function coldStart(stage: Stage): Promise<Handler> {
  vi.resetModules();
  const handlers = {
    ingest: () => import('../../../src/ingest/handler.ts'),
    transform: () => import('../../../src/transform/handler.ts'),
    load: () => import('../../../src/load/handler.ts'),
  };
  return (await handlers[stage]()).handler;
}

export const HALF_HOUR = { getRemainingTimeInMillis: () => 1_800_000 };
export const SWEEP = { wake: 'sweep' };

export interface Scene {
  readonly sourceUrl: string;
  readonly warehouseUrl: string;
  readonly secrets: Readonly<Record<'source' | 'warehouse', TestSecret>>;
  readonly alerts: Listener;
}

/** A deployment of its own: buckets, secrets, a topic, an empty warehouse; until the end of the test. */
export async function deployedOn(moto: Moto, sourceUrl: string): Promise<Scene> {
  const s3 = testS3Client(moto.endpoint);
  const warehouseUrl = await freshDatabase();
  const topicArn = await freshTopic(moto);
  const secrets = {
    source: await testSecret(moto, rdsSecret(sourceUrl)),
    warehouse: await testSecret(moto, rdsSecret(warehouseUrl)),
  };
  const environment = {
    ...awsEnvironment(moto),
    INGESTION_BUCKET: await freshBucket(s3),
    PROCESSED_BUCKET: await freshBucket(s3),
    SOURCE_SECRET_ARN: secrets.source.arn,
    WAREHOUSE_SECRET_ARN: secrets.warehouse.arn,
    ALERT_TOPIC_ARN: topicArn,
    POWERTOOLS_DEV: 'true',
  };
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  return { sourceUrl, warehouseUrl, secrets, alerts: await listenTo(moto, topicArn) };
}

interface KeptLog {
  /** In the order in which they were written, of this test. */
  readonly lines: readonly Readonly<Record<string, unknown>>[];
}

/** Keeps what the functions of a test log, and undoes what the test has stubbed. */
export function keepLog(): KeptLog {
  const kept: { lines: Record<string, unknown>[] } = { lines: [] };
  beforeEach(() => {
    kept.lines = [];
    const keep = (line: unknown) => void kept.lines.push(JSON.parse(String(line)));
    for (const method of ['info', 'warn', 'error', 'debug'] as const) vi.spyOn(console, method).mockImplementation(keep);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
  });
  return kept;
}
