import { Int32, vectorFromArray } from 'apache-arrow';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DistinctValues } from '../../src/load/distinct.ts';

function gathered(...batches: readonly (readonly (number | null)[])[]): readonly number[] | null {
  const distinct = new DistinctValues();
  for (const cells of batches) {
    for (const data of vectorFromArray(cells, new Int32()).data) distinct.add(data);
  }
  return distinct.values()?.toSorted((a, b) => a - b) ?? null;
}

test('every value but null is gathered, once, wherever it is', () => {
  const cell = fc.option(fc.oneof(fc.integer(), fc.integer({ min: 1, max: 50 }), fc.constantFrom(-(2 ** 31), 2 ** 31 - 1)));
  fc.assert(
    fc.property(fc.array(fc.array(cell, { minLength: 1 })), (batches) => {
      const expected = new Set(batches.flat().filter((value) => value !== null));
      expect(gathered(...batches)).toEqual([...expected].toSorted((a, b) => a - b));
    }),
  );
});

test('too many values far from each other are none that are known', () => {
  const far = Array.from({ length: 70_000 }, (_, at) => at * 30_000 - 2 ** 30);
  expect(gathered(far.slice(0, 60_000))).toHaveLength(60_000);
  expect(gathered(far)).toBeNull();
});

test('where rows were not looked at, nothing is known', () => {
  const distinct = new DistinctValues();
  distinct.giveUp();
  expect(distinct.values()).toBeNull();
});
