import { setTimeout as sleep } from 'node:timers/promises';
import type { RangeRef } from '../../shared/lake/split.ts';
import type { Stage } from '../../shared/report.ts';
import { type Ended, Hand, type HandOptions } from './hand.ts';
import { errorOf } from './messages.ts';

export interface CrewOptions extends HandOptions {
  readonly workers: number;
  /** Told of each worker process. */
  readonly started: (pid: number | undefined) => void;
  /** When aborted, no range is handed out any more, and those in hand are waited for. */
  readonly signal: AbortSignal;
}

/** How often a range is handed out. What kills a worker each time would kill them all. */
const TRIES = 3;

/** Before what failed is tried again, times the failures so far. */
const WAIT_MS = 1_000;

interface Waiting {
  readonly ref: RangeRef;
  readonly failures: number;
}

/** Not its range failed: the process is gone, killed for the memory that it took perhaps. */
export class WorkerLost extends Error {}

/** Worker processes that do the ranges of a batch. One that dies is replaced, and its range handed out again. */
export class Crew {
  readonly #options: CrewOptions;
  readonly #hands: Hand[] = [];

  constructor(options: CrewOptions) {
    this.#options = options;
  }

  /** @throws the error of a range that failed too often; the ranges in hand are done before. */
  async do(stage: Stage, refs: readonly RangeRef[]): Promise<void> {
    const queue = refs.map((ref): Waiting => ({ ref, failures: 0 }));
    const hopeless: Error[] = [];
    const lanes = Array.from({ length: Math.min(this.#options.workers, queue.length) }, async (_, lane) => {
      while (hopeless.length === 0 && !this.#options.signal.aborted) {
        const next = queue.shift();
        if (!next) return;
        const error = await this.#try(lane, stage, next);
        if (error === null) continue;
        if (next.failures + 1 >= TRIES) hopeless.push(error);
        else queue.push({ ref: next.ref, failures: next.failures + 1 });
      }
    });
    await Promise.all(lanes);
    const [error] = hopeless;
    if (error) throw error;
  }

  async close(): Promise<void> {
    await Promise.all(this.#hands.map(async (hand) => hand.close()));
  }

  async #try(lane: number, stage: Stage, { ref, failures }: Waiting): Promise<Error | null> {
    const { report, signal } = this.#options;
    const ended = await this.#handFor(lane).do({ stage, ref });
    if (ended.answer === 'done') return null;
    const error = told(ended, ref);
    report({ event: 'warning', stage, batch: ref.batch, message: `range ${ref.range}: ${error.message}` });
    if (ended.answer === 'failed') await sleep(WAIT_MS * (failures + 1), undefined, { signal }).catch(() => undefined);
    return error;
  }

  #handFor(lane: number): Hand {
    const known = this.#hands[lane];
    if (known && !known.isLost) return known;
    const hand = new Hand(this.#options);
    this.#options.started(hand.pid);
    this.#hands[lane] = hand;
    return hand;
  }
}

function told(ended: Exclude<Ended, { readonly answer: 'done' }>, { batch, range }: RangeRef): Error {
  if (ended.answer === 'failed') return errorOf(ended);
  return new WorkerLost(`the worker of range ${range} of batch ${batch} is gone: ${ended.how}`);
}
