import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { afterwards, temporaryDirectory } from '../support/postgres.ts';
import { tryScenario } from './all.ts';
import { bundleWorker } from './bundle.ts';
import { type Figures, lineOf, NO_FIGURES, sum } from './figures.ts';
import { type Ground, startGround } from './ground.ts';
import { MARKET_SCENARIOS, RANGES_SCENARIOS } from './scenarios.ts';
import { Spares } from './workers.ts';

/** One step of each kind; `make faults` tries all. */
const oneOfAKind = true;

const SCENARIOS = [
  ...MARKET_SCENARIOS.map((scenario) => ({ scenario, least: 50 })),
  ...RANGES_SCENARIOS.map((scenario, at) => ({ scenario, least: 30, share: { at, of: RANGES_SCENARIOS.length } })),
].map((row, at) => ({ ...row, name: row.scenario.name, database: `scenario_${at}` }));

const say = (line: string): void => console.log(line);

let ground: Ground;
let spares: Spares;
let figures: Figures = NO_FIGURES;

beforeAll(async () => {
  ground = await startGround(await temporaryDirectory());
  afterwards(ground.clear);
  const { program, directory } = await bundleWorker(fileURLToPath(new URL('../..', import.meta.url)));
  afterwards(async () => rm(directory, { recursive: true, force: true }));
  spares = new Spares(program, 2);
  afterwards(async () => spares.stop());
});

afterAll(() => say(lineOf(figures)));

describe('a fault at any step', () => {
  test.each(SCENARIOS)(
    'of a run that brings $name: the next run ends as if there had been none',
    async ({ scenario, least, database, ...row }) => {
      const { signal } = new AbortController();
      const outcome = await tryScenario(scenario, database, { ground, spares, say, oneOfAKind, signal, ...row });
      figures = sum(figures, outcome.figures);
      expect(outcome.found).toEqual([]);
      expect(outcome.figures.points).toBeGreaterThan(least);
    },
    1_200_000,
  );
});
