import { describe, expect, it } from 'vitest';
import { randomFrom } from '../../../src/local/totesys/random.ts';

const draws = (seed: number, ...labels: string[]): number[] => {
  const random = randomFrom(seed, ...labels);
  return Array.from({ length: 20 }, () => random.int(0, 1_000_000));
};

describe('randomFrom', () => {
  it('repeats itself for the same seed and labels, and only for them', () => {
    expect(draws(1, 'a')).toEqual(draws(1, 'a'));
    expect(draws(2, 'a')).not.toEqual(draws(1, 'a'));
    expect(draws(1, 'b')).not.toEqual(draws(1, 'a'));
  });

  it('gives whole numbers from low to high, both included and all about as often', () => {
    const random = randomFrom(1);
    const counts = new Map<number, number>();
    for (let i = 0; i < 60_000; i += 1) {
      const value = random.int(-1, 4);
      counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    expect([...counts.keys()].toSorted((a, b) => a - b)).toEqual([-1, 0, 1, 2, 3, 4]);
    for (const count of counts.values()) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });

  it('weighs choices', () => {
    const random = randomFrom(1);
    const drawn = Array.from({ length: 10_000 }, () => random.weighted([['often', 9], ['seldom', 1], ['never', 0]]));
    expect(drawn.filter((value) => value === 'seldom').length).toBeGreaterThan(850);
    expect(drawn.filter((value) => value === 'seldom').length).toBeLessThan(1_150);
    expect(drawn).not.toContain('never');
  });

  it('falls back on the last choice when no weight is left', () => {
    expect(randomFrom(1).weighted([['a', 0], ['b', 0]])).toBe('b');
  });

  it('shuffles a copy', () => {
    const list = [1, 2, 3, 4, 5, 6, 7, 8];
    const shuffled = randomFrom(1).shuffle(list);
    expect(list).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(shuffled).not.toEqual(list);
    expect(shuffled.toSorted((a, b) => a - b)).toEqual(list);
  });

  it('picks nothing from an empty list', () => {
    expect(() => randomFrom(1).pick([])).toThrow(RangeError);
  });
});
