/** The functions as AWS has them, with a source to read: what they find in their environment, and how they are woken. */

import { vi } from 'vitest';
import { generateTotesys } from '../../src/local/totesys/generate.ts';
import type { Stage, StageResult } from '../../src/shared/report.ts';
import { freshTopic, listenTo, type Listener } from '../support/alerts.ts';
import type { Moto } from '../support/moto.ts';
import { connectTo, freshDatabase } from '../support/postgres.ts';
import { freshBucket, testS3Client } from '../support/s3.ts';
import { awsEnvironment, rdsSecret, testSecret } from '../support/secrets.ts';

export interface Deployed {
  readonly sourceUrl: string;
  readonly warehouseUrl: string;
  readonly alerts: Listener;
  /** Wakes the stage's function up: the same container each time. */
  readonly wake: (stage: Stage) => Promise<StageResult>;
}

const HALF_HOUR = { getRemainingTimeInMillis: () => 1_800_000 };

/** @param endpoints Where a service is reached instead of moto: `AWS_ENDPOINT_URL_S3` and so on. */
export async function deployed(moto: Moto, endpoints: Readonly<Record<string, string>>): Promise<Deployed> {
  const s3 = testS3Client(moto.endpoint);
  const [sourceUrl, warehouseUrl] = [await freshDatabase('source'), await freshDatabase('warehouse')];
  await generateTotesys(await connectTo(sourceUrl), { orders: 50, seed: 3 });
  const topic = await freshTopic(moto);
  const environment = {
    ...awsEnvironment(moto),
    INGESTION_BUCKET: await freshBucket(s3),
    PROCESSED_BUCKET: await freshBucket(s3),
    SOURCE_SECRET_ARN: (await testSecret(moto, rdsSecret(sourceUrl))).arn,
    WAREHOUSE_SECRET_ARN: (await testSecret(moto, rdsSecret(warehouseUrl))).arn,
    ALERT_TOPIC_ARN: topic,
    POWERTOOLS_DEV: 'true',
    ...endpoints,
  };
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  vi.resetModules();
  const [ingest, transform, load] = await Promise.all([
    import('../../src/ingest/handler.ts'), import('../../src/transform/handler.ts'), import('../../src/load/handler.ts'),
  ]);
  const handlers = { ingest: ingest.handler, transform: transform.handler, load: load.handler };
  const wake = async (stage: Stage): Promise<StageResult> => {
    const result = await handlers[stage]({ wake: 'sweep' }, HALF_HOUR);
    if ('batchItemFailures' in result) throw new Error('a sweep brings no ranges');
    return result;
  };
  return { sourceUrl, warehouseUrl, alerts: await listenTo(moto, topic), wake };
}

/** The messages of the functions' logs, in the order in which they are written from now on. */
export function logged(): readonly string[] {
  const messages: string[] = [];
  const keep = (line: unknown): void => void messages.push(String(JSON.parse(String(line)).message));
  for (const method of ['info', 'warn', 'error', 'debug'] as const) vi.spyOn(console, method).mockImplementation(keep);
  return messages;
}
