import { join } from 'node:path';
import { deepStrictEqual } from 'node:assert';
import { isDeepStrictEqual } from 'node:util';
import { copyLake, discard, type Ground, openDatabase } from './ground.ts';
import { type Done, type Job, modelNamed, runJob } from './job.ts';
import { type Stage, STAGES } from '../../src/shared/report.ts';
import type { Scenario } from './scenarios.ts';
import { type Fault, FAULTS, isKill, type Plan, type Step } from './steps.ts';
import { Rewindable, readState, type State, withoutEmpty } from './warehouse.ts';
import type { Spares } from './workers.ts';

/** A step of an undisturbed run, and what is to befall it. */
export interface Point extends Step {
  readonly stage: Stage;
  /** Of the steps of that name. */
  readonly nth: number;
  readonly fault: Fault;
}

export interface Problem {
  readonly point: string;
  readonly what: string;
}

/** Starling's clock: the batch that faults are tried on is of this time. */
const NOW = '2031-03-05T12:00:00.000Z';
/** Nothing befalls it, and its steps are noted. */
const WATCHING: Plan = { seed: '', chance: 0, faults: [] };
const BEFORE = '2031-03-04T12:00:00.000Z';
/** Fewer could be done without one of them being missing while another one is done. */
const RANGES_AT_LEAST = 3;

/** A scenario, played up to where faults are tried, in places of its own that are put back for each of them. */
export class Matrix {
  readonly scenario: Scenario;
  readonly points: readonly Point[];
  /** The kinds of steps that there are also where the same is done at once. Empty where it is. */
  readonly common: ReadonlySet<string>;
  readonly #ground: Ground;
  readonly #lanes: Lane[];
  readonly #before: State;
  readonly #after: State;

  private constructor(scenario: Scenario, ground: Ground, lanes: Lane[], undisturbed: Undisturbed, common: ReadonlySet<string>) {
    this.scenario = scenario;
    this.#ground = ground;
    this.#lanes = lanes;
    this.points = undisturbed.points;
    this.common = common;
    this.#before = undisturbed.before;
    this.#after = undisturbed.after;
  }

  /** @param width How many points are tried at once. */
  static async prepare(scenario: Scenario, ground: Ground, name: string, width: number): Promise<Matrix> {
    const source = await openDatabase(ground.sources, `source_${name}`);
    const atOnce = scenario.inRanges ? await Lane.open(ground, { ...scenario, inRanges: false }, source.url, `${name}_at_once`) : null;
    const lanes: Lane[] = [];
    for (let lane = 0; lane < width; lane += 1) lanes.push(await Lane.open(ground, scenario, source.url, `${name}_${lane}`));
    const [first, ...others] = lanes;
    if (!first) throw new Error('no lanes');
    for (const change of scenario.before) {
      await change(source.client);
      await first.run(STAGES, BEFORE);
      await atOnce?.run(STAGES, BEFORE);
    }
    await scenario.change?.(source.client);
    await source.client.end();
    for (const other of others) await other.follow(first);
    const undisturbed = await undisturbedRun(first);
    const common = atOnce ? await sameAtOnce(undisturbed.after, atOnce, ground) : new Set<string>();
    for (const other of others) await other.keepAs(first);
    return new Matrix(scenario, ground, lanes, undisturbed, common);
  }

