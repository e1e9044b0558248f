import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Blocks, blocksCondition, cutAcross, cutIntoRanges, rangeCondition } from '../../src/ingest/ranges.ts';

const holds = ({ from, to }: Blocks, block: number): boolean => block >= from && (to === null || block < to);

describe('the ranges of some leaves', () => {
  test('are as long as they may be, but for the last of each leaf, which is open', () => {
    expect(cutIntoRanges([{ oid: '7', pages: 25 }, { oid: '8', pages: 10 }], 10)).toEqual([
      { leaf: '7', from: 0, to: 10 },
      { leaf: '7', from: 10, to: 20 },
      { leaf: '7', from: 20, to: null },
      { leaf: '8', from: 0, to: null },
    ]);
  });

  test('hold what comes into an empty leaf', () => {
    expect(cutIntoRanges([{ oid: '7', pages: 0 }], 10)).toEqual([{ leaf: '7', from: 0, to: null }]);
  });

  test('hold every block of every leaf exactly once, also one behind those that were counted', () => {
    const leaves = fc.uniqueArray(fc.record({ oid: fc.nat().map(String), pages: fc.nat(200) }), { selector: ({ oid }) => oid });
    fc.assert(fc.property(leaves, fc.integer({ min: 1, max: 60 }), (cut, rangePages) => {
      const ranges = cutIntoRanges(cut, rangePages);
      for (const { oid, pages } of cut) {
        const own = ranges.filter(({ leaf }) => leaf === oid);
        for (let block = 0; block <= pages + rangePages; block += 1) {
          expect(own.filter((range) => holds(range, block))).toHaveLength(1);
        }
      }
      expect(ranges.filter(({ leaf }) => !cut.some(({ oid }) => oid === leaf))).toEqual([]);
    }), { numRuns: 30 });
  });

  test.each([0, -1, 1.5, Number.NaN])('cannot have %d pages', (rangePages) => {
    expect(() => cutIntoRanges([], rangePages)).toThrow(RangeError);
  });
});

describe('the rows of a range', () => {
  test('lie between two places, or behind one', () => {
    expect(rangeCondition({ leaf: '7', from: 10, to: 20 }, true)).toBe(`ctid >= '(10,0)'::tid and ctid < '(20,0)'::tid`);
    expect(rangeCondition({ leaf: '7', from: 20, to: null }, true)).toBe(`ctid >= '(20,0)'::tid`);
  });

  test('are those of its leaf alone, where the table has several', () => {
    const condition = rangeCondition({ leaf: '7', from: 0, to: null }, false);
    expect(condition).toBe(`tableoid = '7'::oid and ctid >= '(0,0)'::tid`);
  });
});

describe('the slices of all leaves at once', () => {
  test('are about as long as they shall be, of all leaves together', () => {
    expect(cutAcross([100], 40)).toEqual([{ from: 0, to: 40 }, { from: 40, to: 80 }, { from: 80, to: null }]);
    expect(cutAcross([20, 20], 20)).toEqual([{ from: 0, to: 10 }, { from: 10, to: null }]);
    expect(cutAcross([30, 10], 20)).toEqual([{ from: 0, to: 10 }, { from: 10, to: null }]);
    for (const empty of [[], [0], [0, 0]]) expect(cutAcross(empty, 20)).toEqual([{ from: 0, to: null }]);
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
  });
});
