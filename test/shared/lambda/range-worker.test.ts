import { describe, expect, test, vi } from 'vitest';
import { PipelineError } from '../../../src/shared/errors.ts';
import type { RangeOutcome, RangeRef } from '../../../src/shared/lake/split.ts';
import { createLogger } from '../../../src/shared/lambda/log.ts';
import { RangeWorker } from '../../../src/shared/lambda/range-worker.ts';
import { TimeLeft } from '../../../src/shared/lambda/time-left.ts';
import { keepLog } from './scene.ts';

const log = keepLog();

const ATTEMPT = '0b6f2f6e-6a5e-4d57-9a55-3a7f6a1d9f10';
const message = (range: number, batch = 7) => ({ id: `m${range}`, receipt: `r${range}`, ref: { batch, attempt: ATTEMPT, range } });
const NO_RANGE = { id: 'odd', receipt: 'r-odd', ref: null };

/** A worker whose ranges end as `outcomes` say, by their number; what it did beside. */
function scene(outcomes: readonly (RangeOutcome | Error)[], remainingMs: () => number = () => 900_000) {
  // By it the logger writes to the console, where the test reads it.
  vi.stubEnv('POWERTOOLS_DEV', 'true');
  const did: string[] = [];
  const work = async (ref: RangeRef): Promise<RangeOutcome> => {
    did.push(`range ${ref.range}`);
    const outcome = outcomes[ref.range] ?? 'done';
    if (outcome instanceof Error) throw outcome;
    return outcome;
  };
  const alerts = {
    failed: async (batch: number, error: unknown) => void did.push(`failed ${batch} ${error instanceof PipelineError ? error.kind : 'bug'}`),
    recovered: async (isOver: (batch: number) => boolean) => void did.push(`over: ${[6, 7, 8].filter((batch) => isOver(batch)).join(' ')}`),
  };
  const hide = vi.fn<(receipt: string, seconds: number) => Promise<void>>(async (receipt, seconds) => {
    did.push(`${receipt} hidden for ${seconds}`);
  });
  const worker = new RangeWorker({ work, time: new TimeLeft(remainingMs), queue: { hide }, alerts, logger: createLogger('load', 'starling') });
  return { worker, did, hide };
}

const failed = (...ids: string[]) => ({ batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) });

describe('a worker', () => {
  test('takes what is done, committed or needed by nobody for processed, and says when a batch has recovered', async () => {
    const { worker, did } = scene(['done', 'gone', 'committed']);
    expect(await worker.work([message(0), message(1), message(2)])).toEqual(failed());
    expect(did.filter((line) => !line.includes('hidden'))).toEqual(['range 0', 'range 1', 'range 2', 'over: 6 7']);
    expect(log.lines.map(({ message: text, range }) => [text, range])).toEqual([['range done', 0], ['range gone', 1], ['range committed', 2]]);
  });

  test('reports a range that failed, tells people of its batch, and goes on with the others', async () => {
    const denied = new PipelineError('warehouse_denied', 'no right', { batch: 7 });
    const { worker, did } = scene(['done', denied, 'done', new TypeError('a bug')]);
    expect(await worker.work([message(0), message(1), message(2), message(3)])).toEqual(failed('m1', 'm3'));
    expect(did.filter((line) => !line.includes('hidden'))).toEqual(
      ['range 0', 'range 1', 'failed 7 warehouse_denied', 'range 2', 'range 3', 'failed 7 bug']);
    expect(log.lines.filter(({ level }) => level === 'ERROR')).toMatchObject([
      { kind: 'warehouse_denied', batch: 7, hint: expect.any(String) }, { kind: 'bug', batch: 7, stack: expect.stringContaining('a bug') },
    ]);
    expect(log.lines.filter(({ level }) => level === 'WARN').map(({ range }) => range)).toEqual([1, 3]);
  });

  test('is at a range no longer than its call can last, and lets a failed one come back after five minutes', async () => {
    const { worker, did } = scene([new PipelineError('lake_unavailable', 'S3 is away')], () => 600_000);
    await worker.work([message(0)]);
    expect(did).toEqual(['r0 hidden for 630', 'range 0', 'failed 7 lake_unavailable', 'r0 hidden for 300']);
  });

  test('reports a message that is no range, which nobody else can do either, and is told of by the log alone', async () => {
    const { worker, did } = scene([]);
    expect(await worker.work([NO_RANGE, message(0)])).toEqual(failed('odd'));
    expect(did).toEqual(['r-odd hidden for 0', 'r0 hidden for 930', 'range 0']);
    expect(log.lines[0]).toMatchObject({ level: 'ERROR', message_id: 'odd' });
  });

  test('begins no range for which too little time is left, and gives it back at once', async () => {
    let remainingMs = 900_000;
    const { worker, did } = scene([], () => remainingMs);
    const first = message(0);
    vi.spyOn(performance, 'now').mockImplementationOnce(() => 0).mockImplementationOnce(() => ((remainingMs = 200_000), 700_000));
    expect(await worker.work([first, message(1)])).toEqual(failed('m1'));
    expect(did).toEqual(['r0 hidden for 930', 'range 0', 'r1 hidden for 0']);
  });

  test('begins nothing in a call that has too little time from the start', async () => {
    const { worker, did } = scene([], () => 9_000);
    expect(await worker.work([message(0)])).toEqual(failed('m0'));
    expect(did).toEqual(['r0 hidden for 0']);
  });

  test('does its range although the queue cannot be told how long that takes', async () => {
    const { worker, did, hide } = scene(['done', new Error('a bug')]);
    hide.mockRejectedValue(new PipelineError('queue_denied', 'the queue of ranges: AccessDenied from SQS'));
    expect(await worker.work([message(0), message(1)])).toEqual(failed('m1'));
    expect(did).toEqual(['range 0', 'range 1', 'failed 7 bug']);
    expect(log.lines.filter(({ level, reason }) => level === 'WARN' && String(reason).includes('AccessDenied'))).toHaveLength(3);
  });
});