  /** Tries each of the points, and tells of each whose end is not that of the undisturbed run. */
  async try(points: readonly Point[], spares: Spares, signal: AbortSignal, tried: () => void): Promise<readonly Problem[]> {
    const left = points.toReversed();
    const problems: Problem[] = [];
    const work = async (lane: Lane): Promise<void> => {
      for (let point = left.pop(); point && !signal.aborted; point = left.pop()) {
        const what = await this.#tryOne(lane, point, spares);
        if (what !== null) problems.push({ point: `${this.scenario.name}: ${titleOf(point)}`, what });
        tried();
      }
    };
    await Promise.all(this.#lanes.map(work));
    return problems;
  }

  async close(): Promise<void> {
    for (const lane of this.#lanes) await discard(this.#ground.warehouses, lane.warehouse.client);
  }

  async #tryOne(lane: Lane, point: Point, spares: Spares): Promise<string | null> {
    try {
      await lane.rewind(point.stage);
      await this.#disturb(lane, point, spares);
      const between = withoutEmpty(await lane.state());
      this.#checkBetween(between);
      await lane.run(STAGES, NOW);
      deepStrictEqual(await lane.state(), this.#after, 'the end is not that of the undisturbed run');
      // Those of a batch that was loaded when it struck, the next batch drops.
      const isLoaded = isDeepStrictEqual(between, withoutEmpty(this.#after));
      if (!isLoaded) deepStrictEqual(await lane.warehouse.unlogged(), [], 'staged tables are left behind');
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  async #disturb(lane: Lane, { stage, name: at, nth, fault }: Point, spares: Spares): Promise<void> {
    const job = lane.job([stage], NOW, { at, nth, fault });
    const outcome = isKill(fault) ? await spares.run(job) : await runJob(job, () => undefined);
    if (outcome === 'killed') return deepStrictEqual(isKill(fault), true, 'killed by nobody');
    if (outcome.faults === 0) throw new Error(`the step was not reached: ${JSON.stringify(outcome.failures)}`);
    const isOwnEntry = fault === 'answer lost' && at.endsWith('putIfAbsent log');
    deepStrictEqual(isOwnEntry && !outcome.events.includes('batch'), false, 'its own entry is taken for another one');
    // What is not to be expected of a world outside that fails is not to be expected at all.
    deepStrictEqual(outcome.failures.filter(({ kind }) => kind === 'bug'), [], 'it failed with a bug');
  }

  /** Somebody who looks between the two runs sees the warehouse before the batch, or behind it. */
  #checkBetween(seen: State): void {
    const isEither = [this.#before, this.#after].some((state) => {
      try {
        deepStrictEqual(seen, withoutEmpty(state));
        return true;
      } catch {
        return false;
      }
    });
    if (!isEither) deepStrictEqual(seen, withoutEmpty(this.#after), 'something half done is seen');
  }
}

export function titleOf({ fault, name, nth }: Point): string {
  return `${fault} at ${name} (${nth})`;
}

export function onePerGroup(
  points: readonly Point[],
  groupOf: (point: Point) => string,
  pick: (points: readonly Point[]) => Point,
): readonly Point[] {
  const groups = new Map<string, Point[]>();
  for (const point of points) {
    const id = groupOf(point);
    groups.set(id, [...(groups.get(id) ?? []), point]);
  }
  return [...groups.values()].map((group) => pick(group));
}

function pointsOf(stage: Stage, steps: readonly Step[]): readonly Point[] {
  const times = new Map<string, number>();
  return steps.flatMap((step) => {
    const nth = (times.get(step.name) ?? 0) + 1;
    times.set(step.name, nth);
    return FAULTS.map((fault) => ({ ...step, stage, nth, fault }));
  });
}

interface Undisturbed {
  readonly before: State;
  readonly after: State;
  readonly points: readonly Point[];
}

/** Keeps what is there before each stage, so that faults in it need not wait for those before it. */
async function undisturbedRun(lane: Lane): Promise<Undisturbed> {
  const before = await lane.state();
  await lane.warehouse.keep();
  const points: Point[] = [];
  for (const stage of STAGES) {
    await lane.keep(stage);
    const { steps, events } = await lane.run([stage], NOW, WATCHING);
    const ranges = events.filter((event) => event === 'range').length;
    if (lane.isInRanges && ranges < RANGES_AT_LEAST) throw new Error(`${stage} was done in ${ranges} ranges`);
    points.push(...pointsOf(stage, steps));
  }
  return { before, points, after: await lane.state() };
}

/** Ranges are to make no difference. @returns the kinds of steps that it takes without. */
async function sameAtOnce(inRanges: State, atOnce: Lane, { warehouses }: Ground): Promise<ReadonlySet<string>> {
  const { steps } = await atOnce.run(STAGES, NOW, WATCHING);
  deepStrictEqual(inRanges, await atOnce.state(), 'in ranges it ends in another way than at once');
  await discard(warehouses, atOnce.warehouse.client);
  return new Set(steps.map(({ kind }) => kind));
}

/** A warehouse and a lake of which one point at a time is tried. */
class Lane {
  readonly warehouse: Rewindable;
  readonly #scenario: Scenario;
  readonly #urls: Pick<Job, 'sourceUrl' | 'warehouseUrl'>;
  readonly #lake: string;

  private constructor(warehouse: Rewindable, scenario: Scenario, urls: Pick<Job, 'sourceUrl' | 'warehouseUrl'>, lake: string) {
    this.warehouse = warehouse;
    this.#scenario = scenario;
    this.#urls = urls;
    this.#lake = lake;
  }

  static async open(ground: Ground, scenario: Scenario, sourceUrl: string, name: string): Promise<Lane> {
    const { url: warehouseUrl, client } = await openDatabase(ground.warehouses, `warehouse_${name}`);
    return new Lane(new Rewindable(client), scenario, { sourceUrl, warehouseUrl }, join(ground.lakes, name));
  }

  get isInRanges(): boolean {
    return this.#scenario.inRanges;
  }

  job(stages: readonly Stage[], now: string, plan: Plan = null): Job {
    const lake = { directory: join(this.#lake, 'now') };
    const { model, inRanges } = this.#scenario;
    return { ...this.#urls, stages, model, lake, now, whole: false, waitForLoader: null, inRanges, plan };
  }

  /** A run that nothing befalls. */
  async run(stages: readonly Stage[], now: string, plan: Plan = null): Promise<Done> {
    const done = await runJob(this.job(stages, now, plan), () => undefined);
    deepStrictEqual(done.failures, [], 'a run fails that nothing befell');
    return done;
  }

  async state(): Promise<State> {
    return readState(this.warehouse.client, modelNamed(this.#scenario.model));
  }

  async keep(stage: Stage): Promise<void> {
    await copyLake(join(this.#lake, 'now'), join(this.#lake, stage));
  }

  /** Loads what another lane has: by the same log, so that both have the same history. */
  async follow(other: Lane): Promise<void> {
    await copyLake(join(other.#lake, 'now'), join(this.#lake, 'now'));
    // Without a batch it would make the schema all the same, which the other one has not.
    if (this.#scenario.before.length > 0) await this.run(['load'], BEFORE);
    await this.warehouse.keep();
  }

  async keepAs(other: Lane): Promise<void> {
    for (const stage of STAGES) await copyLake(join(other.#lake, stage), join(this.#lake, stage));
  }

  /** To where the stage was about to begin. */
  async rewind(stage: Stage): Promise<void> {
    await this.warehouse.rewind();
    await copyLake(join(this.#lake, stage), join(this.#lake, 'now'));
  }
}
