import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@aws-lambda-powertools/logger';
import type { Context, SQSBatchResponse } from 'aws-lambda';
import * as v from 'valibot';
import { RangeQueue } from '../aws/range-queue.ts';
import { PipelineError } from '../errors.ts';
import type { Lake } from '../lake/lake.ts';
import type { RangeOutcome, RangeRef, Splitting } from '../lake/split.ts';
import { readState } from '../lake/state.ts';
import type { Report, Stage, StageResult } from '../report.ts';
import { topicArn as topicArnSchema } from '../settings.ts';
import { recorded } from '../stage.ts';
import { Alerts, type AlertsOptions } from './alerts.ts';
import { type Deployment, type Need, readDeployment } from './deployment.ts';
import { createLogger, logEvent, logFailure } from './log.ts';
import { type Gauges, Metrics } from './metrics.ts';
import { type RangeMessage, readRangeMessages } from './range-messages.ts';
import { RangeWorker } from './range-worker.ts';
import { TimeLeft } from './time-left.ts';
import { readWakeUp } from './wake-up.ts';

/** What a call of a function gives the stage to work with. */
export interface Call {
  readonly report: Report;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  /** Whether most of its time is left, for what may take all of it. */
  readonly isEarly: () => boolean;
  /** Read the source whole. */
  readonly whole: boolean;
  /** Where the deployment has workers for the ranges of large batches. */
  readonly split?: Splitting;
}

/** A stage, wired up for a deployment. */
export interface WiredStage {
  /** The bucket that keeps the stage's state, and which of its failures have been told. */
  readonly lake: Lake;
  readonly work: (call: Call) => Promise<StageResult>;
  /** Does a range of a batch that was split, and commits the batch if it was the last one. */
  readonly workRange: (call: Call, ref: RangeRef) => Promise<RangeOutcome>;
  /** Measured after every call, a failed one as well. `result` is null for that. */
  readonly measure: (now: Date, result: StageResult | null) => Promise<Gauges>;
}

type Wire = (deployment: Deployment) => WiredStage;
type Handler = (
  event: unknown, context: Pick<Context, 'getRemainingTimeInMillis'>,
) => Promise<StageResult | SQSBatchResponse>;

/**
 * The Lambda around a stage: any event wakes it up; it works until nothing is pending or its time is nearly over, tells
 * log, metrics and people, and throws when a batch failed. Only the events of its queue are more than a wake-up: they
 * bring ranges. Nothing is read before the first call.
 */
export function stageHandler(stage: Stage, needs: readonly Need[], wire: Wire): Handler {
  let container: Container | undefined;
  let alertsOfMisconfigured: Alerts | undefined;
  return async (event, context) => {
    try {
      container ??= startContainer(stage, needs, wire);
    } catch (error) {
      const known = whatIsKnown(stage);
      logFailure(known.logger, error);
      alertsOfMisconfigured ??= new Alerts(known);
      await alertsOfMisconfigured.failed(0, error);
      throw error;
    }
    return new Invocation(stage, container, context).run(event);
  };
}

/** What lives as long as the container. */
interface Container {
  readonly pipeline: string;
  readonly wired: WiredStage;
  readonly logger: Logger;
  readonly alerts: Alerts;
  readonly queue: RangeQueue | null;
  readonly split: Splitting | null;
}

/** So that a batch that is done in ranges has at least as many as are worth the plan and the marks. */
const THRESHOLD_RANGES = 4;

function startContainer(stage: Stage, needs: readonly Need[], wire: Wire): Container {
  const deployment = readDeployment(process.env, needs);
  const { pipeline, alertTopicArn: topicArn, ranges } = deployment;
  const logger = createLogger(stage, pipeline);
  if (topicArn === null) logger.warn('ALERT_TOPIC_ARN is not set: failures are told to nobody but the log');
  const wired = wire(deployment);
  const alerts = new Alerts({ stage, pipeline, topicArn, lake: wired.lake, logger, now });
  const queue = ranges && new RangeQueue(ranges.queueUrl);
  return { pipeline, wired, logger, alerts, queue, split: queue && ranges && splittingBy(queue, ranges.rangeBytes) };
}

function splittingBy({ send, isBusy }: RangeQueue, rangeBytes: number): Splitting {
  return { thresholdBytes: THRESHOLD_RANGES * rangeBytes, rangeBytes, send, isBusy };
}

/** What can be known where the configuration as a whole does not do. */
function whatIsKnown(stage: Stage): AlertsOptions {
  const pipeline = process.env['PIPELINE_NAME'] || 'starling';
  const topic = process.env['ALERT_TOPIC_ARN'];
  const topicArn = v.is(topicArnSchema, topic) ? topic : null;
  return { stage, pipeline, topicArn, lake: null, logger: createLogger(stage, pipeline), now };
}

function now(): Date {
  return new Date();
}

