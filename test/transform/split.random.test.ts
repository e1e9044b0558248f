import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ingested, type Lakes, type SourceRows, transformed } from '../support/batches.ts';
import { beside, contentOf, Crew, dyingAfterMark, dyingBeforeMark, EMPTY, ingestedBatch, killed, sales, stars, visits } from './splitting.ts';

/** What can happen to batches that are done in ranges; `at` says which of the ranges that wait. */
type Step = (crew: Crew, lakes: Lakes, at: number) => Promise<unknown>;

const STEPS: Readonly<Record<string, Step>> = {
  look: async (crew) => crew.look(),
  'look while the queue knows of nothing': async (crew) => crew.look({ split: { ...crew.split, isBusy: async () => false } }),
  'two looks at once': async (crew) => Promise.all([crew.look(), crew.look()]),
  work: async (crew, _lakes, at) => each(crew.queue.splice(at, 1), (ref) => crew.work(ref)),
  'work and keep the message': async (crew, _lakes, at) => each(crew.queue.slice(at, at + 1), (ref) => crew.work(ref)),
  'work all at once': async (crew) => each(crew.queue.splice(0), (ref) => crew.work(ref)),
  'die before the mark': async (crew, lakes, at) =>
    each(crew.queue.splice(at, 1), async (ref) => crew.work(ref, { processed: dyingBeforeMark(lakes) }).catch(onlyKilled)),
  'die after the mark': async (crew, lakes, at) =>
    each(crew.queue.splice(at, 1), async (ref) => crew.work(ref, { processed: dyingAfterMark(lakes) }).catch(onlyKilled)),
  lose: async (crew, _lakes, at) => crew.queue.splice(at, 1),
};

async function each<T>(all: readonly T[], work: (one: T) => Promise<unknown>): Promise<unknown> {
  return Promise.all(all.map(work));
}

function onlyKilled(error: unknown): void {
  expect(error).toBe(killed);
}

interface Case {
  readonly batches: readonly Readonly<Record<string, SourceRows>>[];
  readonly thresholdBytes: number;
  readonly rangeBytes: number;
  readonly steps: readonly (readonly [keyof typeof STEPS, number])[];
  /** The step before which somebody without workers does all there is; where it is none of them, nobody does. */
  readonly meanwhile: number;
}

const parts = fc.integer({ min: 1, max: 4 });
const batch: fc.Arbitrary<Readonly<Record<string, SourceRows>>> = fc.record({
  team: fc.uniqueArray(fc.constantFrom('7', '8', '99')).map((ids) => ({ rows: ids.map((id) => [id, `team ${id}`, null, null]) })),
  person: fc.nat(4).map((count) => ({ rows: Array.from({ length: count }, (_, at) => [String(at), `p${at}`, at % 2 === 0 ? '7' : '99', 's']) })),
  sale: fc.record({ rows: fc.nat(24).map((count) => sales(count)), parts }),
  visit: fc.record({ rows: fc.nat(9).map((count) => visits(count)), parts }),
});
const cases: fc.Arbitrary<Case> = fc.record({
  batches: fc.array(batch, { minLength: 1, maxLength: 2 }),
  thresholdBytes: fc.constantFrom(0, 300, 1000),
  rangeBytes: fc.constantFrom(1, 200, 500),
  steps: fc.array(fc.tuple(fc.constantFrom(...Object.keys(STEPS)), fc.nat(9)), { maxLength: 16 }),
  meanwhile: fc.nat(40),
});

test('whatever happens to workers, looks and messages, a batch has the rows of one done at once, and is told of once', async () => {
  let committedInRanges = 0;
  await fc.assert(
    fc.asyncProperty(cases, async ({ batches, thresholdBytes, rangeBytes, steps, meanwhile }) => {
      const lakes = await ingestedBatch(EMPTY);
      for (const tables of batches) await ingested(lakes, stars, tables);
      const atOnce = await beside(lakes);
      await transformed(atOnce, stars);
      const crew = new Crew(lakes, stars, { thresholdBytes, rangeBytes });
      let others = 0;
      for (const [number, [name, at]] of steps.entries()) {
        if (number === meanwhile) others += (await transformed(lakes, stars)).batches;
        await STEPS[name]?.(crew, lakes, at);
      }
      expect(await crew.finish()).toMatchObject({ head: batches.length + 1, isUpToDate: true });
      expect(crew.told('batch').length + others).toBe(batches.length + 1);
      const inRanges = new Set(crew.told('range').map((event) => event.batch));
      committedInRanges += crew.told('batch').filter((event) => inRanges.has(event.batch)).length;
      for (let number = 1; number <= batches.length + 1; number += 1) {
        expect(await contentOf(lakes, number)).toEqual(await contentOf(atOnce, number));
      }
    }),
    { numRuns: 40 },
  );
  expect(committedInRanges).toBeGreaterThan(10);
});
