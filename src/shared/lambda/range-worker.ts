import type { Logger } from '@aws-lambda-powertools/logger';
import type { SQSBatchResponse } from 'aws-lambda';
import type { RangeQueue } from '../aws/range-queue.ts';
import { PipelineError } from '../errors.ts';
import type { RangeOutcome, RangeRef } from '../lake/split.ts';
import type { Alerts } from './alerts.ts';
import { logFailure } from './log.ts';
import type { RangeMessage } from './range-messages.ts';
import type { TimeLeft } from './time-left.ts';

/**
 * When a range that failed is tried again: as often as transform and load are swept. With five deliveries, what goes by
 * within twenty minutes (a deploy, a failover) brings no message to the dead letters.
 */
const AGAIN_AFTER_SECONDS = 300;

/** For Lambda to end a call that is over its time, before another one takes its range. */
const MARGIN_SECONDS = 30;

export interface RangeWorkerOptions {
  readonly work: (ref: RangeRef) => Promise<RangeOutcome>;
  readonly time: TimeLeft;
  /** Null where the function was not told of it. */
  readonly queue: Pick<RangeQueue, 'hide'> | null;
  readonly alerts: Pick<Alerts, 'failed' | 'recovered'>;
  readonly logger: Logger;
}

/**
 * Works the ranges that a queue brings, one after the other. What it does not report as failed Lambda deletes; the others
 * come back, and after some deliveries go to the dead letters. Whatever gets lost is sent again by a later look.
 */
export class RangeWorker {
  readonly #options: RangeWorkerOptions;

  constructor(options: RangeWorkerOptions) {
    this.#options = options;
  }

  async work(messages: readonly RangeMessage[]): Promise<SQSBatchResponse> {
    const batchItemFailures: { itemIdentifier: string }[] = [];
    for (const message of messages) {
      if (!(await this.#isDone(message))) batchItemFailures.push({ itemIdentifier: message.id });
    }
    return { batchItemFailures };
  }

  async #isDone({ id, receipt, ref }: RangeMessage): Promise<boolean> {
    const { logger, time } = this.#options;
    if (ref === null) {
      logger.error('a message is no range; it goes to the dead letters', { kind: 'bug', message_id: id });
      return this.#comesBack(receipt, 0);
    }
    if (time.signal.aborted) {
      logger.info('too little time is left for a range; its message comes back', { ...ref });
      return this.#comesBack(receipt, 0);
    }
    // Should this call be killed, the range need not wait for as long as the queue hides a message.
    await this.#hide(receipt, time.seconds + MARGIN_SECONDS);
    try {
      await this.#do(ref);
      return true;
    } catch (error) {
      await this.#fail(ref, error);
      return this.#comesBack(receipt, AGAIN_AFTER_SECONDS);
    }
  }

  async #do(ref: RangeRef): Promise<void> {
    const { work, time, logger, alerts } = this.#options;
    const startedMs = performance.now();
    const outcome = await work(ref);
    const seconds = (performance.now() - startedMs) / 1000;
    time.check(seconds);
    logger.info(`range ${outcome}`, { outcome, seconds, ...ref });
    if (outcome === 'committed') await alerts.recovered((batch) => batch <= ref.batch);
  }

  async #fail(ref: RangeRef, error: unknown): Promise<void> {
    const batch = (error instanceof PipelineError ? error.context.batch : undefined) ?? ref.batch;
    logFailure(this.#options.logger, error, batch);
    this.#options.logger.warn('range failed; it comes back', { ...ref });
    await this.#options.alerts.failed(batch, error);
  }

  async #comesBack(receipt: string, seconds: number): Promise<false> {
    await this.#hide(receipt, seconds);
    return false;
  }

  /** Only saves time: without it a message comes back when the queue's own time is over. */
  async #hide(receipt: string, seconds: number): Promise<void> {
    const { queue, logger } = this.#options;
    await queue?.hide(receipt, seconds).catch((error: unknown) => {
      logger.warn('a message comes back later than it should', { reason: error instanceof Error ? error.message : 'unknown' });
    });
  }
}
