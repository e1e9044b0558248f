import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@aws-lambda-powertools/logger';
import type { Context } from 'aws-lambda';
import { PipelineError } from '../errors.ts';
import type { Lake } from '../lake/lake.ts';
import { readState } from '../lake/state.ts';
import type { Report, Stage, StageResult } from '../report.ts';
import { recorded } from '../stage.ts';
import { Alerts } from './alerts.ts';
import { type Deployment, type Need, readDeployment } from './deployment.ts';
import { createLogger, logEvent, logFailure } from './log.ts';
import { cloudWatchClient, type Gauges, Metrics } from './metrics.ts';
import { TimeLeft } from './time-left.ts';
import { readWakeUp } from './wake-up.ts';

/** What a call of a function gives the stage to work with. */
export interface Call {
  readonly report: Report;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  /** Read the source whole. */
  readonly whole: boolean;
}

/** A stage, wired up for a deployment. */
export interface DeployedStage {
  /** The bucket that keeps the stage's state, and which of its failures have been told. */
  readonly lake: Lake;
  readonly work: (call: Call) => Promise<StageResult>;
  /** Measured after every call, a failed one as well. `result` is null for that. */
  readonly measure: (now: Date, result: StageResult | null) => Promise<Gauges>;
}

type Handler = (event: unknown, context: Pick<Context, 'getRemainingTimeInMillis'>) => Promise<StageResult>;

/**
 * The Lambda around a stage: any event wakes it up; it works until nothing is pending or its time is nearly over, tells
 * log, metrics and people, and throws when a batch failed. Nothing is read before the first call.
 */
export function stageHandler(
  stage: Stage,
  needs: readonly Need[],
  wire: (deployment: Deployment) => DeployedStage,
): Handler {
  let deployed: Deployed | undefined;
  return async (event, context) => {
    deployed ??= deploy(stage, needs, wire);
    return new Invocation(stage, deployed, context).run(event);
  };
}

/** What lives as long as the container. */
interface Deployed {
  readonly pipeline: string;
  readonly wired: DeployedStage;
  readonly logger: Logger;
  readonly alerts: Alerts;
}

function deploy(stage: Stage, needs: readonly Need[], wire: (deployment: Deployment) => DeployedStage): Deployed {
  const logger = createLogger(stage, process.env['PIPELINE_NAME'] || 'starling');
  try {
    const deployment = readDeployment(process.env, needs);
    const { pipeline, alertTopicArn: topicArn } = deployment;
    if (topicArn === null) logger.warn('ALERT_TOPIC_ARN is not set: failures are told to nobody but the log');
    const wired = wire(deployment);
    return { pipeline, wired, logger, alerts: new Alerts({ stage, pipeline, topicArn, lake: wired.lake, logger, now }) };
  } catch (error) {
    logFailure(logger, error);
    throw error;
  }
}

function now(): Date {
  return new Date();
}

/** How often, and how long in between, what may help `soon` is tried in one call. */
const TRIES = 3;
const WAIT_MS = 2_000;

class Invocation {
  readonly #stage: Stage;
  readonly #deployed: Deployed;
  readonly #metrics: Metrics;
  readonly #time: TimeLeft;
  #committed = 0;

  constructor(stage: Stage, deployed: Deployed, context: Pick<Context, 'getRemainingTimeInMillis'>) {
    this.#stage = stage;
    this.#deployed = deployed;
    this.#metrics = new Metrics(stage, deployed.pipeline, now);
    this.#time = new TimeLeft(() => context.getRemainingTimeInMillis());
  }

  async run(event: unknown): Promise<StageResult> {
    const { logger, alerts } = this.#deployed;
    const { by, whole, malformed } = readWakeUp(event);
    if (malformed) logger.warn('woken by an event of no known form; it is still a wake-up', { by });
    else logger.info('woken', { by });
    try {
      const result = await this.#work(whole);
      if (this.#time.signal.aborted) logger.info('no time for another batch; the next wake-up goes on');
      await alerts.recovered((batch) => !this.#time.signal.aborted || batch <= result.head);
      await this.#measure(result);
      return result;
    } catch (error) {
      await this.#fail(error);
      throw error;
    }
  }

  async #work(whole: boolean): Promise<StageResult> {
    const { signal } = this.#time;
    const call = { report: this.#report, now, signal, whole };
    const { lake, work } = this.#deployed.wired;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await recorded(this.#stage, lake, now, () => work(call));
      } catch (error) {
        const waitMs = WAIT_MS * attempt;
        const isWorthIt = error instanceof PipelineError && error.retry === 'soon' && attempt < TRIES;
        if (!isWorthIt || !this.#time.allows(waitMs)) throw error;
        this.#deployed.logger.warn(error.message, { kind: error.kind, attempt });
        await delay(waitMs);
      }
    }
  }

  readonly #report: Report = (event) => {
    logEvent(this.#deployed.logger, event);
    this.#metrics.event(event);
    if (event.event !== 'batch' && event.event !== 'lost') return;
    this.#committed = Math.max(this.#committed, event.batch ?? 0);
    this.#time.check(event.seconds ?? 0);
  };

  async #fail(error: unknown): Promise<void> {
    const { logger, alerts } = this.#deployed;
    const batch = await this.#batchOf(error);
    logFailure(logger, error, batch);
    await alerts.recovered((earlier) => earlier <= this.#committed);
    await alerts.failed(batch, error);
    await this.#measure(null);
  }

  /** The batch that an error names, or else the one that would have been next. */
  async #batchOf(failure: unknown): Promise<number> {
    const named = failure instanceof PipelineError ? failure.context.batch : undefined;
    if (named !== undefined) return named;
    const state = await readState(this.#deployed.wired.lake, this.#stage).catch(() => null);
    return Math.max(this.#committed, state?.batch ?? 0) + 1;
  }

  /** What cannot be measured is missing, which the alarm on freshness takes for the worst. */
  async #measure(result: StageResult | null): Promise<void> {
    try {
      this.#metrics.gauges(await this.#deployed.wired.measure(now(), result));
    } catch (error) {
      this.#deployed.logger.warn('not measured', { kind: error instanceof PipelineError ? error.kind : 'bug' });
    }
    try {
      await this.#metrics.send((metricsClient ??= cloudWatchClient()));
    } catch (error) {
      this.#deployed.logger.warn('metrics were not sent', { reason: error instanceof Error ? error.name : 'unknown' });
    }
  }
}

let metricsClient: ReturnType<typeof cloudWatchClient> | undefined;
