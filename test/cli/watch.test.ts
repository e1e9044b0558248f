import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { every, parseInterval } from '../../src/cli/watch.ts';

describe('an interval', () => {
  test.each([
    ['1s', 1_000],
    ['90s', 90_000],
    ['15m', 900_000],
    ['1h', 3_600_000],
    ['576h', 24 * 24 * 3_600_000],
    ['1d', 86_400_000],
    ['24d', 24 * 86_400_000],
  ])('%s is %i milliseconds', (text, milliseconds) => {
    expect(parseInterval(text)).toBe(milliseconds);
  });

  test.each(['', '15', 'm', '0s', '-5m', '1.5h', '15 m', '15M', '25d', '577h', '99999999999999999999s', ' 1s', '1s\n'])(
    '%j is refused',
    (text) => {
      expect(() => parseInterval(text)).toThrow(/--every takes a whole number of s, m, h or d/);
    },
  );
});

describe('every', () => {
  test('counts from start to start', async () => {
    const stop = new AbortController();
    const starts: number[] = [];
    await every(60, stop.signal, async () => {
      starts.push(performance.now());
      if (starts.length === 4) stop.abort();
      await sleep(30);
    });
    const elapsed = (starts[3] ?? 0) - (starts[0] ?? 0);
    expect(elapsed).toBeGreaterThan(170);
    expect(elapsed).toBeLessThan(260);
  });

  test('follows work that takes longer than the interval at once with the next', async () => {
    const stop = new AbortController();
    let runs = 0;
    const started = performance.now();
    await every(1, stop.signal, async () => {
      runs += 1;
      if (runs === 3) stop.abort();
      await sleep(20);
    });
    expect(runs).toBe(3);
    expect(performance.now() - started).toBeLessThan(200);
  });

  test('ends at once when it is stopped while it waits', async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 20);
    const started = performance.now();
    await every(60_000, stop.signal, async () => undefined);
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  test('does nothing when it is stopped before', async () => {
    let runs = 0;
    await every(1, AbortSignal.abort(), async () => void (runs += 1));
    expect(runs).toBe(0);
  });
});
