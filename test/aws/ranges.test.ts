/** A first load that is too large for one call: every stage does it in ranges, on what was deployed. */

import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateTotesys } from '../../src/local/totesys/generate.ts';
import { STAGES, type Stage } from '../../src/shared/report.ts';
import { listenTo, type Listener } from '../support/alerts.ts';
import { runStarling } from '../support/cli.ts';
import { startMoto } from '../support/moto.ts';
import { connectTo, freshDatabase, ownServer, temporaryDirectory } from '../support/postgres.ts';
import { TestQueue } from '../support/queue.ts';
import { testS3Client } from '../support/s3.ts';
import { awsEnvironment, rdsSecret, testSecret } from '../support/secrets.ts';
import { findTerraform } from '../terraform/terraform.ts';
import { Cloud } from './cloud.ts';
import type { Answer } from './container.ts';
import { deploy, type Deployment } from './deployment.ts';
import type { Gateway } from './gateway.ts';
import { type Meddle, workQueue } from './mapping.ts';
import { isAllowed } from './policy.ts';
import { keysOf } from './triggers.ts';

const moto = await startMoto();
const surroundings = await findTerraform();

/** So that a few megabytes are a large batch: a tenth of one a range. */
const RANGE_MB = '0.1';

const outcomes = (answers: readonly Answer[]) =>
  answers.flatMap(({ log }) => log).flatMap(({ outcome }) => (typeof outcome === 'string' ? [outcome] : []));

const actionsOf = ({ calls }: Gateway, service: string) =>
  [...new Set(calls.filter((call) => call.service === service).map(({ action }) => action))].toSorted();

