import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { afterwards, temporaryDirectory } from '../support/postgres.ts';
import { bundleWorker } from './bundle.ts';
import { isClean, lineOf, NO_FIGURES, sum } from './figures.ts';
import { startGround } from './ground.ts';
import { startS3 } from './s3.ts';
import { Schedules } from './schedule.ts';

/** Both have to be reached. */
const AT_LEAST_MS = 90_000;
const AT_LEAST_SEEDS = 20;

/** A failure shows its own seed; `STARLING_TEST_SEED` gives the first one. */
const FIRST = Number(process.env['STARLING_TEST_SEED'] ?? Date.now() % 1_000_000_000);

async function schedules(): Promise<Schedules> {
  const ground = await startGround(await temporaryDirectory());
  afterwards(ground.clear);
  const { program, directory } = await bundleWorker(fileURLToPath(new URL('../..', import.meta.url)));
  afterwards(async () => rm(directory, { recursive: true, force: true }));
  const s3 = await startS3();
  if (s3) afterwards(s3.stop);
  const made = await Schedules.prepare(ground, program, s3?.lake ?? null);
  afterwards(async () => made.stop());
  return made;
}

test('whatever happens to nine workers at once, every state that a batch saw is one version, in its place', async () => {
  const runner = await schedules();
  const started = performance.now();
  let figures = NO_FIGURES;
  let happened = { versions: 0, kills: 0, faults: 0, ranges: 0 };
  for (let seed = FIRST; figures.seeds < AT_LEAST_SEEDS || performance.now() - started < AT_LEAST_MS; seed += 1) {
    const outcome = await runner.run(seed);
    figures = sum(figures, outcome.figures);
    const { versions, kills, faults, ranges } = outcome.happened;
    happened = {
      versions: happened.versions + versions, kills: happened.kills + kills, faults: happened.faults + faults, ranges: happened.ranges + ranges,
    };
    expect({ seed, isClean: isClean(outcome.figures), found: outcome.found }).toEqual({ seed, isClean: true, found: [] });
  }
  console.log(`${lineOf(figures)} (${happened.versions} versions, ${happened.kills} kills, ${happened.faults} faults, ${happened.ranges} ranges)`);
  // A schedule in which nothing happens proves nothing.
  expect(Math.min(happened.kills, happened.faults)).toBeGreaterThan(figures.seeds / 4);
  expect(happened.ranges).toBeGreaterThan(figures.seeds);
  expect(happened.versions).toBeGreaterThan(figures.seeds * 80);
}, 1_200_000);
