import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { DirectoryLake } from '../../src/local/directory-lake.ts';
import { PipelineError } from '../../src/shared/errors.ts';
import { dataKey, isDataKey, logKey, splitKey, splitPrefix } from '../../src/shared/lake/key.ts';
import { bytesOf } from '../../src/shared/lake/read.ts';
import { addSkip, removeSkip } from '../../src/shared/lake/skips.ts';
import { partNumbers } from '../../src/transform/range.ts';
import { RANGES_MAX } from '../../src/transform/split.ts';
import { ingested, processedEntry, SNAPSHOT_AT, transformed } from '../support/batches.ts';
import { AtPut, BATCH, beside, contentOf, Crew, EMPTY, fewerStars, ingestedBatch, keysIn, sales, stars } from './splitting.ts';

const NOW = new Date(SNAPSHOT_AT);

async function textOf(lake: DirectoryLake, key: string): Promise<string> {
  return Buffer.from(await bytesOf(lake, key)).toString('utf8');
}

describe('a plan whose ground has changed', () => {
  test('by a skip is given up: by the workers at once, and the next look makes another', async () => {
    const lakes = await ingestedBatch(EMPTY);
    const { attempt } = await ingested(lakes, stars, BATCH);
    const crew = new Crew(lakes);
    await crew.look();
    const stale = crew.queue.splice(0);
    const atOnce = await beside(lakes);
    for (const { processed } of [lakes, atOnce]) await addSkip(processed, { batch: 2, attempt }, 'visit', NOW);
    await transformed(atOnce, stars);
    expect(await crew.work(stale[0])).toBe('gone');
    await crew.look();
    expect(crew.queue).toHaveLength(10);
    expect(await crew.work(stale[0])).toBe('gone');
    await crew.finish();
    expect(await contentOf(lakes, 2)).toEqual(await contentOf(atOnce, 2));
    expect(await contentOf(lakes, 2)).toMatchObject({ entry: { skipped: { visit: 9 } } });
    const warnings = crew.told('warning').map(({ message }) => message);
    expect(warnings).toEqual(['visit is skipped, as was asked for: 9 rows', '24 rows do not fit the model and go to quarantine']);
  });

  test('by a skip that is taken back for another is given up, too', async () => {
    const lakes = await ingestedBatch(EMPTY);
    const { attempt } = await ingested(lakes, stars, BATCH);
    await addSkip(lakes.processed, { batch: 2, attempt }, 'fact_visit', NOW);
    const crew = new Crew(lakes);
    await crew.look();
    expect(crew.queue).toHaveLength(10);
    await removeSkip(lakes.processed, { batch: 2, attempt }, 'fact_visit');
    await addSkip(lakes.processed, { batch: 2, attempt }, 'fact_price', NOW);
    expect(await crew.finish()).toMatchObject({ head: 2 });
    const { outputs, skipped } = await processedEntry(lakes, 2);
    expect([outputs['fact_visit']?.rows, outputs['fact_price']?.rows, skipped]).toEqual([7, 0, { fact_price: 40 }]);
  });

  test('because its batch was taken back and read again is given up', async () => {
    const lakes = await ingestedBatch();
    const crew = new Crew(lakes);
    await crew.look();
    const stale = crew.queue.splice(0);
    await lakes.ingestion.delete(logKey(1));
    await expect(crew.work(stale[0])).rejects.toMatchObject({ kind: 'lake_missing', context: { batch: 1 } });
    await ingested(lakes, stars, { ...BATCH, sale: { rows: sales(30), parts: 3 } });
    expect(await crew.work(stale[0])).toBe('gone');
    await crew.look();
    expect(await crew.work(stale[1])).toBe('gone');
    await crew.finish();
    const atOnce = await beside(lakes);
    await transformed(atOnce, stars);
    expect(await contentOf(lakes, 1)).toEqual(await contentOf(atOnce, 1));
  });

  test('because the batch before it was made again is given up', async () => {
    const lakes = await ingestedBatch(EMPTY);
    await ingested(lakes, stars, BATCH);
    const crew = new Crew(lakes);
    await crew.look();
    const stale = crew.queue.splice(0);
    await lakes.processed.delete(logKey(1));
    const stop = new AbortController();
    await transformed(lakes, stars, { signal: stop.signal, report: ({ event }) => void (event === 'batch' && stop.abort()) });
    expect(await crew.work(stale[0])).toBe('gone');
    await crew.look();
    expect(crew.queue).toHaveLength(12);
    expect(await crew.work(stale[0])).toBe('gone');
    expect(await crew.finish()).toMatchObject({ head: 2 });
  });

  test('because its batch is committed is not taken up by a log that is made anew', async () => {
    const lakes = await ingestedBatch();
    const crew = new Crew(lakes);
    await crew.look();
    await crew.finish();
    const before = await processedEntry(lakes, 1);
    await lakes.processed.delete(logKey(1));
    expect(await crew.look()).toMatchObject({ head: 0, isUpToDate: false });
    await crew.finish();
    expect((await processedEntry(lakes, 1)).attempt).not.toBe(before.attempt);
  });
});

