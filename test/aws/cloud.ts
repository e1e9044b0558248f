import { join } from 'node:path';
import { STAGES, type Stage } from '../../src/shared/report.ts';
import type { Moto } from '../support/moto.ts';
import { temporaryDirectory } from '../support/postgres.ts';
import { testS3Client } from '../support/s3.ts';
import { awsEnvironment } from '../support/secrets.ts';
import { type Answer, type Container, startContainer } from './container.ts';
import { bundleOf, type Deployment } from './deployment.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { Notifications, type Wake } from './triggers.ts';

/** A call of a function and what came of it. */
export interface Called extends Answer {
  readonly stage: Stage;
}

/**
 * The deployed system at work: schedules fire when they are told to, objects wake whom the buckets say, and functions
 * run in containers of their own that reach AWS through the rights of their roles only.
 */
export class Cloud {
  readonly #deployment: Deployment;
  readonly #gateways: Readonly<Record<Stage, Gateway>>;
  readonly #notifications: Notifications;
  readonly #settings: Readonly<Record<string, string>>;
  /** Where containers live. Not a test's own: a bundle reads more of its files whenever it first needs them. */
  readonly #directory: string;
  readonly #containers = new Map<Stage, Container>();
  #started = 0;
  /** All that the functions have written to their logs. */
  readonly log: Answer['log'][number][] = [];
  /** Events that nobody has taken yet. */
  pending: Wake[] = [];

  private constructor(
    deployment: Deployment, gateways: Record<Stage, Gateway>, notifications: Notifications, settings: Readonly<Record<string, string>>,
    directory: string,
  ) {
    this.#settings = settings;
    this.#directory = directory;
    this.#deployment = deployment;
    this.#gateways = gateways;
    this.#notifications = notifications;
  }

  /**
   * To be called before the tests that use it: what it starts lives as long as whoever calls.
   * @param settings of the functions, in place of those that were deployed.
   */
  static async over(moto: Moto, deployment: Deployment, settings: Readonly<Record<string, string>> = {}): Promise<Cloud> {
    const { functions, buckets } = deployment;
    const gateway = async (stage: Stage) => startGateway(moto.endpoint, functions[stage].rights);
    const [ingest, transform, load] = [await gateway('ingest'), await gateway('transform'), await gateway('load')];
    const notifications = await Notifications.of(testS3Client(moto.endpoint), Object.values(buckets));
    return new Cloud(deployment, { ingest, transform, load }, notifications, settings, await temporaryDirectory());
  }

  get gateways(): Readonly<Record<Stage, Gateway>> {
    return this.#gateways;
  }

  get rules(): Notifications['rules'] {
    return this.#notifications.rules;
  }

  /** What a schedule does. */
  async wake(stage: Stage, remaining?: readonly number[]): Promise<Called> {
    return this.call(stage, this.#deployment.functions[stage].schedule.event, remaining);
  }

  async call(stage: Stage, event: unknown, remaining?: readonly number[]): Promise<Called> {
    const container = await this.#container(stage);
    const answer = await container.invoke(event, remaining);
    await this.heard(answer);
    return { stage, ...answer };
  }

  /** What a call in a container of its own has brought about. */
  async heard(answer: Answer): Promise<void> {
    this.log.push(...answer.log);
    this.pending.push(...(await this.#notifications.since()));
  }

  /** Delivers the events that are there, and those that come of it, until there are none. */
  async settle(): Promise<readonly Called[]> {
    const calls: Called[] = [];
    for (let wake = this.pending.shift(); wake; wake = this.pending.shift()) {
      calls.push(await this.call(this.#stageOf(wake.target), wake.event));
    }
    return calls;
  }

  /** Schedule → ingest → … → warehouse. */
  async round(): Promise<readonly Called[]> {
    return [await this.wake('ingest'), ...(await this.settle())];
  }

  /** The sweeps of transform and load, and what they set off. */
  async sweep(): Promise<readonly Called[]> {
    return [await this.wake('transform'), await this.wake('load'), ...(await this.settle())];
  }

  /** The next call starts cold. */
  async freeze(stage: Stage): Promise<void> {
    await this.#containers.get(stage)?.stop();
    this.#containers.delete(stage);
  }

  async stop(): Promise<void> {
    for (const stage of STAGES) {
      await this.freeze(stage);
      await this.#gateways[stage].stop();
    }
  }

  /** As Lambda does: a second container where the first is at work is another machine's. */
  async anotherContainer(stage: Stage): Promise<Container> {
    const { functions } = this.#deployment;
    const environment = { ...functions[stage].environment, ...this.#settings, ...awsEnvironment(this.#gateways[stage]), AWS_LAMBDA_FUNCTION_NAME: functions[stage].name };
    this.#started += 1;
    return startContainer(bundleOf(stage), join(this.#directory, `${stage}-${this.#started}`), environment);
  }

  async #container(stage: Stage): Promise<Container> {
    const warm = this.#containers.get(stage);
    if (warm) return warm;
    const cold = await this.anotherContainer(stage);
    this.#containers.set(stage, cold);
    return cold;
  }

  #stageOf(target: string): Stage {
    const stage = STAGES.find((name) => this.#deployment.functions[name].name === target);
    if (!stage) throw new Error(`no function is called ${target}`);
    return stage;
  }
}
