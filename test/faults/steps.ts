import { randomFrom } from '../../src/local/totesys/random.ts';

/**
 * What can befall a step, an effect that a stage has on the world outside: a call of a lake, or a request to one of the
 * databases.
 *
 * - `killed before`, `killed after`: the process gets SIGKILL, before the effect or when it has taken place and no
 *   answer has been seen.
 * - `error`: in place of the effect there is an error that says so.
 * - `reset`: the connection breaks before the effect; a body that is being written has begun to be read by then.
 * - `answer lost`: the effect takes place and the connection breaks before the answer, or in the middle of it.
 */
export const FAULTS = ['killed before', 'killed after', 'error', 'reset', 'answer lost'] as const;
export type Fault = (typeof FAULTS)[number];

export function isKill(fault: Fault): boolean {
  return fault === 'killed before' || fault === 'killed after';
}

export interface Step {
  /** `warehouse: insert into pipeline.ledger`, `processed: put data/fact_sale`. */
  readonly name: string;
  /** The name without the table: what it shares with other steps that are of the same code. */
  readonly kind: string;
}

/** Which fault is to befall which step. */
export type Plan =
  | { readonly at: string; readonly nth: number; readonly fault: Fault }
  | { readonly seed: string; readonly chance: number; readonly faults: readonly Fault[] }
  | null;

/** Where faults come into a stage: asked before each step, which is then done, or not, as the fault says. */
export class Seam {
  readonly #choose: (step: Step, nth: number) => Fault | null;
  readonly #times = new Map<string, number>();
  readonly #kill: () => void;
  readonly steps: Step[] = [];
  /** How many faults there have been. */
  faults = 0;

  constructor(plan: Plan, kill: () => void) {
    this.#choose = chooserOf(plan);
    this.#kill = kill;
  }

  next(step: Step): Fault | null {
    const nth = (this.#times.get(step.name) ?? 0) + 1;
    this.#times.set(step.name, nth);
    this.steps.push(step);
    const fault = this.#choose(step, nth);
    if (fault !== null) this.faults += 1;
    return fault;
  }

  /** Never returns: SIGKILL is not to be survived, not even for the rest of the event loop's turn. */
  async die(): Promise<never> {
    this.#kill();
    return new Promise<never>(() => undefined);
  }
}

function chooserOf(plan: Plan): (step: Step, nth: number) => Fault | null {
  if (plan === null) return () => null;
  if ('at' in plan) return (step, nth) => (step.name === plan.at && nth === plan.nth ? plan.fault : null);
  const random = randomFrom(0, plan.seed);
  return () => (random.chance(plan.chance) ? random.pick(plan.faults) : null);
}
