import { describe, expect, test } from 'vitest';
import { ingestionEntrySchema } from '../../src/shared/lake/entries.ts';
import { splitPrefix } from '../../src/shared/lake/key.ts';
import { Log } from '../../src/shared/lake/log.ts';
import { QUARANTINE } from '../../src/shared/model/model.ts';
import type { ReportEvent } from '../../src/shared/report.ts';
import { ingested, processedEntry, transformed } from '../support/batches.ts';
import { AtPut, BATCH, beside, contentOf, Crew, drawn, dyingAfterMark, dyingBeforeMark, EMPTY, fewerStars, ingestedBatch, ingestedWithEmptyPart, keysIn, killed, sales, stars, visits } from './splitting.ts';

/** Without what is different at every run. */
function shown(events: readonly ReportEvent[]): unknown {
  return events.map((event) => ({ ...event, seconds: null, bytes: null }));
}

describe('a batch done in ranges', () => {
  test('names the same rows as one done at once, in whatever order its ranges were done', async () => {
    const lakes = await ingestedBatch();
    const atOnce = await beside(lakes);
    await transformed(atOnce, stars);
    const expected = await contentOf(atOnce, 1);
    expect(expected).toMatchObject({ made: [{ rows: 2 }, { rows: 2 }, { rows: 35 }, { rows: 7 }, { rows: 23 }, { name: QUARANTINE, rows: 26 }] });
    for (const seed of [1, 2, 3]) {
      const here = await beside(lakes);
      const crew = new Crew(here);
      expect(await crew.look()).toEqual({ stage: 'transform', batches: 0, head: 0, isUpToDate: false });
      expect(crew.events).toEqual([{ event: 'busy', stage: 'transform', batch: 1 }]);
      expect(crew.queue).toHaveLength(12);
      const below = drawn(seed);
      while (crew.queue.length > 1) expect(await crew.work(crew.take(below(crew.queue.length)))).toBe('done');
      expect(await crew.work(crew.take())).toBe('committed');
      expect(await contentOf(here, 1)).toEqual(expected);
    }
  });

  test('tells at its commit what one done at once tells, and once, and of its ranges before', async () => {
    const lakes = await ingestedBatch();
    const { events } = await transformed(await beside(lakes), stars);
    const crew = new Crew(lakes);
    await crew.look();
    await crew.finish();
    const told = crew.events.filter(({ event }) => event === 'table' || event === 'warning' || event === 'batch');
    expect(shown(told)).toEqual(shown(events));
    // The hours of many workers are not what one call needs.
    expect(crew.told('batch')[0]).not.toHaveProperty('seconds');
    const bytes = (table: string): number => crew.told('range').filter((event) => event.table === table).reduce((sum, event) => sum + (event.bytes ?? 0), 0);
    for (const { table = '', bytes: all } of crew.told('table').slice(2)) expect(bytes(table)).toBe(all);
  });

  test('may have empty objects, a table without rows, and ranges of several objects', async () => {
    const lakes = await ingestedBatch(EMPTY);
    const batch = { ...BATCH, visit: { rows: [] } };
    await ingestedWithEmptyPart(lakes, batch, 'sale');
    const atOnce = await beside(lakes);
    await transformed(atOnce, stars);
    for (const [rangeBytes, ranges] of [[1, 12], [600, 6], [1_000_000, 2]] as const) {
      const here = await beside(lakes);
      const crew = new Crew(here);
      await crew.look({ split: { ...crew.split, rangeBytes } });
      expect(crew.queue).toHaveLength(ranges);
      await crew.finish();
      expect(await contentOf(here, 2)).toEqual(await contentOf(atOnce, 2));
    }
  });

  test('makes several objects of a large range, in the order of its rows', async () => {
    const lakes = await ingestedBatch({ sale: { rows: sales(160_000), parts: 2 } }, fewerStars);
    const atOnce = await beside(lakes);
    await transformed(atOnce, fewerStars);
    const crew = new Crew(lakes, fewerStars);
    await crew.look();
    await crew.finish();
    expect((await processedEntry(lakes, 1)).outputs['fact_sale']?.parts).toHaveLength(4);
    expect(await contentOf(lakes, 1, fewerStars)).toEqual(await contentOf(atOnce, 1, fewerStars));
  });

  test('follows a batch that was, and is followed by one: with what it changes in mirrors and dimensions', async () => {
    const lakes = await ingestedBatch();
    await ingested(lakes, stars, {
      team: { rows: [['7', 'Crimson', 'Rome', 'Go'], ['99', 'Green', null, null]] },
      sale: { rows: sales(20, 30), parts: 3 },
    });
    await ingested(lakes, stars, { visit: { rows: visits(30), parts: 2 }, person: { rows: [['4', 'Dan', '7', 's']] } });
    const atOnce = await beside(lakes);
    await transformed(atOnce, stars);
    const crew = new Crew(lakes);
    expect((await crew.look()).head).toBe(0);
    expect(await crew.finish()).toMatchObject({ batches: 0, head: 3, isUpToDate: true });
    expect(crew.told('busy').map(({ batch }) => batch)).toEqual([1, 2, 3]);
    for (const batch of [1, 2, 3]) expect(await contentOf(lakes, batch)).toEqual(await contentOf(atOnce, batch));
  });

  test('is only one that is large, and that there are two ranges of', async () => {
    const lakes = await ingestedBatch();
    const crew = new Crew(await beside(lakes));
    const { tables } = await new Log(lakes.ingestion, ingestionEntrySchema).read(1);
    const sizes = ['sale', 'visit', 'sale'].flatMap((name) => tables[name]?.parts ?? []).map(({ bytes }) => bytes);
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    expect(await crew.look({ split: { ...crew.split, thresholdBytes: bytes } })).toMatchObject({ batches: 1, isUpToDate: true });
    const larger = new Crew(await beside(lakes));
    expect(await larger.look({ split: { ...larger.split, thresholdBytes: bytes - 1 } })).toMatchObject({ batches: 0, isUpToDate: false });
    const single = await ingestedBatch({ visit: { rows: visits(30) } });
    const alone = new Crew(single);
    expect(await alone.look()).toMatchObject({ batches: 1, isUpToDate: true });
    expect([crew, alone].flatMap(({ queue }) => queue)).toEqual([]);
    expect(await keysIn(single.processed, splitPrefix(1))).toEqual([]);
  });
});

