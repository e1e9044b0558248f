import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DirectoryLake } from '../../src/local/directory-lake.ts';
import { PipelineError } from '../../src/shared/errors.ts';
import { Alerts } from '../../src/shared/lambda/alerts.ts';
import { createLogger } from '../../src/shared/lambda/log.ts';
import { afterwards, temporaryDirectory } from '../support/postgres.ts';
import { LakeSeam } from './lake-seam.ts';
import { FAULTS, type Plan, Seam, type Step } from './steps.ts';
import { startTopic, type Topic } from './topic.ts';

const MINUTE_MS = 60_000;
const DENIED = new PipelineError('warehouse_denied', 'warehouse: no');

/** Sweeps, in minutes after the one that a fault befalls. The third is behind the time that a claim lasts. */
const SWEEPS = [5, 10, 20, 25];

beforeEach(() => {
  for (const method of ['info', 'warn', 'error', 'debug'] as const) vi.spyOn(console, method).mockImplementation(() => undefined);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** A deployment's alerts: a lake that remembers, a topic that counts, a clock that is set. */
class Scene {
  readonly lake: DirectoryLake;
  readonly topic: Topic;
  minutes = 0;

  constructor(lake: DirectoryLake, topic: Topic) {
    this.lake = lake;
    this.topic = topic;
  }

  static async open(): Promise<Scene> {
    const topic = await startTopic(new Seam(null, () => undefined));
    afterwards(topic.stop);
    const environment = { AWS_ENDPOINT_URL_SNS: topic.endpoint, AWS_REGION: 'eu-west-2', AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', POWERTOOLS_DEV: 'true' };
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    return new Scene(new DirectoryLake(await temporaryDirectory()), topic);
  }

  /** What a container does of alerts, with a seam; over when it is done, or has been killed. */
  async container(plan: Plan, work: (alerts: Alerts) => Promise<void>): Promise<readonly Step[]> {
    const killed = new AbortController();
    const seam = new Seam(plan, () => killed.abort());
    this.topic.seam = seam;
    const lake = new LakeSeam(this.lake, 'processed', seam);
    const now = () => new Date(Date.UTC(2031, 2, 3) + this.minutes * MINUTE_MS);
    const options = { stage: 'load', pipeline: 'starling', topicArn: 'arn:aws:sns:eu-west-2:123456789012:alerts', lake, now } as const;
    // Heard from now on: the first step may be the last.
    const isKilled = once(killed.signal, 'abort');
    await Promise.race([work(new Alerts({ ...options, logger: createLogger('load', 'starling') })), isKilled]);
    return seam.steps;
  }

  /** The sweeps that follow, each by a container of its own. */
  async sweeps(work: (alerts: Alerts) => Promise<void>): Promise<void> {
    const from = this.minutes;
    for (const after of SWEEPS) {
      this.minutes = from + after;
      await this.container(null, work);
    }
  }

  heard(what: 'failed' | 'recovered'): number {
    return this.topic.messages.filter((message) => message.includes(what)).length;
  }

  async marks(): Promise<readonly string[]> {
    const keys: string[] = [];
    for await (const key of this.lake.list('state/alerts/')) keys.push(key);
    return keys;
  }
}

const fail = async (alerts: Alerts): Promise<void> => alerts.failed(42, DENIED);
const recover = async (alerts: Alerts): Promise<void> => alerts.recovered(() => true);

/** Every step that `work` takes, with every fault. */
async function pointsOf(prepare: (scene: Scene) => Promise<void>, work: (alerts: Alerts) => Promise<void>) {
  const scene = await Scene.open();
  await prepare(scene);
  const seen = await scene.container({ seed: '', chance: 0, faults: [] }, work);
  const times = new Map<string, number>();
  return seen.flatMap(({ name }) => {
    const nth = (times.get(name) ?? 0) + 1;
    times.set(name, nth);
    return FAULTS.map((fault) => ({ at: name, nth, fault }));
  });
}

/** How often what is told was told, by the point at which a fault befell the first who told it. */
async function toldAt(
  what: 'failed' | 'recovered',
  prepare: (scene: Scene) => Promise<void>,
  work: (alerts: Alerts) => Promise<void>,
): Promise<Heard> {
  const told = new Map<string, number>();
  const left: string[] = [];
  for (const plan of await pointsOf(prepare, work)) {
    const scene = await Scene.open();
    await prepare(scene);
    await scene.container(plan, work);
    await scene.sweeps(work);
    told.set(`${plan.fault} at ${plan.at} (${plan.nth})`, scene.heard(what));
    left.push(...(await scene.marks()));
  }
  return { told, left };
}

interface Heard {
  readonly told: ReadonlyMap<string, number>;
  /** The marks that are there in the end. */
  readonly left: readonly string[];
}

/** Where it was published and the mark does not say so: nobody can know, and to tell it twice is better than never. */
const BETWEEN = [
  'killed after at topic: publish (1)',
  'answer lost at topic: publish (1)',
  'killed before at processed: replace state/alerts (1)',
  'error at processed: replace state/alerts (1)',
  'reset at processed: replace state/alerts (1)',
];

/** Where the lake refuses to remember, it is told at once, and again by whoever finds that the lake remembers nothing. */
const NO_MARK = [
  'error at processed: putIfAbsent state/alerts (1)',
  'reset at processed: putIfAbsent state/alerts (1)',
  'answer lost at processed: putIfAbsent state/alerts (1)',
];

/** Once at each point, but for these. */
function onceBut(told: ReadonlyMap<string, number>, twice: readonly string[]): ReadonlyMap<string, number> {
  return new Map([...told.keys()].map((point) => [point, twice.includes(point) ? 2 : 1]));
}

describe('an alert, whatever befalls the first who tells it', () => {
  test('is told, and twice only where nobody can know that it was', async () => {
    const { told } = await toldAt('failed', async () => undefined, fail);
    expect(told).toEqual(onceBut(told, [...NO_MARK, ...BETWEEN]));
    expect([...told.values()].filter((times) => times === 2)).toHaveLength(NO_MARK.length + BETWEEN.length);
  }, 120_000);

  test('of a recovery is told as well, and all marks are gone in the end', async () => {
    const { told, left } = await toldAt('recovered', async (scene) => void (await scene.container(null, fail)), recover);
    expect(told).toEqual(onceBut(told, BETWEEN));
    expect([...told.values()].filter((times) => times === 2)).toHaveLength(BETWEEN.length);
    expect(left).toEqual([]);
  }, 120_000);
});
