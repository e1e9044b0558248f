import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Crew, WorkerLost } from '../../../src/cli/backfill/crew.ts';
import type { RangeRef } from '../../../src/shared/lake/split.ts';
import type { ReportEvent } from '../../../src/shared/report.ts';
import { afterwards, temporaryDirectory } from '../../support/postgres.ts';

const attempt = randomUUID();
const refs = (count: number): readonly RangeRef[] => Array.from({ length: count }, (_, range) => ({ batch: 1, attempt, range }));

interface Manned {
  readonly crew: Crew;
  readonly events: readonly ReportEvent[];
  /** Of the workers that were started. */
  readonly pids: readonly (number | undefined)[];
  readonly stop: AbortController;
}

/** Workers that do with each message what a function of theirs says: `fell(range)` counts how often a range fell to one. */
async function manned(doing: string, workers = 2): Promise<Manned> {
  const directory = await temporaryDirectory();
  const program = join(directory, 'worker.mjs');
  await writeFile(program, `
    import { appendFileSync, readFileSync } from 'node:fs';
    const fell = (range) => {
      appendFileSync('${directory}/fell', range + ' ');
      return readFileSync('${directory}/fell', 'utf8').split(' ').filter((one) => one === String(range)).length;
    };
    const done = (outcome) => process.send({ answer: 'done', outcome });
    const failed = (kind) => process.send({ answer: 'failed', kind, message: 'it failed', context: { stage: 'ingest' } });
    const told = (rows) => process.send({ answer: 'event', event: { event: 'range', stage: 'ingest', rows } });
    process.on('message', ({ stage, ref: { range } }) => { ${doing} });
    process.on('disconnect', () => process.exit());
    process.send({ answer: 'ready' });`);
  const [events, pids, stop] = [[] as ReportEvent[], [] as (number | undefined)[], new AbortController()] as const;
  const crew = new Crew({
    program, environment: process.env, workers, signal: stop.signal,
    report: (event) => events.push(event), started: (pid) => pids.push(pid),
  });
  afterwards(() => crew.close());
  return { crew, events, pids, stop };
}

const warnings = ({ events }: Manned) => events.flatMap(({ event, message }) => (event === 'warning' ? [message] : []));
const rows = ({ events }: Manned) => events.flatMap(({ event, rows: read }) => (event === 'range' ? [read] : []));

describe('a crew', () => {
  test('does each range once, by as many workers as it may have, who stay for the next ranges', async () => {
    const all = await manned(`told(range); done('done')`);
    await all.crew.do('ingest', refs(20));
    await all.crew.do('load', refs(3));
    expect(rows(all).slice(0, 20).toSorted((a, b) => Number(a) - Number(b))).toEqual(refs(20).map(({ range }) => range));
    expect([rows(all).length, all.pids.length, warnings(all)]).toEqual([23, 2, []]);
  });

  test('has no more workers than ranges', async () => {
    const all = await manned(`done('gone')`, 8);
    await all.crew.do('ingest', refs(1));
    expect(all.pids).toHaveLength(1);
  });

  test('replaces a worker that dies, and hands out its range again', async () => {
    const all = await manned(`fell(range) === 1 && range % 3 === 0 ? process.kill(process.pid, 'SIGKILL') : (told(range), done('done'))`);
    await all.crew.do('ingest', refs(7));
    expect(rows(all)).toHaveLength(7);
    expect(all.pids.length).toBeGreaterThan(3);
    expect(warnings(all)).toHaveLength(3);
    expect(warnings(all)).toContain('range 6: the worker of range 6 of batch 1 is gone: it ended by SIGKILL');
  });

  test('gives a range up when three workers died of it, and is done with the ranges in hand', async () => {
    const all = await manned(`range === 0 ? process.exit(3) : (told(range), done('done'))`);
    const error = await all.crew.do('ingest', refs(2)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(WorkerLost);
    expect(error).toMatchObject({ message: 'the worker of range 0 of batch 1 is gone: it ended with status 3' });
    expect(rows(all)).toEqual([1]);
  });

  test('tries what failed again, and tells the error in the end', async () => {
    const all = await manned(`range === 1 || fell(range) < 2 ? failed('source_locked') : (told(range), done('done'))`, 1);
    await expect(all.crew.do('ingest', refs(2))).rejects.toMatchObject({ kind: 'source_locked', context: { stage: 'ingest' } });
    expect(rows(all)).toEqual([0]);
    expect([warnings(all), all.pids.length]).toEqual([['range 0', 'range 1', 'range 1', 'range 1'].map((of) => `${of}: it failed`), 1]);
  });

  test('tells a bug as what it is', async () => {
    const all = await manned('failed(null)');
    const error = await all.crew.do('ingest', refs(1)).catch((reason: unknown) => reason);
    expect(error).toEqual(new Error('it failed'));
  });

  test('hands out nothing more when it is to stop, and waits for what is in hand', async () => {
    const all = await manned(`told(range); setTimeout(() => done('done'), 200)`, 1);
    const working = all.crew.do('ingest', refs(5));
    await expect.poll(() => rows(all)).toEqual([0]);
    all.stop.abort();
    await working;
    expect(rows(all)).toEqual([0]);
    await all.crew.close();
    expect(() => process.kill(all.pids[0] ?? 0, 0)).toThrow('ESRCH');
  });
});
