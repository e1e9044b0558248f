import { describe, expect, test } from 'vitest';
import { TimeLeft } from '../../../src/shared/lambda/time-left.ts';

describe('the time that a call has left', () => {
  test('does for another batch while there is twice the longest so far, and ten seconds', () => {
    let remainingMs = 300_000;
    const time = new TimeLeft(() => remainingMs);
    remainingMs = 130_001;
    time.check(60);
    expect(time.signal.aborted).toBe(false);
    remainingMs = 129_999;
    time.check(1);
    expect(time.signal.aborted).toBe(true);
  });

  test('does for no other batch in its last quarter', () => {
    let remainingMs = 900_000;
    const time = new TimeLeft(() => remainingMs);
    remainingMs = 225_000;
    time.check(1);
    expect(time.signal.aborted).toBe(false);
    remainingMs = 224_999;
    time.check(1);
    expect(time.signal.aborted).toBe(true);
  });

  test('is over from the start where a call gets less than ten seconds', () => {
    expect(new TimeLeft(() => 9_999).signal.aborted).toBe(true);
    expect(new TimeLeft(() => 10_000).signal.aborted).toBe(false);
  });

  test('is early until a quarter of it is used', () => {
    let remainingMs = 900_000;
    const time = new TimeLeft(() => remainingMs);
    remainingMs = 675_000;
    expect(time.isEarly).toBe(true);
    remainingMs = 674_999;
    expect(time.isEarly).toBe(false);
  });

  test('allows to wait and try again only if as much as the longest batch is left after it', () => {
    let remainingMs = 60_000;
    const time = new TimeLeft(() => remainingMs);
    time.check(20);
    expect(time.allows(5_000)).toBe(true);
    remainingMs = 35_000;
    expect(time.allows(5_000)).toBe(false);
  });
});