/** How often, and how long in between, what may help `soon` is tried in one call. */
const TRIES = 3;
const WAIT_MS = 2_000;

/** How long the last batch is looked up for an alert. */
const LOOK_MS = 5_000;

class Invocation {
  readonly #stage: Stage;
  readonly #container: Container;
  readonly #metrics: Metrics;
  readonly #time: TimeLeft;
  #committed = 0;

  constructor(stage: Stage, container: Container, context: Pick<Context, 'getRemainingTimeInMillis'>) {
    this.#stage = stage;
    this.#container = container;
    this.#metrics = new Metrics(stage, container.pipeline, now);
    this.#time = new TimeLeft(() => context.getRemainingTimeInMillis());
  }

  async run(event: unknown): Promise<StageResult | SQSBatchResponse> {
    const messages = readRangeMessages(event);
    return messages === null ? this.#look(event) : this.#workRanges(messages);
  }

  async #look(event: unknown): Promise<StageResult> {
    const { logger, alerts } = this.#container;
    const { by, whole, malformed } = readWakeUp(event);
    if (malformed) logger.warn('woken by an event of no known form; it is still a wake-up', { by });
    else logger.info('woken', { by });
    try {
      const result = await this.#work(whole);
      if (!result.isUpToDate) logger.info('something is left to do; the next wake-up goes on');
      await alerts.recovered((batch) => result.isUpToDate || batch <= result.head);
      await this.#measure(result);
      return result;
    } catch (error) {
      await this.#fail(error);
      throw error;
    }
  }

  async #work(whole: boolean): Promise<StageResult> {
    const { lake, work } = this.#container.wired;
    return this.#tried(async () => recorded(this.#stage, lake, now, () => work(this.#call(whole))));
  }

  async #workRanges(messages: readonly RangeMessage[]): Promise<SQSBatchResponse> {
    const { logger, alerts, queue, wired } = this.#container;
    logger.info('woken', { by: 'sqs', ranges: messages.length });
    const work = async (ref: RangeRef): Promise<RangeOutcome> => this.#tried(() => wired.workRange(this.#call(false), ref));
    const answer = await new RangeWorker({ work, time: this.#time, queue, alerts, logger }).work(messages);
    await this.#sendMetrics();
    return answer;
  }

  #call(whole: boolean): Call {
    const { split } = this.#container;
    const isEarly = (): boolean => this.#time.isEarly;
    return { report: this.#report, now, signal: this.#time.signal, isEarly, whole, ...(split ? { split } : {}) };
  }

  async #tried<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const startedMs = performance.now();
      try {
        return await work();
      } catch (error) {
        this.#metrics.forgetAttempt();
        this.#time.check((performance.now() - startedMs) / 1000);
        const waitMs = WAIT_MS * attempt;
        const isWorthIt = error instanceof PipelineError && error.retry === 'soon' && attempt < TRIES;
        if (!isWorthIt || !this.#time.allows(waitMs)) throw error;
        this.#container.logger.warn(error.message, { kind: error.kind, attempt });
        await delay(waitMs);
      }
    }
  }

  readonly #report: Report = (event) => {
    logEvent(this.#container.logger, event);
    this.#metrics.event(event);
    if (event.event !== 'batch' && event.event !== 'lost') return;
    this.#committed = Math.max(this.#committed, event.batch ?? 0);
    this.#time.check(event.seconds ?? 0);
  };

  async #fail(error: unknown): Promise<void> {
    const { logger, alerts } = this.#container;
    const batch = await this.#batchOf(error);
    logFailure(logger, error, batch);
    await alerts.failed(batch, error);
    await alerts.recovered((earlier) => earlier <= this.#committed);
    await this.#measure(null);
  }

  /** The batch that an error names, or else the one that would have been next. */
  async #batchOf(failure: unknown): Promise<number> {
    const named = failure instanceof PipelineError ? failure.context.batch : undefined;
    if (named !== undefined) return named;
    const looking = readState(this.#container.wired.lake, this.#stage).catch(() => null);
    // A lake that hangs must not keep the alert from being sent.
    const state = await Promise.race([looking, delay(LOOK_MS, null, { ref: false })]);
    return Math.max(this.#committed, state?.batch ?? 0) + 1;
  }

  /** What cannot be measured is missing, which the alarm on freshness takes for the worst. */
  async #measure(result: StageResult | null): Promise<void> {
    try {
      this.#metrics.gauges(await this.#container.wired.measure(now(), result));
    } catch (error) {
      this.#container.logger.warn('not measured', { kind: error instanceof PipelineError ? error.kind : 'bug' });
    }
    await this.#sendMetrics();
  }

  async #sendMetrics(): Promise<void> {
    try {
      await this.#metrics.send();
    } catch (error) {
      this.#container.logger.warn('metrics were not sent', { reason: error instanceof Error ? error.name : 'unknown' });
    }
  }
}
