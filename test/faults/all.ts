import { randomFrom } from '../../src/local/totesys/random.ts';
import { NO_FIGURES, sum } from './figures.ts';
import type { Ground } from './ground.ts';
import { Matrix, onePerGroup, type Point } from './matrix.ts';
import type { Scenario } from './scenarios.ts';
import type { Outcome } from './schedule.ts';
import type { Spares } from './workers.ts';

/** What is said while it goes on. */
export type Say = (line: string) => void;

/** How many points are tried at once. */
const WIDTH = 3;

/** What is tried of a kind is drawn anew for each run. */
const RUN = Date.now();

/** The one with the number `at` of so many. */
interface Share {
  readonly at: number;
  readonly of: number;
}

const WHOLE: Share = { at: 0, of: 1 };
const MARK = 'putIfAbsent split/range';

export interface MatrixOptions {
  readonly ground: Ground;
  readonly spares: Spares;
  readonly say: Say;
  /** One step of each kind, in place of all. */
  readonly oneOfAKind: boolean;
  /** Of these points the share of one scenario among several, between which they have much in common. */
  readonly share?: Share;
  /** When aborted, no other point is begun. */
  readonly signal: AbortSignal;
}

/** Tries the points of a scenario; the figures, and what was found. */
export async function tryScenario(
  scenario: Scenario,
  name: string,
  { ground, spares, say, oneOfAKind, share = WHOLE, signal }: MatrixOptions,
): Promise<Pick<Outcome, 'figures' | 'found'>> {
  const matrix = await Matrix.prepare(scenario, ground, name, WIDTH);
  const points = oneOfAKind ? someOf(matrix, share) : matrix.points;
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
 * one leaves who is killed after the step before it. Of what a batch in ranges has in common with others, which are
 * tried too, one fault is enough.
 */
function someOf({ points, common }: Pick<Matrix, 'points' | 'common'>, { at, of }: Share): readonly Point[] {
  const random = randomFrom(RUN, 'points', at);
  const groupOf = ({ kind, fault, nth }: Point): string => {
    // Each mark leaves other ranges that are missing.
    const what = kind.endsWith(MARK) ? `${kind} ${nth}` : kind;
    return common.has(kind) ? what : `${fault} ${what}`;
  };
  const some = points.filter((point) => point.fault !== 'killed before' && randomFrom(RUN, groupOf(point)).int(0, of - 1) === at);
  return onePerGroup(some, groupOf, (group) => random.pick(group));
}