describe('work that is done twice or not at all', () => {
  test('does no harm: every range twice, at once and one after the other', async () => {
    const lakes = await ingestedBatch();
    const atOnce = await beside(lakes);
    await transformed(atOnce, stars);
    const crew = new Crew(lakes);
    await crew.look();
    const all = crew.queue.splice(0);
    const [first] = all;
    expect([await crew.work(first), await crew.work(first)]).toEqual(['done', 'done']);
    const outcomes = await Promise.all([...all, ...all].map(async (ref) => crew.work(ref)));
    expect(outcomes.filter((outcome) => outcome === 'committed')).toHaveLength(1);
    expect(await crew.work(first)).toBe('gone');
    expect(crew.told('batch')).toHaveLength(1);
    expect(crew.told('warning')).toHaveLength(1);
    expect(await contentOf(lakes, 1)).toEqual(await contentOf(atOnce, 1));
  });

  test('a range that is marked is not made again', async () => {
    const lakes = await ingestedBatch();
    const crew = new Crew(lakes);
    await crew.look();
    const ref = crew.take();
    await crew.work(ref);
    const made = await keysIn(lakes.processed, 'data/');
    await crew.work(ref);
    expect(await keysIn(lakes.processed, 'data/')).toEqual(made);
  });

  test('what a worker leaves behind that dies before its mark is made again, by whom it is sent to next', async () => {
    const lakes = await ingestedBatch();
    const atOnce = await beside(lakes);
    await transformed(atOnce, stars);
    const crew = new Crew(lakes);
    await crew.look();
    while (crew.queue.length > 0) await expect(crew.work(crew.take(), { processed: dyingBeforeMark(lakes) })).rejects.toBe(killed);
    crew.busy = true;
    expect(await crew.look()).toMatchObject({ batches: 0, isUpToDate: false });
    expect(crew.queue).toEqual([]);
    crew.busy = null;
    await crew.look();
    expect(crew.queue).toHaveLength(12);
    await crew.finish();
    expect(await contentOf(lakes, 1)).toEqual(await contentOf(atOnce, 1));
  });

  test('where the last worker dies after its mark, the next look commits', async () => {
    const lakes = await ingestedBatch();
    const atOnce = await beside(lakes);
    await transformed(atOnce, stars);
    const crew = new Crew(lakes);
    await crew.look();
    while (crew.queue.length > 0) await expect(crew.work(crew.take(), { processed: dyingAfterMark(lakes) })).rejects.toBe(killed);
    // Whatever the queue says.
    crew.busy = true;
    expect(await crew.look()).toEqual({ stage: 'transform', batches: 1, head: 1, isUpToDate: true });
    expect(crew.told('batch')).toHaveLength(1);
    expect(await contentOf(lakes, 1)).toEqual(await contentOf(atOnce, 1));
  });

  test('messages that got lost are sent again, those of ranges that are done are not', async () => {
    const crew = new Crew(await ingestedBatch());
    await crew.look();
    const lost = crew.queue.splice(3, 4);
    for (let ref = crew.take(); ref; ref = crew.take()) await crew.work(ref);
    await crew.look();
    expect(crew.queue).toEqual(lost);
    expect(await crew.finish()).toMatchObject({ head: 1 });
  });

  test('two looks at once make two plans, and one batch', async () => {
    const lakes = await ingestedBatch();
    const atOnce = await beside(lakes);
    await transformed(atOnce, stars);
    const crew = new Crew(lakes);
    const processed = new AtPut(lakes, 'plan', async (put) => {
      await crew.look();
      return put();
    });
    await crew.look({ processed });
    expect(new Set(crew.queue.map(({ attempt }) => attempt)).size).toBe(2);
    const below = drawn(4);
    const outcomes = [];
    while (crew.queue.length > 0) outcomes.push(await crew.work(crew.take(below(crew.queue.length))));
    expect(outcomes.filter((outcome) => outcome === 'committed')).toHaveLength(1);
    expect(await crew.look()).toMatchObject({ batches: 0, head: 1, isUpToDate: true });
    expect(crew.told('batch')).toHaveLength(1);
    expect(await contentOf(lakes, 1)).toEqual(await contentOf(atOnce, 1));
  });

  test('a transform without workers may do the batch meanwhile: its ranges are gone then', async () => {
    const lakes = await ingestedBatch();
    const crew = new Crew(lakes);
    await crew.look();
    const last = crew.queue.pop();
    for (let ref = crew.take(); ref; ref = crew.take()) await crew.work(ref);
    const { batches, head } = await transformed(lakes, stars);
    expect([batches, head]).toEqual([1, 1]);
    const entry = await processedEntry(lakes, 1);
    expect(await crew.work(last)).toBe('gone');
    expect(await crew.look()).toMatchObject({ batches: 0, isUpToDate: true });
    expect(await processedEntry(lakes, 1)).toEqual(entry);
  });

  test('who commits last of a worker and a transform without workers has lost, and says so', async () => {
    const lakes = await ingestedBatch();
    const crew = new Crew(lakes);
    await crew.look();
    const last = crew.queue.pop();
    for (let ref = crew.take(); ref; ref = crew.take()) await crew.work(ref);
    const processed = new AtPut(lakes, 'range-', async (put) => {
      await transformed(lakes, stars);
      return put();
    });
    expect(await crew.work(last, { processed })).toBe('gone');
    expect(crew.told('lost')).toHaveLength(1);
    expect([...crew.told('batch'), ...crew.told('warning')]).toEqual([]);
  });
});
