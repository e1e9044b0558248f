import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ListBucketsCommand } from '@aws-sdk/client-s3';
import { generateTotesys } from '../../src/local/totesys/generate.ts';
import { STAGES } from '../../src/shared/report.ts';
import { listenTo, type Listener } from '../support/alerts.ts';
import { runStarling } from '../support/cli.ts';
import { metricsOf } from '../support/metrics.ts';
import { startMoto } from '../support/moto.ts';
import { connectTo, freshDatabase, ownServer, temporaryDirectory } from '../support/postgres.ts';
import { testS3Client } from '../support/s3.ts';
import { awsEnvironment, rdsSecret, testSecret, type TestSecret } from '../support/secrets.ts';
import { findTerraform } from '../terraform/terraform.ts';
import { type Called, Cloud } from './cloud.ts';
import { deploy, type Deployment, hashOf } from './deployment.ts';

const moto = await startMoto();
const surroundings = await findTerraform();

/** Logins of their own, whose passwords the tests change. */
async function withLogin(database: string, role: string, password: string, sql: string): Promise<string> {
  const admin = await connectTo(database);
  await admin.query(`create role ${role} login password '${password}'; ${sql}`);
  const url = new URL(database);
  url.username = role;
  url.password = password;
  return url.href;
}

const failures = (calls: readonly Called[]) => calls.flatMap(({ error }) => (error ? [error.message] : []));

/** `ingest 1/7`: it committed one batch, and the last one is 7. */
const ran = (calls: readonly Called[]) =>
  calls.map(({ stage, result }) => `${stage} ${result?.batches}/${result?.head}`);

