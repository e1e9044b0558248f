import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Blocks, blocksCondition, cutAcross } from '../../src/ingest/ranges.ts';

const holds = ({ from, to }: Blocks, block: number): boolean => block >= from && (to === null || block < to);

describe('the slices of all leaves at once', () => {
  test('are about as long as they shall be, of all leaves together', () => {
    expect(cutAcross([100], 40)).toEqual([{ from: 0, to: 40 }, { from: 40, to: 80 }, { from: 80, to: null }]);
    expect(cutAcross([20, 20], 20)).toEqual([{ from: 0, to: 10 }, { from: 10, to: null }]);
    expect(cutAcross([30, 10], 20)).toEqual([{ from: 0, to: 10 }, { from: 10, to: null }]);
    for (const empty of [[], [0], [0, 0]]) expect(cutAcross(empty, 20)).toEqual([{ from: 0, to: null }]);
  });

  test('do not end where a leaf does', () => {
    const lengths = Array.from({ length: 600 }, (_, at) => at + 1);
    expect(cutAcross(lengths, 32_768)).toHaveLength(6);
    expect(cutAcross([5, 10, 100], 60)).toEqual([{ from: 0, to: 45 }, { from: 45, to: null }]);
  });

  test('hold every block exactly once, and none has more pages than it shall, or one of each leaf', () => {
    const lengths = fc.array(fc.nat(300), { minLength: 1, maxLength: 6 });
    fc.assert(fc.property(lengths, fc.integer({ min: 1, max: 100 }), (pages, slicePages) => {
      const slices = cutAcross(pages, slicePages);
      for (let block = 0; block <= 310; block += 1) {
        expect(slices.filter((slice) => holds(slice, block))).toHaveLength(1);
      }
      for (const { from, to } of slices) {
        const within = pages.map((length) => Math.max(0, Math.min(to ?? length, length) - from));
        expect(within.reduce((sum, length) => sum + length, 0)).toBeLessThanOrEqual(Math.max(slicePages, pages.length));
      }
    }), { numRuns: 30 });
  });

  test.each([0, -1, Number.NaN])('cannot have %d pages', (slicePages) => {
    expect(() => cutAcross([1], slicePages)).toThrow(RangeError);
  });

  test('are asked for by place alone', () => {
    expect(blocksCondition({ from: 3, to: 9 })).toBe(`ctid >= '(3,0)'::tid and ctid < '(9,0)'::tid`);
    expect(blocksCondition({ from: 9, to: null })).toBe(`ctid >= '(9,0)'::tid`);
  });
});
