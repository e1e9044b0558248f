import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../src/local/totesys/random.ts';
import { type Stage, STAGES } from '../../src/shared/report.ts';
import type { Done, Job, ModelName } from './job.ts';
import { FAULTS } from './steps.ts';
import { Worker } from './workers.ts';

/** What has happened to a crew. */
export interface Told {
  /** How many times a stage has been run. */
  readonly runs: number;
  /** How many ranges have been done by whoever was not killed. */
  readonly ranges: number;
  readonly kills: number;
  readonly faults: number;
  /** What was thrown that is no `PipelineError`. */
  readonly bugs: readonly string[];
}

const NOTHING: Told = { runs: 0, ranges: 0, kills: 0, faults: 0, bugs: [] };

const WORKERS_A_STAGE = 3;

/** What the members of a crew work on; what is left out they add themselves. */
export type Place = Pick<Job, 'sourceUrl' | 'warehouseUrl' | 'lake'>;

/** As a Lambda's, though no Lambda is as impatient. */
const WAIT = '100ms';

/** Faults befall one step in so many. */
const FAULT_CHANCE = 0.006;

/** The whole of the source is read again by one ingest in so many. */
const WHOLE_CHANCE = 0.05;

/**
 * Transform and load do batches in ranges at so many of their looks. Ingest does not: a range leaves out rows that have
 * changed since its plan was made, so that no snapshot says what is in the batch, as the oracle needs it to.
 */
const RANGES_CHANCE = 0.4;

/** One worker of a stage. A wake-up while it works is one more look afterwards, however many there are. */
class Member {
  readonly stage: Stage;
  readonly #program: string;
  #worker: Worker;
  model: ModelName = 'market';
  #isAwake = false;
  busy: Promise<void> | null = null;

  constructor(stage: Stage, program: string) {
    this.stage = stage;
    this.#program = program;
    this.#worker = new Worker(program);
  }

  get worker(): Worker {
    return this.#worker;
  }

  /** @param done is told of each job that was not killed. */
  wake(job: () => Job, done: (member: Member, outcome: Done | 'killed') => void): void {
    this.#isAwake = true;
    this.busy ??= this.#work(job, done).finally(() => {
      this.busy = null;
    });
  }

  async #work(job: () => Job, done: (member: Member, outcome: Done | 'killed') => void): Promise<void> {
    while (this.#isAwake) {
      this.#isAwake = false;
      const outcome = await this.run(job());
      done(this, outcome);
    }
  }

  async run(job: Job): Promise<Done | 'killed'> {
    const outcome = await this.#worker.run(job);
    if (outcome === 'killed') this.#worker = new Worker(this.#program);
    return outcome;
  }
}

/** Three processes a stage, that live on from seed to seed. */
export class Crew {
  readonly #members: readonly Member[];
  #told: Told = NOTHING;

  constructor(program: string) {
    this.#members = STAGES.flatMap((stage) => Array.from({ length: WORKERS_A_STAGE }, () => new Member(stage, program)));
  }

  /** What has happened since this was last asked. */
  told(): Told {
    const told = this.#told;
    this.#told = NOTHING;
    return told;
  }

  deploy(model: ModelName, to: (member: number) => boolean = () => true): void {
    for (const [at, member] of this.#members.entries()) if (to(at)) member.model = model;
  }

  get size(): number {
    return this.#members.length;
  }

  /** Wakes somebody up, or everybody: an event, or a sweep. */
  wake(place: Place, random: Random, stage: Stage | null): void {
    const chosen = stage === null ? this.#members : [random.pick(this.#members.filter((member) => member.stage === stage))];
    for (const member of chosen) {
      member.wake(() => this.#jobOf(member, place, random), (_, outcome) => this.#hear(member, place, random, outcome));
    }
  }

  /** Something happens to somebody that no step of theirs is the cause of. */
  async strike(random: Random): Promise<void> {
    const { worker } = random.pick(this.#members.filter(({ busy }) => busy !== null).concat(this.#members));
    if (random.chance(0.3)) return worker.kill();
    worker.pause();
    await sleep(random.int(20, 400));
    worker.resume();
  }

  /** Until nobody is at work. */
  async idle(): Promise<void> {
    for (const member of this.#members) await member.busy;
  }

  /** One look by each stage, that nothing befalls. */
  async calmly(place: Place, model: ModelName = 'market'): Promise<readonly Done[]> {
    const outcomes: Done[] = [];
    for (const stage of STAGES) {
      const member = this.#members.find((candidate) => candidate.stage === stage);
      const outcome = await member?.run({ ...place, stages: [stage], model, now: null, whole: false, waitForLoader: WAIT, inRanges: false, plan: null });
      this.#note(outcome ?? 'killed');
      if (outcome !== undefined && outcome !== 'killed') outcomes.push(outcome);
    }
    return outcomes;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map(async ({ worker }) => worker.kill()));
  }

  #jobOf(member: Member, place: Place, random: Random): Job {
    const { stage, model } = member;
    const plan = { seed: String(random.unit()), chance: FAULT_CHANCE, faults: FAULTS };
    const whole = stage === 'ingest' && random.chance(WHOLE_CHANCE);
    const inRanges = stage !== 'ingest' && random.chance(RANGES_CHANCE);
    return { ...place, stages: [stage], model, now: null, whole, waitForLoader: WAIT, inRanges, plan };
  }

  /** Who commits a batch wakes the next stage: sometimes nobody hears of it, and sometimes two do. */
  #hear(member: Member, place: Place, random: Random, outcome: Done | 'killed'): void {
    this.#note(outcome);
    if (outcome === 'killed') return;
    const next = STAGES[STAGES.indexOf(member.stage) + 1];
    if (outcome.batches === 0 || next === undefined) return;
    for (let left = random.weighted([[0, 3], [1, 5], [2, 2]]); left > 0; left -= 1) this.wake(place, random, next);
  }

  #note(outcome: Done | 'killed'): void {
    const { runs, ranges, kills, faults, bugs } = this.#told;
    const isKilled = outcome === 'killed';
    const thrown = isKilled ? [] : outcome.failures.filter(({ kind }) => kind === 'bug').map(({ message }) => message);
    this.#told = {
      runs: runs + 1,
      ranges: ranges + (isKilled ? 0 : outcome.events.filter((event) => event === 'range').length),
      kills: kills + (isKilled ? 1 : 0),
      faults: faults + (isKilled ? 0 : outcome.faults),
      bugs: [...bugs, ...thrown],
    };
  }
}