describe.runIf(moto && surroundings)('the deployed system', () => {
  let deployment: Deployment;
  let cloud: Cloud;
  let source: Client;
  let warehouse: Client;
  let urls: Readonly<Record<'source' | 'warehouse', string>>;
  let secrets: Readonly<Record<'source' | 'warehouse', TestSecret>>;
  let alerts: Listener;
  const suffix = String(process.pid);

  beforeAll(async () => {
    if (!moto || !surroundings) return;
    // A transaction of another test's would hold back what the source's snapshots show to be over.
    const server = await ownServer();
    const [sourceDatabase, warehouseDatabase] = [await freshDatabase('source', server), await freshDatabase('warehouse', server)];
    [source, warehouse] = [await connectTo(sourceDatabase), await connectTo(warehouseDatabase)];
    await generateTotesys(source, { orders: 400, seed: 5 });
    const reader = `reader_${suffix}`;
    const loader = `loader_${suffix}`;
    urls = {
      source: await withLogin(sourceDatabase, reader, 'first-secret', `grant select on all tables in schema public to ${reader}`),
      warehouse: await withLogin(warehouseDatabase, loader, 'first-secret', `create schema pipeline authorization ${loader}; alter schema public owner to ${loader}`),
    };
    secrets = { source: await testSecret(moto, rdsSecret(urls.source)), warehouse: await testSecret(moto, rdsSecret(urls.warehouse)) };
    deployment = await deploy(moto, surroundings, { source: secrets.source.arn, warehouse: secrets.warehouse.arn });
    alerts = await listenTo(moto, deployment.topicArn);
    cloud = await Cloud.over(moto, deployment);
  });

  afterAll(async () => {
    await cloud?.stop();
    await moto?.stop();
  });

  /** Source and warehouse, row by row and column by column, by the command that anybody can run. */
  async function expectEqual(): Promise<void> {
    if (!moto) return;
    const environment = {
      SOURCE_URL: urls.source,
      WAREHOUSE_URL: urls.warehouse,
      INGESTION_BUCKET: deployment.buckets.ingestion,
      PROCESSED_BUCKET: deployment.buckets.processed,
      ...awsEnvironment(moto),
    };
    expect(await runStarling(['compare', '--json'], { environment, cwd: await temporaryDirectory() })).toMatchObject({ status: 0 });
  }

  async function versionsOf(order: number): Promise<readonly string[]> {
    const { rows } = await warehouse.query<{ batch_id: string }>(
      'select batch_id from fact_sales_order where sales_order_id = $1 order by batch_id', [order]);
    return rows.map(({ batch_id }) => batch_id);
  }

  const editOrder = async (order: number, units: number) =>
    source.query('update sales_order set units_sold = $2 where sales_order_id = $1', [order, units]);

  test('is what the configuration says: a second plan is empty, and the code is what was built', async () => {
    expect(await deployment.terraform.plan(deployment.variables)).toBe('empty');
    for (const stage of STAGES) expect(deployment.functions[stage].codeHash).toBe(await hashOf(stage));
  });

  test('is woken by schedules and by entries of the logs, and by nothing else', () => {
    const { functions, buckets } = deployment;
    expect(cloud.rules).toEqual([
      { bucket: buckets.ingestion, target: functions.transform.name, prefix: 'log/', suffix: '.json' },
      { bucket: buckets.processed, target: functions.load.name, prefix: 'log/', suffix: '.json' },
    ]);
    expect(STAGES.map((stage) => functions[stage].schedule.expression)).toEqual(['rate(15 minutes)', 'rate(5 minutes)', 'rate(5 minutes)']);
  });

  test('brings the source into the warehouse by itself once the schedule has fired', async () => {
    expect(ran(await cloud.round())).toEqual(['ingest 1/1', 'transform 1/1', 'load 1/1']);
    await expectEqual();
  });

  test('brings a change after it, as one more version', async () => {
    await editOrder(7, 77);
    expect(ran(await cloud.round())).toEqual(['ingest 1/2', 'transform 1/2', 'load 1/2']);
    expect(await versionsOf(7)).toEqual(['1', '2']);
    await expectEqual();
  });

  test('does nothing where nothing changed, and says how fresh the warehouse is', async () => {
    expect(ran(await cloud.round())).toEqual(['ingest 0/2']);
    expect(ran(await cloud.sweep())).toEqual(['transform 0/2', 'load 0/2']);
  });

  test('makes up for a lost event by its sweeps', async () => {
    await editOrder(8, 88);
    await cloud.wake('ingest');
    expect(cloud.pending.splice(0)).toHaveLength(1);
    expect(ran(await cloud.sweep())).toEqual(['transform 1/3', 'load 1/3', 'load 0/3']);
    await expectEqual();
  });

  test('does nothing twice for events that are doubled, late, out of order, malformed, or at once', async () => {
    for (const units of [91, 92, 93]) {
      await editOrder(9, units);
      await cloud.wake('ingest');
    }
    const [first, second, third] = cloud.pending.splice(0);
    if (!first || !second || !third) throw new Error('three entries wake transform three times');
    cloud.pending = [third, first, third];
    const another = await cloud.anotherContainer('transform');
    const [calls, meanwhile] = await Promise.all([cloud.settle(), another.invoke({ Records: 'nonsense' })]);
    await another.stop();
    expect([...failures(calls), ...(meanwhile.error ? [meanwhile.error.message] : [])]).toEqual([]);
    expect(failures([await cloud.call('load', 'nonsense'), ...(await cloud.settle())])).toEqual([]);
    expect(await versionsOf(9)).toEqual(['1', '4', '5', '6']);
    await expectEqual();
  });

  test('says so once when a secret is denied, and once when it is not any more', async () => {
    await alerts.heard();
    cloud.gateways.load.refuse = ({ action }) => action === 'secretsmanager:GetSecretValue';
    await cloud.freeze('load');
    await editOrder(10, 11);
    expect(failures(await cloud.round())).toEqual(['warehouse: AccessDeniedException from Secrets Manager']);
    expect(failures(await cloud.sweep())).toHaveLength(1);
    expect(await alerts.heard()).toEqual(['starling load batch 7 failed, secret_denied: check the ARN of the secret and the right of the role to read it']);
    cloud.gateways.load.refuse = () => false;
    expect(failures(await cloud.sweep())).toEqual([]);
    expect(await alerts.heard()).toEqual(['starling load batch 7 recovered']);
    await expectEqual();
  });

  test('takes a rotated password without a deploy, in warm containers too', async () => {
    await source.query(`alter role reader_${suffix} password 'second-secret'`);
    await editOrder(11, 12);
    expect(failures(await cloud.round())).toEqual([expect.stringContaining('password authentication failed')]);
    expect(await alerts.heard()).toEqual(['starling ingest batch 8 failed, source_denied: check user, password and grants of the source']);
    urls = { ...urls, source: urls.source.replace('first-secret', 'second-secret') };
    await secrets.source.rotate(rdsSecret(urls.source));
    expect(ran(await cloud.round())).toEqual(['ingest 1/8', 'transform 1/8', 'load 1/8']);
    expect(await alerts.heard()).toEqual(['starling ingest batch 8 recovered']);
    await expectEqual();
  });

  test('leaves nothing half done where a bucket refuses, and carries on when it does not', async () => {
    cloud.gateways.transform.refuse = ({ action, resource }) => action === 's3:PutObject' && resource.includes('/data/');
    await editOrder(12, 13);
    const calls = await cloud.round();
    expect(failures(calls)).toEqual([expect.stringContaining('AccessDenied')]);
    expect(await versionsOf(12)).toEqual(['1']);
    expect(await alerts.heard()).toEqual(['starling transform batch 9 failed, lake_denied: check bucket policy, role and KMS key']);
    cloud.gateways.transform.refuse = () => false;
    expect(failures(await cloud.sweep())).toEqual([]);
    expect(await versionsOf(12)).toEqual(['1', '9']);
    expect(await alerts.heard()).toEqual(['starling transform batch 9 recovered']);
    await expectEqual();
  });

  test('stops between two batches when its time is nearly over, and the next wake-up goes on', async () => {
    for (const units of [14, 15, 16]) {
      await editOrder(13, units);
      await cloud.wake('ingest');
    }
    cloud.pending.splice(0);
    expect(ran([await cloud.wake('transform', [900_000, 8_000])])).toEqual(['transform 1/10']);
    expect(ran([await cloud.wake('transform')])).toEqual(['transform 2/12']);
    expect(ran([await cloud.wake('load', [900_000, 900_000, 8_000])])).toEqual(['load 2/11']);
    expect(ran([await cloud.wake('load')])).toEqual(['load 1/12']);
    expect(failures(await cloud.settle())).toEqual([]);
    expect(await versionsOf(13)).toEqual(['1', '10', '11', '12']);
    await expectEqual();
  });

  test('has measured all of that', async () => {
    if (!moto) return;
    const metrics = metricsOf(moto);
    const ofLoad = { Pipeline: 'starling', Stage: 'load' };
    const { rows } = await warehouse.query<{ versions: number }>('select count(*)::int as versions from fact_sales_order');
    expect(await metrics.statistics('Rows', { ...ofLoad, Table: 'fact_sales_order' }, 'Count')).toMatchObject({ sum: rows[0]?.versions });
    expect(await metrics.statistics('Duration', ofLoad, 'Seconds')).toMatchObject({ samples: 12 });
    expect(await metrics.statistics('QuarantinedRows', { Pipeline: 'starling' }, 'Count')).toMatchObject({ sum: 0 });
    const freshness = await metrics.statistics('Freshness', { Pipeline: 'starling' }, 'Seconds');
    expect(freshness.samples).toBeGreaterThan(12);
    expect(freshness.maximum).toBeLessThan(300);
    expect((await metrics.statistics('BatchesPending', { ...ofLoad, Stage: 'transform' }, 'Count')).maximum).toBe(2);
  });

  test('asked AWS for nothing that its roles, the key and the buckets do not allow', () => {
    const { ingest, transform, load } = cloud.gateways;
    const calls = [ingest, transform, load].flatMap((gateway) => gateway.calls);
    const refused = calls.filter(({ allowed }) => !allowed).map(({ action }) => action);
    expect(new Set(refused)).toEqual(new Set(['secretsmanager:GetSecretValue', 's3:PutObject']));
    expect(refused.length).toBeLessThan(10);
    const used = (gateway: typeof ingest) => [...new Set(gateway.calls.map(({ action }) => action))].toSorted();
    expect(used(load)).toEqual([
      'cloudwatch:PutMetricData', 's3:DeleteObject', 's3:GetObject', 's3:ListBucket', 's3:PutObject',
      'secretsmanager:GetSecretValue', 'sns:Publish',
    ]);
    expect(calls.length).toBeGreaterThan(300);
  });

  test('logged nothing but JSON with stage, batch and table, and never a password', () => {
    // What Node and the SDK say of themselves at a cold start is not ours.
    const ours = cloud.log.filter((line) => !('unstructured' in line));
    expect(ours.length).toBeGreaterThan(100);
    const fields = { level: expect.any(String), stage: expect.any(String), batch: expect.any(Number), table: expect.any(String) };
    for (const line of ours) expect(line).toMatchObject(fields);
    expect(JSON.stringify(cloud.log)).not.toMatch(/first-secret|second-secret/);
  });

  test('is gone when it is destroyed', async () => {
    if (!moto) return;
    await deployment.terraform.destroy(deployment.variables);
    expect(await deployment.terraform.stateList()).toEqual([]);
    const { Buckets = [] } = await testS3Client(moto.endpoint).send(new ListBucketsCommand({}));
    expect(Buckets).toEqual([]);
  });
});
