import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { changedBlocks } from '../../src/ingest/count.ts';

const SLICES = 512;

const bits = (...set: readonly number[]): string => Array.from({ length: SLICES }, (_, at) => (set.includes(at) ? '1' : '0')).join('');

describe('the blocks with changed rows', () => {
  test('are none where no slice is marked', () => {
    expect([changedBlocks('', Number.NaN), changedBlocks(bits(), 3)]).toEqual([[], []]);
  });

  test('are those of the marked slices, neighbours together, and the last slice has no end', () => {
    expect(changedBlocks(bits(0, 4, 5, 6, 9, 510, 511), 10)).toEqual([
      { from: 0, to: 10 }, { from: 40, to: 70 }, { from: 90, to: 100 }, { from: 5_100, to: null },
    ]);
  });

  test('are in exactly one of them, each, and no other block is', () => {
    fc.assert(fc.property(fc.uniqueArray(fc.nat(SLICES - 1)), fc.integer({ min: 1, max: 50 }), (set, pages) => {
      const blocks = changedBlocks(bits(...set), pages);
      for (let slice = 0; slice < SLICES; slice += 1) {
        for (const block of [slice * pages, (slice + 1) * pages - 1]) {
          const holding = blocks.filter(({ from, to }) => block >= from && (to === null || block < to));
          expect(holding).toHaveLength(set.includes(slice) ? 1 : 0);
        }
      }
    }), { numRuns: 20 });
  });
});