describe.runIf(moto && surroundings)('a first load in ranges', () => {
  let deployment: Deployment;
  let cloud: Cloud;
  let alerts: Listener;
  let urls: Readonly<Record<'source' | 'warehouse', string>>;
  let queues: Readonly<Record<Stage, TestQueue>>;

  beforeAll(async () => {
    if (!moto || !surroundings) return;
    const server = await ownServer();
    urls = { source: await freshDatabase('source', server), warehouse: await freshDatabase('warehouse', server) };
    await generateTotesys(await connectTo(urls.source), { orders: 12_000, seed: 11 });
    const secrets = { source: await testSecret(moto, rdsSecret(urls.source)), warehouse: await testSecret(moto, rdsSecret(urls.warehouse)) };
    deployment = await deploy(moto, surroundings, { source: secrets.source.arn, warehouse: secrets.warehouse.arn });
    alerts = await listenTo(moto, deployment.topicArn);
    cloud = await Cloud.over(moto, deployment, { RANGE_MB });
    const queueOf = (stage: Stage) => new TestQueue(moto, deployment.functions[stage].queue.url);
    queues = { ingest: queueOf('ingest'), transform: queueOf('transform'), load: queueOf('load') };
  });

  afterAll(async () => {
    await cloud?.stop();
    await moto?.stop();
  });

  const keys = async (bucket: 'ingestion' | 'processed', prefix: string) => keysOf(testS3Client(moto?.endpoint ?? ''), deployment.buckets[bucket], prefix);

  test('is handed out by a look that commits nothing, and no other look sends it again meanwhile', async () => {
    expect(await cloud.wake('ingest')).toMatchObject({ result: { batches: 0, head: 0 } });
    const { waiting } = await queues.ingest.counts();
    expect(waiting).toBeGreaterThan(4);
    expect(await cloud.wake('ingest')).toMatchObject({ result: { batches: 0, head: 0 } });
    expect(await queues.ingest.counts()).toEqual({ waiting, hidden: 0 });
    expect(await keys('ingestion', 'log/')).toEqual([]);
    expect(deployment.functions.ingest.queue.batchSize).toBe(1);
  });

  test('is read by workers at once, though one is killed, one refused, and messages come twice and get lost', async () => {
    // Once, whichever of the workers comes with it: the next delivery may be under way by then.
    let isToRefuse = false;
    cloud.gateways.ingest.refuse = ({ action, resource }) => {
      const isRefused = isToRefuse && action === 's3:PutObject' && resource.includes('/data/');
      if (isRefused) isToRefuse = false;
      return isRefused;
    };
    const meddle: Meddle = async (event, delivery, container) => {
      if (delivery === 1) void delay(150).then(() => container.stop());
      if (delivery === 3) await queues.ingest.send(event.Records[0]?.body ?? '');
      if (delivery === 4) await queues.ingest.settle(event, { batchItemFailures: [] });
      if (delivery === 5) isToRefuse = true;
      return delivery === 4;
    };
    const answers = await workQueue(cloud, 'ingest', queues.ingest, 2, meddle);
    cloud.gateways.ingest.refuse = () => false;
    expect(answers.some(({ batch }) => (batch?.batchItemFailures.length ?? 0) > 0)).toBe(true);
    expect(outcomes(answers)).not.toContain('committed');
    expect((await alerts.heard()).filter((alert) => !alert.includes('batch 1 failed, lake_denied'))).toEqual([]);
    // The look finds that one is missing and nobody is at it.
    expect(await cloud.wake('ingest')).toMatchObject({ result: { batches: 0 } });
    expect((await queues.ingest.counts()).waiting).toBe(1);
    expect(outcomes(await workQueue(cloud, 'ingest', queues.ingest, 1))).toEqual(['committed']);
    expect(await keys('ingestion', 'log/')).toEqual(['log/00000000000000000001.json']);
    expect(await alerts.heard()).toEqual(['starling ingest batch 1 recovered']);
  });

  test('goes on to transform and to load, each waking the next by what it commits', async () => {
    for (const stage of ['transform', 'load'] as const) {
      for (const { error } of await cloud.settle()) expect(error).toBeUndefined();
      // A sweep meanwhile, which leaves it to the workers.
      const { waiting } = await queues[stage].counts();
      expect(waiting).toBeGreaterThan(2);
      expect((await cloud.wake(stage)).error).toBeUndefined();
      expect((await queues[stage].counts()).waiting).toBe(waiting);
      expect(outcomes(await workQueue(cloud, stage, queues[stage], 2)).filter((outcome) => outcome === 'committed')).toHaveLength(1);
    }
    await cloud.settle();
    expect((await keys('processed', 'split/')).length).toBeGreaterThan(4);
    expect(await keys('processed', 'log/')).toEqual(['log/00000000000000000001.json']);
    const warehouse = await connectTo(urls.warehouse);
    const { rows } = await warehouse.query('select max(batch_id) as batch, count(*)::int as batches from pipeline.ledger');
    expect(rows).toEqual([{ batch: '1', batches: 1 }]);
  });

  test('ends like one that was not split: the warehouse is what the source is', async () => {
    if (!moto) return;
    const environment = {
      SOURCE_URL: urls.source, WAREHOUSE_URL: urls.warehouse,
      INGESTION_BUCKET: deployment.buckets.ingestion, PROCESSED_BUCKET: deployment.buckets.processed, ...awsEnvironment(moto),
    };
    expect(await runStarling(['compare', '--json'], { environment, cwd: await temporaryDirectory() })).toMatchObject({ status: 0 });
    for (const stage of STAGES) expect(await queues[stage].counts()).toEqual({ waiting: 0, hidden: 0 });
  });

  test('asked for nothing that was not allowed, and none may do with the queue of another what it does with its own', () => {
    const refused = STAGES.flatMap((stage) => cloud.gateways[stage].calls.filter(({ allowed }) => !allowed));
    expect(refused.filter(({ action, resource }) => action !== 's3:PutObject' || !resource.includes('/data/'))).toEqual([]);
    for (const stage of STAGES) {
      expect(actionsOf(cloud.gateways[stage], 'sqs')).toEqual(['sqs:ChangeMessageVisibility', 'sqs:GetQueueAttributes', 'sqs:SendMessage']);
      const { role, policies } = deployment.functions[stage].rights;
      const own = cloud.gateways[stage].calls.find(({ service }) => service === 'sqs');
      if (!own) throw new Error('nothing was asked of SQS');
      const others = STAGES.filter((one) => one !== stage).map((one) => own.resource.replace(`-${stage}-`, `-${one}-`));
      for (const resource of [...others, own.resource.replace('-ranges', '-range-dead-letters')]) {
        expect(isAllowed({ ...own, resource }, role, policies, [])).toBe(false);
      }
    }
  });
});
