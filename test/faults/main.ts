/**
 * `make faults`: every step of the matrix with every fault, and then random schedules, `SEEDS` of them from `SEED_START`
 * on. What was interrupted goes on where it was; `MATRIX=no` leaves out the matrix.
 */

import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { tryScenario } from './all.ts';
import { bundleWorker } from './bundle.ts';
import { type Figures, isClean, lineOf, NO_FIGURES, sum } from './figures.ts';
import { type Ground, startGround } from './ground.ts';
import { startS3 } from './s3.ts';
import { MARKET_SCENARIOS, RANGES_SCENARIOS, TOTESYS_SCENARIOS } from './scenarios.ts';
import { Schedules } from './schedule.ts';
import { Spares } from './workers.ts';

const whole = v.pipe(v.string(), v.regex(/^\d+$/), v.transform(Number));
const options = v.parse(
  v.object({ SEEDS: v.optional(whole, '200'), SEED_START: v.optional(whole, '1'), MATRIX: v.optional(v.picklist(['yes', 'no']), 'yes') }),
  process.env,
);

const count = v.number();
const progressSchema = v.object({
  /** What was asked for: anything else begins anew. */
  asked: v.string(),
  /** The scenarios that are done, by name. */
  scenarios: v.array(v.string()),
  /** The next seed. */
  next: count,
  figures: v.object({
    points: count, runs: count, seeds: count, lost: count, doubled: count, outOfOrder: count, failures: count,
  }),
});
type Progress = v.InferOutput<typeof progressSchema>;

const ROOT = process.cwd();
const DIRECTORY = join(ROOT, 'dist', 'faults');
const FILE = join(DIRECTORY, 'progress.json');
/** A line now and then. */
const EVERY_SEEDS = 25;

/** What is in hand is brought to its end; at the second time nobody waits. */
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());

function say(line: string): void {
  console.log(line);
}

/** Where an earlier run of the same command was interrupted; from the start where it came to its end. */
async function begin(): Promise<Progress> {
  const { SEEDS, SEED_START, MATRIX } = options;
  const asked = `SEEDS=${SEEDS} SEED_START=${SEED_START} MATRIX=${MATRIX}`;
  const fresh: Progress = { asked, scenarios: [], next: SEED_START, figures: NO_FIGURES };
  const text = await readFile(FILE, 'utf8').catch(() => '{}');
  const found = v.safeParse(progressSchema, JSON.parse(text));
  if (!found.success || found.output.asked !== asked) return fresh;
  const { scenarios, next, figures } = found.output;
  say(`carrying on behind ${scenarios.length} scenarios and seed ${next - 1}: ${lineOf(figures)}`);
  return found.output;
}

/** Aside first: whoever is interrupted here has the one before. */
async function keep(progress: Progress): Promise<void> {
  await writeFile(`${FILE}.new`, JSON.stringify(progress));
  await rename(`${FILE}.new`, FILE);
}

function tell(found: readonly string[], title: string, replay: string): void {
  if (found.length === 0) return;
  say(`${title}:\n${found.map((line) => `  ${line}`).join('\n')}\n  again: ${replay}`);
}

async function tryMatrix(ground: Ground, program: string, progress: Progress): Promise<Progress> {
  const spares = new Spares(program, 2);
  let now = progress;
  for (const [at, scenario] of [...MARKET_SCENARIOS, ...RANGES_SCENARIOS, ...TOTESYS_SCENARIOS].entries()) {
    if (now.scenarios.includes(scenario.name)) continue;
    const oneOfAKind = TOTESYS_SCENARIOS.includes(scenario);
    const tried = { ground, spares, say, oneOfAKind, signal: interrupted.signal };
    const { figures, found } = await tryScenario(scenario, `scenario_${at}`, tried);
    // One that was not finished begins anew.
    if (interrupted.signal.aborted) break;
    tell(found, scenario.name, 'make faults SEEDS=0');
    now = { ...now, scenarios: [...now.scenarios, scenario.name], figures: sum(now.figures, figures) };
    await keep(now);
  }
  await spares.stop();
  return now;
}

async function trySeeds(ground: Ground, program: string, progress: Progress): Promise<Progress> {
  const end = options.SEED_START + options.SEEDS;
  if (progress.next >= end || interrupted.signal.aborted) return progress;
  const s3 = await startS3();
  const schedules = await Schedules.prepare(ground, program, s3?.lake ?? null);
  let now = progress;
  try {
    for (let seed = now.next; seed < end && !interrupted.signal.aborted; seed += 1) {
      const { figures, found } = await schedules.run(seed);
      // Whoever interrupts us may have interrupted more than us.
      if (interrupted.signal.aborted) break;
      tell(found, `seed ${seed}`, `make faults SEEDS=1 SEED_START=${seed} MATRIX=no`);
      now = { ...now, next: seed + 1, figures: sum(now.figures, figures) };
      await keep(now);
      if (now.figures.seeds % EVERY_SEEDS === 0) say(`seed ${seed}: ${lineOf(now.figures)}`);
    }
    return now;
  } finally {
    await schedules.stop();
    await s3?.stop();
  }
}

async function main(): Promise<Figures> {
  await mkdir(DIRECTORY, { recursive: true });
  let progress = await begin();
  // As the tests name theirs, whose next run clears away what is left of a run that was killed.
  const directory = await mkdtemp(join(tmpdir(), `starling-test-${process.pid}-`));
  // The server's account has to get into it where this is root.
  await chmod(directory, 0o755);
  const ground = await startGround(directory);
  const bundle = await bundleWorker(ROOT);
  try {
    if (options.MATRIX === 'yes') progress = await tryMatrix(ground, bundle.program, progress);
    progress = await trySeeds(ground, bundle.program, progress);
    if (!interrupted.signal.aborted) await rm(FILE, { force: true });
    return progress.figures;
  } finally {
    await rm(bundle.directory, { recursive: true, force: true });
    await ground.clear();
  }
}

const figures = await main();
say(lineOf(figures));
if (interrupted.signal.aborted) say('interrupted: the same command goes on from here');
process.exitCode = isClean(figures) && !interrupted.signal.aborted ? 0 : 1;