describe('a plan beside the one that is committed', () => {
  test('is not taken up by a log that is made anew', async () => {
    const lakes = await ingestedBatch();
    const crew = new Crew(lakes);
    await crew.look({ processed: new AtPut(lakes, 'plan', async (put) => (await crew.look(), put())) });
    const attempts = new Set(crew.queue.map(({ attempt }) => attempt));
    expect(attempts.size).toBe(2);
    const [first] = attempts;
    // The messages of the other are lost.
    for (const ref of crew.queue.splice(0)) if (ref.attempt === first) await crew.work(ref);
    expect((await processedEntry(lakes, 1)).attempt).toBe(first);
    await lakes.processed.delete(logKey(1));
    await crew.look();
    expect(crew.queue.filter(({ attempt }) => attempts.has(attempt))).toEqual([]);
  });

  test('is not taken up either where the batch was done at once', async () => {
    const lakes = await ingestedBatch();
    const crew = new Crew(lakes);
    await crew.look();
    const [late] = crew.queue.splice(0);
    await transformed(lakes, stars);
    expect(await crew.work(late)).toBe('gone');
    await lakes.processed.delete(logKey(1));
    await crew.look();
    expect(crew.queue[0]?.attempt).not.toBe(late?.attempt);
  });
});

describe('two models', () => {
  test('a worker of another build leaves the range to the plan’s', async () => {
    const lakes = await ingestedBatch();
    const crew = new Crew(lakes);
    await crew.look();
    const ref = crew.take();
    await expect(crew.work(ref, { model: fewerStars })).rejects.toMatchObject({ kind: 'model_mismatch', context: { batch: 1 } });
    expect(await crew.work(ref)).toBe('done');
  });

  test('a look of another build makes a plan of its own, and each goes on with its own', async () => {
    const lakes = await ingestedBatch();
    await ingested(lakes, fewerStars, {});
    const crew = new Crew(lakes);
    await crew.look();
    const old = crew.queue.splice(0);
    const other = new Crew(lakes, fewerStars);
    await other.look();
    expect(other.queue.map(({ attempt }) => attempt)).not.toContain(old[0]?.attempt);
    // Messages of before a deploy are of no use to whoever has a plan of its own.
    expect(await other.work(old[0])).toBe('gone');
    for (let ref = other.take(); ref; ref = other.take()) await other.work(ref);
    expect((await processedEntry(lakes, 1)).model).toBe(fewerStars.hash);
    expect(await crew.work(old[0])).toBe('gone');
  });
});

/** The processed bucket, whose disk is full after so many objects. */
class Filling extends DirectoryLake {
  #room: number;

  constructor(location: string, room: number) {
    super(location);
    this.#room = room;
  }

