import { beforeEach, describe, expect, test, vi } from 'vitest';
import { DirectoryLake } from '../../../src/local/directory-lake.ts';
import { PipelineError } from '../../../src/shared/errors.ts';
import type { RangeOutcome, RangeRef } from '../../../src/shared/lake/split.ts';
import { type Call, stageHandler } from '../../../src/shared/lambda/stage-handler.ts';
import { freshTopic, listenTo, type Listener } from '../../support/alerts.ts';
import { metricsOf } from '../../support/metrics.ts';
import { startMoto } from '../../support/moto.ts';
import { afterwards, temporaryDirectory } from '../../support/postgres.ts';
import { freshQueues, type TestQueue } from '../../support/queue.ts';
import { awsEnvironment } from '../../support/secrets.ts';
import { HALF_HOUR, keepLog, SWEEP } from './scene.ts';

const moto = await startMoto();
if (moto) afterwards(() => moto.stop());

const ATTEMPT = '0b6f2f6e-6a5e-4d57-9a55-3a7f6a1d9f10';
const MB = 2 ** 20;
const refs = (count: number): readonly RangeRef[] => Array.from({ length: count }, (_, range) => ({ batch: 7, attempt: ATTEMPT, range }));

const log = keepLog();
let queues: { readonly ranges: TestQueue; readonly deadLetters: TestQueue };
let alerts: Listener;

beforeEach(async () => {
  if (!moto) return;
  queues = await freshQueues(moto);
  const topic = await freshTopic(moto);
  alerts = await listenTo(moto, topic);
  const environment = { ...awsEnvironment(moto), ALERT_TOPIC_ARN: topic, POWERTOOLS_DEV: 'true', RANGE_QUEUE_URL: queues.ranges.url };
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
});

/** The function around a stage whose ranges end as they are told to. */
async function functionWith(workRange: (call: Call, ref: RangeRef) => Promise<RangeOutcome>, onLook: (call: Call) => void = () => undefined) {
  const lake = new DirectoryLake(await temporaryDirectory());
  const result = { stage: 'load', batches: 0, head: 6, isUpToDate: false } as const;
  const work = async (call: Call) => (onLook(call), result);
  return stageHandler('load', [], () => ({ lake, work, workRange, measure: async () => ({}) }));
}

/** Delivers what is there, until nothing is to be had now. */
async function deliverAll(handler: Awaited<ReturnType<typeof functionWith>>, most = 1): Promise<readonly number[]> {
  const failures: number[] = [];
  for (let event = await queues.ranges.receive(most); event; event = await queues.ranges.receive(most)) {
    const answer = await handler(event, HALF_HOUR);
    if (!('batchItemFailures' in answer)) throw new Error('not the answer to a queue');
    failures.push(answer.batchItemFailures.length);
    await queues.ranges.settle(event, answer);
  }
  return failures;
}

describe.runIf(moto)('a function with a queue', () => {
  test('is given by its looks what it takes to have a batch done in ranges, and none without a queue', async () => {
    const calls: Call[] = [];
    vi.stubEnv('RANGE_MB', '256');
    await (await functionWith(async () => 'done', (call) => calls.push(call)))(SWEEP, HALF_HOUR);
    vi.stubEnv('RANGE_QUEUE_URL', '');
    await (await functionWith(async () => 'done', (call) => calls.push(call)))(SWEEP, HALF_HOUR);
    expect(calls.map(({ split }) => split && [split.thresholdBytes, split.rangeBytes])).toEqual([[1024 * MB, 256 * MB], undefined]);
    const [split] = calls.map((call) => call.split);
    expect(await split?.isBusy()).toBe(false);
    await split?.send(refs(3));
    expect(await queues.ranges.counts()).toEqual({ waiting: 3, hidden: 0 });
  });

  test('works the ranges that it brings, and takes no event of another for one', async () => {
    const worked: RangeRef[] = [];
    const handler = await functionWith(async ({ split, signal, isEarly }, ref) => {
      expect([split?.rangeBytes, signal.aborted, isEarly()]).toEqual([1024 * MB, false, true]);
      worked.push(ref);
      return ref.range === 2 ? 'committed' : 'done';
    });
    for (const ref of refs(3)) await queues.ranges.send(JSON.stringify(ref));
    expect(await deliverAll(handler)).toEqual([0, 0, 0]);
    expect(worked).toEqual(expect.arrayContaining([...refs(3)]));
    expect(await queues.ranges.counts()).toEqual({ waiting: 0, hidden: 0 });
    expect(await handler({ Records: [{ s3: { object: { key: 'log/00000000000000000007.json' } } }] }, HALF_HOUR)).toMatchObject({ head: 6 });
    expect(worked).toHaveLength(3);
  });

  test('keeps those of an event that failed, tells people once, and tells them when the batch is committed', async () => {
    let isDenied = true;
    const handler = await functionWith(async (_call, { batch, range }) => {
      if (isDenied && range > 0) throw new PipelineError('warehouse_denied', 'no right', { batch });
      return range === 2 ? 'committed' : 'done';
    });
    for (const ref of refs(3)) await queues.ranges.send(JSON.stringify(ref));
    const failed = await deliverAll(handler, 10);
    expect(failed.reduce((sum, count) => sum + count, 0)).toBe(2);
    expect(await queues.ranges.counts()).toEqual({ waiting: 0, hidden: 2 });
    expect(await alerts.heard()).toEqual(['starling load batch 7 failed, warehouse_denied: check user, password and ownership of the warehouse']);
    // As the look that finds the queue idle does.
    isDenied = false;
    for (const ref of refs(3)) await queues.ranges.send(JSON.stringify(ref));
    await deliverAll(handler);
    expect(await alerts.heard()).toEqual(['starling load batch 7 recovered']);
  });

  test('tries a range again within the call where that may help at once', async () => {
    let times = 0;
    const handler = await functionWith(async () => {
      times += 1;
      if (times < 3) throw new PipelineError('lake_unavailable', 'another worker put an object of this name');
      return 'done';
    });
    await queues.ranges.send(JSON.stringify(refs(1)[0]));
    expect(await deliverAll(handler)).toEqual([0]);
    expect(times).toBe(3);
    expect(await alerts.heard()).toEqual([]);
  });

  test('lets a message that is no range end in the dead letters, and tells nobody of a batch', async () => {
    const handler = await functionWith(async () => 'done');
    await queues.ranges.send('{"batch": "all"}');
    expect(await deliverAll(handler)).toEqual([1, 1, 1, 1, 1]);
    expect((await queues.deadLetters.receive())?.Records[0]?.body).toBe('{"batch": "all"}');
    expect(log.lines.filter(({ level }) => level === 'ERROR')).toHaveLength(5);
    expect(await alerts.heard()).toEqual([]);
  });

  test('measures what its ranges brought when the batch is committed', async () => {
    if (!moto) return;
    vi.stubEnv('PIPELINE_NAME', 'ranges');
    const handler = await functionWith(async ({ report }, { batch }) => {
      report({ event: 'table', stage: 'load', batch, table: 'fact_sales_order', rows: 41 });
      report({ event: 'batch', stage: 'load', batch, rows: 41, seconds: 2 });
      return 'committed';
    });
    await queues.ranges.send(JSON.stringify(refs(1)[0]));
    await deliverAll(handler);
    const rows = await metricsOf(moto).statistics('Rows', { Pipeline: 'ranges', Stage: 'load', Table: 'fact_sales_order' }, 'Count');
    expect(rows).toMatchObject({ sum: 41 });
  });
});
