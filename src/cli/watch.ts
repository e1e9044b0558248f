import { setTimeout as sleep } from 'node:timers/promises';
import { PipelineError } from '../shared/errors.ts';

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** Node's timers end at 2³¹ milliseconds, 24.8 days. */
const LONGEST_MS = 24 * 86_400_000;

/** `15m`, `90s`, `1h`, `1d` in milliseconds. */
export function parseInterval(text: string): number {
  const [, count, unit = ''] = /^(\d+)(s|m|h|d)$/.exec(text) ?? [];
  const milliseconds = Number(count) * (UNITS[unit] ?? Number.NaN);
  if (milliseconds >= 1_000 && milliseconds <= LONGEST_MS) return milliseconds;
  throw new PipelineError('config', '--every takes a whole number of s, m, h or d, such as 15m; 1s to 24d');
}

/**
 * Calls `work` now and then every `interval` milliseconds, counted from start to start; one that takes longer is
 * followed at once by the next. Ends when `signal` is aborted: after the work in hand, or at once when it is waiting.
 */
export async function every(interval: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    const started = performance.now();
    await work();
    const rest = interval - (performance.now() - started);
    if (rest > 0) await sleep(rest, undefined, { signal }).catch(() => undefined);
  }
}