  override async put(key: string, body: AsyncIterable<Uint8Array>): Promise<number> {
    if (this.#room === 0) throw new PipelineError('lake_full', 'no space left');
    this.#room -= 1;
    return super.put(key, body);
  }
}

describe('a range that fails', () => {
  test('because the lake is full gives back what it wrote, and nothing of anybody else', async () => {
    const lakes = await ingestedBatch({ ...BATCH, sale: { rows: sales(140_000), parts: 2 } });
    const crew = new Crew(lakes);
    await crew.look();
    const [first, second] = [crew.take(), crew.take()];
    await crew.work(first);
    const before = await keysIn(lakes.processed, 'data/');
    await expect(crew.work(second, { processed: new Filling(lakes.processed.location, 1) })).rejects.toMatchObject({
      kind: 'lake_full',
      context: { batch: 1 },
    });
    expect(await keysIn(lakes.processed, 'data/')).toEqual(before);
    await crew.finish();
    expect(await crew.look()).toMatchObject({ head: 1 });
  });

  test('because of an object that is not what its entry says is missing until that is mended', async () => {
    const lakes = await ingestedBatch();
    const crew = new Crew(lakes);
    await crew.look();
    const [key = ''] = await keysIn(lakes.ingestion, 'data/visit/');
    await lakes.ingestion.replace(key, Buffer.from('visit_id,person_id,note\n1,1,a\n'));
    const outcomes = await Promise.allSettled(crew.queue.splice(0).map(async (ref) => crew.work(ref)));
    const failed = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    expect(failed).toEqual([expect.objectContaining({ kind: 'lake_corrupt', context: { batch: 1, key } })]);
    await crew.look();
    expect(crew.queue).toHaveLength(1);
    await lakes.ingestion.replace(key, Buffer.from('visit_id,person_id,note\n1,1,a\n2,1,b\n3,1,c\n4,1,d\n5,1,e\n'));
    expect(await crew.work(crew.take())).toBe('committed');
  });

  test('because its plan has no such range, or there is no such plan, says so', async () => {
    const lakes = await ingestedBatch();
    const crew = new Crew(lakes);
    await crew.look();
    const [ref] = crew.queue;
    if (!ref) throw new Error('no range');
    await expect(crew.work({ ...ref, range: 12 })).rejects.toMatchObject({ kind: 'lake_corrupt', context: { batch: 1 } });
    await expect(crew.work({ ...ref, attempt: randomUUID() })).rejects.toMatchObject({ kind: 'lake_missing', context: { batch: 1 } });
    const key = splitKey(1, ref.attempt, 'plan');
    const text = await textOf(lakes.processed, key);
    for (const beyond of ['"from":5,"to":6', '"from":4,"to":6']) {
      await lakes.processed.replace(key, Buffer.from(text.replace('"from":0,"to":1', beyond)));
      await expect(crew.work(ref)).rejects.toMatchObject({ kind: 'lake_corrupt', message: 'the plan of batch 1 has no range 0 that its log entry has objects of' });
    }
  });

  test('because of a plan that says something else than its key is corrupt', async () => {
    const lakes = await ingestedBatch();
    const crew = new Crew(lakes);
    await crew.look();
    const [ref] = crew.queue;
    if (!ref) throw new Error('no range');
    const [key = ''] = await keysIn(lakes.processed, splitPrefix(1));
    const stranger = randomUUID();
    const text = await textOf(lakes.processed, key);
    await lakes.processed.replace(key, Buffer.from(text.replace(`"attempt":"${ref.attempt}","model"`, `"attempt":"${stranger}","model"`)));
    await expect(crew.work(ref)).rejects.toMatchObject({ kind: 'lake_corrupt' });
    await lakes.processed.replace(splitKey(1, stranger, 'plan'), Buffer.from(text.replace(ref.attempt, stranger)));
    await expect(crew.work({ ...ref, attempt: stranger })).rejects.toMatchObject({ kind: 'lake_corrupt' });
  });
});

describe('the numbers of the objects of a range', () => {
  test('make keys that a log entry may name, up to the last range and object', () => {
    const attempt = randomUUID();
    for (const [range, part] of [[0, 0], [RANGES_MAX - 1, 99_999]] as const) {
      const key = dataKey('fact_sale', 1, attempt, partNumbers(range)(part), 'parquet');
      expect(isDataKey(key, 'fact_sale', 1, attempt, 'parquet')).toBe(true);
    }
    expect(() => partNumbers(RANGES_MAX)).toThrow(RangeError);
    expect(() => partNumbers(0)(100_000)).toThrow(RangeError);
  });

  test('are other ones for each worker, range and object, and not the planner’s', () => {
    const numbers = [0, 0, 1, RANGES_MAX - 1].flatMap((range) => [0, 1, 99_999].map(partNumbers(range)));
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(Math.min(...numbers)).toBeGreaterThan(100_000 * 1_000_000 - 1);
  });
});
