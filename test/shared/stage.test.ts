import { describe, expect, test } from 'vitest';
import { DirectoryLake } from '../../src/local/directory-lake.ts';
import { PipelineError } from '../../src/shared/errors.ts';
import type { Lake } from '../../src/shared/lake/lake.ts';
import { readState, writeState } from '../../src/shared/lake/state.ts';
import type { StageResult } from '../../src/shared/report.ts';
import { recorded } from '../../src/shared/stage.ts';
import { temporaryDirectory } from '../support/postgres.ts';

const NOW = '2024-08-07T12:00:00.000Z';
const now = () => new Date(NOW);

async function freshLake(): Promise<DirectoryLake> {
  return new DirectoryLake(await temporaryDirectory());
}

async function run(lake: Lake, work: () => Promise<StageResult>): Promise<StageResult> {
  return recorded('ingest', lake, now, work);
}

describe('a stage leaves behind', () => {
  test.each([
    [2, 'committed'],
    [0, 'nothing_new'],
  ] as const)('after %i batches: how far it is and that it %s', async (batches, outcome) => {
    const lake = await freshLake();
    const result = { stage: 'ingest', batches, head: 7, isUpToDate: true } as const;
    expect(await run(lake, async () => result)).toBe(result);
    const detail = { seen_at: NOW, seen_batch: 7 };
    expect(await readState(lake, 'ingest')).toEqual({ stage: 'ingest', looked_at: NOW, batch: 7, outcome, detail });
  });

  test('after a look that leaves something to do: when it last was not so', async () => {
    const lake = await freshLake();
    const result = { stage: 'ingest', batches: 0, head: 7, isUpToDate: false, detail: { cursor: '12' } } as const;
    const state = { stage: 'ingest', looked_at: NOW, batch: 7, outcome: 'waiting' } as const;
    await run(lake, async () => result);
    expect(await readState(lake, 'ingest')).toEqual({ ...state, detail: { cursor: '12' } });
    const seen = { seen_at: '2024-08-07T11:00:00.000Z', seen_batch: 7 };
    await writeState(lake, 'ingest', { ...state, looked_at: seen.seen_at, detail: { ...seen, cursor: '11' } });
    await run(lake, async () => result);
    expect(await readState(lake, 'ingest')).toEqual({ ...state, detail: { cursor: '12', ...seen } });
  });

  test('after a failure: the error, and what was known of the last look that succeeded', async () => {
    const lake = await freshLake();
    const detail = { seen_at: '2024-08-07T11:00:00.000Z', seen_batch: 4 };
    const before = { stage: 'ingest', looked_at: detail.seen_at, batch: 4, outcome: 'committed', detail } as const;
    await writeState(lake, 'ingest', before);
    const error = new PipelineError('source_unreachable', 'source: down', { batch: 5 });
    await expect(run(lake, async () => Promise.reject(error))).rejects.toMatchObject({
      kind: 'source_unreachable',
      context: { stage: 'ingest', batch: 5 },
    });
    expect(await readState(lake, 'ingest')).toEqual({
      ...before,
      looked_at: NOW,
      outcome: 'failed',
      error: { kind: 'source_unreachable', message: 'source: down' },
    });
  });

  test('after a first failure that is a bug: the message, and batch 0; the bug itself passes as it is', async () => {
    const lake = await freshLake();
    const bug = new TypeError('not a function');
    await expect(run(lake, async () => Promise.reject(bug))).rejects.toBe(bug);
    const error = { kind: 'bug', message: 'not a function' };
    const failed = { stage: 'ingest', looked_at: NOW, batch: 0, outcome: 'failed', error };
    expect(await readState(lake, 'ingest')).toEqual(failed);
  });
});

describe('a state that cannot be written', () => {
  /** A lake that refuses whatever is done with `state/…`. */
  class Refusing extends DirectoryLake {
    override async replace(): Promise<void> {
      throw new PipelineError('lake_denied', 'no');
    }

    override async get(): Promise<never> {
      throw new PipelineError('lake_unavailable', 'no');
    }
  }

  test('is no reason to fail', async () => {
    const lake = new Refusing(await temporaryDirectory());
    expect(await run(lake, async () => ({ stage: 'ingest', batches: 1, head: 1, isUpToDate: true }))).toMatchObject({ head: 1 });
  });

  test('does not hide why the stage failed', async () => {
    const lake = new Refusing(await temporaryDirectory());
    const error = new PipelineError('source_denied', 'source: no');
    await expect(run(lake, async () => Promise.reject(error))).rejects.toMatchObject({ kind: 'source_denied' });
  });
});
