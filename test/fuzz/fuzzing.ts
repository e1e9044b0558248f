/**
 * Fuzzing with fast-check: how many cases, which seed, what counts as a crash, a hang or a difference.
 *
 * `STARLING_FUZZ_RUNS` is how many cases all fuzzers have together (10,000 in `make test`), `STARLING_FUZZ_SEED` replays
 * what a failure printed: a seed, or a seed and the path to one case of it.
 */

import { AssertionError } from 'node:assert';
import fc from 'fast-check';
import { TestRunner } from 'vitest';
import { Watchdog } from './watchdog.ts';

/** What came of the cases of one test. */
export interface Figures {
  readonly cases: number;
  readonly crashes: number;
  readonly hangs: number;
  readonly differences: number;
}

declare module 'vitest' {
  interface TaskMeta {
    fuzzed?: Figures;
  }
}

/** What is as it should be, however many cases there were. */
export const CLEAN = { crashes: 0, hangs: 0, differences: 0 } as const;

/** Of 10,000 cases; those that cost little have many. */
export const SHARES = {
  'csv: PostgreSQL': 3000,
  'csv: chunks': 1200,
  'csv: DuckDB': 300,
  'csv: records': 150,
  'entry: transform': 400,
  'entry: load': 150,
  'object: mirror': 100,
  'object: output': 60,
  'state: stages': 80,
  'names: pipeline': 12,
  'event: wake-up': 1800,
  'configuration: command line': 1100,
  'configuration: function': 900,
  'configuration: secret': 800,
} as const;

export type Fuzzer = keyof typeof SHARES;

const BASE_RUNS = 10_000;
const asked = process.env['STARLING_FUZZ_RUNS'];
const scale = asked === undefined ? 1 : Number(asked) / BASE_RUNS;

/** Far beyond what a case takes on any machine: it only ends what would never end. */
const HANG_MS = 120_000;

/** For a test of some thousand cases, however slow the machine. */
export const FUZZ_TIMEOUT_MS = 600_000 * Math.max(1, scale);

/** A case took longer than any case may. */
class Hang extends Error {}

/**
 * Tries a fuzzer's share of cases; throws at the first that fails, with how to see it again. `check` throws an assertion's
 * error where what is there is not what should be; any other error is a crash. @param first Tried in every run.
 */
export async function fuzz<T>(
  fuzzer: Fuzzer,
  values: fc.Arbitrary<T>,
  check: (value: T) => Promise<void> | void,
  first: readonly T[] = [],
): Promise<Figures> {
  const watchdog = new Watchdog(fuzzer, HANG_MS);
  const property = fc.asyncProperty(values, async (value) => {
    watchdog.isAlive();
    await withinTime(check(value));
  });
  try {
    const { seed, path } = replayed();
    const numRuns = path === undefined ? Math.max(1, Math.round(SHARES[fuzzer] * scale)) : 1;
    const ended = await fc.check(property, { numRuns, examples: first.map((value): [T] => [value]), ...(seed === undefined ? {} : { seed }), ...(path === undefined ? {} : { path }) });
    const figures = figuresOf(ended.numRuns, ended.failed ? ended.errorInstance : null);
    const task = TestRunner.getCurrentTest();
    if (task) task.meta.fuzzed = figures;
    if (ended.failed) throw new Error(await reportOf(ended), { cause: ended.errorInstance });
    return figures;
  } finally {
    await watchdog.stop();
  }
}

function replayed(): { readonly seed?: number; readonly path?: string } {
  const [, seed, path] = /^(-?\d+)(?::(.+))?$/.exec(process.env['STARLING_FUZZ_SEED'] ?? '') ?? [];
  return { ...(seed === undefined ? {} : { seed: Number(seed) }), ...(path === undefined ? {} : { path }) };
}

async function withinTime(work: Promise<void> | void): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Hang(`a case was not done after ${HANG_MS} ms`)), HANG_MS);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function reportOf<T>(ended: fc.RunDetails<T>): Promise<string> {
  const replay = `STARLING_FUZZ_SEED='${ended.seed}:${ended.counterexamplePath ?? ''}'`;
  return `again with ${replay}\n${await fc.asyncDefaultReportMessage(ended)}`;
}

function figuresOf(cases: number, error: unknown): Figures {
  const [isHang, isDifference] = [error instanceof Hang, isAssertion(error)];
  return {
    cases,
    crashes: Number(error !== null && !isHang && !isDifference),
    hangs: Number(isHang),
    differences: Number(isDifference),
  };
}

/** Vitest's own are chai's, which are none of Node's. */
function isAssertion(error: unknown): boolean {
  return error instanceof AssertionError || (error instanceof Error && error.name === 'AssertionError');
}
