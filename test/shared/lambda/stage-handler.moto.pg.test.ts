import { beforeAll, describe, expect, test, vi } from 'vitest';
import { generateTotesys } from '../../../src/local/totesys/generate.ts';
import { metricsOf } from '../../support/metrics.ts';
import { startMoto } from '../../support/moto.ts';
import { afterwards, connectTo, freshDatabase } from '../../support/postgres.ts';
import { rdsSecret } from '../../support/secrets.ts';
import { coldStart, deployedOn, HALF_HOUR, keepLog, type Scene, SWEEP } from './scene.ts';

const moto = await startMoto();
if (moto) afterwards(() => moto.stop());

let sourceUrl = '';

beforeAll(async () => {
  sourceUrl = await freshDatabase();
  await generateTotesys(await connectTo(sourceUrl), { orders: 50, seed: 3 });
});

async function deployed(): Promise<Scene> {
  if (!moto) throw new Error('no moto');
  return deployedOn(moto, sourceUrl);
}

const log = keepLog();

describe.runIf(moto)('the three handlers', () => {
  test('bring what is in the source into the warehouse, whatever event wakes them', async () => {
    if (!moto) return;
    await deployed();
    expect(await (await coldStart('ingest'))('nonsense', HALF_HOUR)).toMatchObject({ stage: 'ingest', batches: 1, head: 1 });
    expect(await (await coldStart('transform'))(null, HALF_HOUR)).toMatchObject({ stage: 'transform', batches: 1, head: 1 });
    expect(await (await coldStart('load'))(SWEEP, HALF_HOUR)).toMatchObject({ stage: 'load', batches: 1, head: 1 });
    expect(log.lines.filter(({ level }) => level !== 'INFO').map(({ message }) => message)).toEqual([
      'woken by an event of no known form; it is still a wake-up',
      'woken by an event of no known form; it is still a wake-up',
    ]);
    for (const line of log.lines) expect(line).toMatchObject({ stage: expect.any(String), batch: expect.any(Number), table: expect.any(String) });
    const names = await metricsOf(moto).names();
    for (const name of ['Freshness{}', 'QuarantinedRows{}', 'CursorAge{}', 'BatchesPending{Stage=load}', 'Duration{Stage=ingest}',
      'Rows{Stage=ingest,Table=sales_order}', 'Bytes{Stage=transform,Table=fact_sales_order}', 'Rows{Stage=load,Table=dim_staff}']) {
      expect(names).toContain(name);
    }
  });

  test('have nothing to do the second time, and measure the freshness all the same', async () => {
    if (!moto) return;
    await deployed();
    vi.stubEnv('PIPELINE_NAME', 'second-time');
    const [ingest, transform, load] = [await coldStart('ingest'), await coldStart('transform'), await coldStart('load')];
    for (const handler of [ingest, transform, load]) await handler(SWEEP, HALF_HOUR);
    for (const handler of [ingest, transform, load]) expect(await handler(SWEEP, HALF_HOUR)).toMatchObject({ batches: 0, head: 1 });
    const freshness = await metricsOf(moto).statistics('Freshness', { Pipeline: 'second-time' }, 'Seconds');
    expect(freshness.samples).toBe(2);
    expect(freshness.maximum).toBeLessThan(60);
  });

  test('begin nothing when their time is nearly over, which is no failure', async () => {
    await deployed();
    await (await coldStart('ingest'))(SWEEP, HALF_HOUR);
    const hurry = { getRemainingTimeInMillis: () => 5_000 };
    expect(await (await coldStart('transform'))(SWEEP, hurry)).toMatchObject({ stage: 'transform', batches: 0, head: 0 });
  });
});

