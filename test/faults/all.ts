import { randomFrom } from '../../src/local/totesys/random.ts';
import { NO_FIGURES, sum } from './figures.ts';
import type { Ground } from './ground.ts';
import { Matrix, onePerKind, type Point } from './matrix.ts';
import type { Scenario } from './scenarios.ts';
import type { Outcome } from './schedule.ts';
import type { Spares } from './workers.ts';

/** What is said while it goes on. */
export type Say = (line: string) => void;

/** How many points are tried at once. */
const WIDTH = 3;

export interface MatrixOptions {
  readonly ground: Ground;
  readonly spares: Spares;
  readonly say: Say;
  /** One step of each kind, in place of all. */
  readonly oneOfAKind: boolean;
  /** When aborted, no other point is begun. */
  readonly signal: AbortSignal;
}

/** Tries the points of a scenario; the figures, and what was found. */
export async function tryScenario(
  scenario: Scenario,
  name: string,
  { ground, spares, say, oneOfAKind, signal }: MatrixOptions,
): Promise<Pick<Outcome, 'figures' | 'found'>> {
  const matrix = await Matrix.prepare(scenario, ground, name, WIDTH);
  const points = oneOfAKind ? someOf(matrix.points) : matrix.points;
  let tried = 0;
  const problems = await matrix.try(points, spares, signal, () => {
    tried += 1;
    if (tried % 250 === 0) say(`${scenario.name}: ${tried} of ${points.length} fault points`);
  });
  await matrix.close();
  say(`${scenario.name}: ${points.length} fault points of ${matrix.points.length}, ${problems.length} with another end`);
  // Of each point: the run that it befalls, and the one that carries on.
  const figures = sum(NO_FIGURES, { points: points.length, runs: 2 * points.length, failures: problems.length });
  return { figures, found: problems.map(({ point, what }) => `${point}\n${what}`) };
}

/**
 * Which one of a kind is left to chance: in the long run it is all of them. Whoever is killed before a step leaves what
 * one leaves who is killed after the step before it.
 */
function someOf(points: readonly Point[]): readonly Point[] {
  const random = randomFrom(Date.now(), 'points');
  return onePerKind(points.filter(({ fault }) => fault !== 'killed before'), (group) => random.pick(group));
}