describe.runIf(moto)('a failing batch', () => {
  test('throws, is told once, and once more when it has recovered, the secret having been read again', async () => {
    const { secrets, alerts } = await deployed();
    const good = rdsSecret(sourceUrl);
    await secrets.source.rotate(JSON.stringify({ ...JSON.parse(good), dbname: 'nowhere' }));
    const ingest = await coldStart('ingest');
    await expect(ingest(SWEEP, HALF_HOUR)).rejects.toMatchObject({ kind: 'source_unreachable' });
    await expect(ingest(SWEEP, HALF_HOUR)).rejects.toMatchObject({ kind: 'source_unreachable' });
    expect(await alerts.heard()).toEqual([
      'starling ingest batch 1 failed, source_unreachable: check that the source is up and can be reached',
    ]);
    await secrets.source.rotate(good);
    // The same container, a sweep later: it must not keep to what the secret said.
    const later = performance.now() + 300_000;
    vi.spyOn(performance, 'now').mockImplementation(() => later);
    await ingest(SWEEP, HALF_HOUR);
    await ingest(SWEEP, HALF_HOUR);
    expect(await alerts.heard()).toEqual(['starling ingest batch 1 recovered']);
  });

  test('that no topic is there for is told to the log', async () => {
    const { secrets } = await deployed();
    vi.stubEnv('ALERT_TOPIC_ARN', '');
    await secrets.source.rotate('hunter2');
    await expect((await coldStart('ingest'))(SWEEP, HALF_HOUR)).rejects.toMatchObject({ kind: 'secret_malformed' });
    const failure = log.lines.find(({ level }) => level === 'ERROR');
    expect(failure).toMatchObject({ kind: 'secret_malformed', stage: 'ingest', batch: 1, hint: expect.any(String) });
    expect(JSON.stringify(log.lines)).not.toContain('hunter2');
  });

  test('is told although the topic refuses, by the log; and again when the topic is back', async () => {
    const { secrets, alerts } = await deployed();
    const topic = process.env['ALERT_TOPIC_ARN'] ?? '';
    await secrets.warehouse.remove();
    vi.stubEnv('ALERT_TOPIC_ARN', `${topic}-gone`);
    await expect((await coldStart('load'))(SWEEP, HALF_HOUR)).rejects.toMatchObject({ kind: 'secret_denied' });
    expect(log.lines.map(({ message }) => message)).toContain('an alert could not be published');
    vi.stubEnv('ALERT_TOPIC_ARN', topic);
    await expect((await coldStart('load'))(SWEEP, HALF_HOUR)).rejects.toMatchObject({ kind: 'secret_denied' });
    expect(await alerts.heard()).toHaveLength(1);
  });

  test('without a configuration names all that is missing, and tells it once a container and hour', async () => {
    const { alerts } = await deployed();
    for (const name of ['INGESTION_BUCKET', 'PROCESSED_BUCKET', 'WAREHOUSE_SECRET_ARN']) vi.stubEnv(name, '');
    const load = await coldStart('load');
    await expect(load(SWEEP, HALF_HOUR)).rejects.toMatchObject({ kind: 'config', message: expect.stringMatching(/INGESTION.*PROCESSED.*WAREHOUSE_SECRET_ARN or/) });
    await expect(load(SWEEP, HALF_HOUR)).rejects.toMatchObject({ kind: 'config' });
    expect(await alerts.heard()).toEqual(['starling load batch 0 failed, config: correct the setting that the log names and deploy']);
  });

  test('is tried again within the call where that may help at once', async () => {
    await deployed();
    // The port where nobody listens.
    vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', 'http://127.0.0.1:9');
    const ingest = await coldStart('ingest');
    await expect(ingest(SWEEP, HALF_HOUR)).rejects.toMatchObject({ kind: 'secret_unavailable' });
    expect(log.lines.filter(({ kind, level }) => kind === 'secret_unavailable' && level === 'WARN')).toHaveLength(2);
  });

  test('in a lake that cannot be written to is told by each container once, not each time', async () => {
    const { alerts } = await deployed();
    vi.stubEnv('PROCESSED_BUCKET', 'no-such-bucket-anywhere');
    const transform = await coldStart('transform');
    for (let time = 1; time <= 3; time += 1) {
      await expect(transform(SWEEP, HALF_HOUR)).rejects.toMatchObject({ kind: 'config' });
    }
    expect(await alerts.heard()).toEqual([expect.stringContaining('starling transform batch 1 failed, config')]);
  });
});
