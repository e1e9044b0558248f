import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorKind, PipelineError } from '../../shared/errors.ts';
import type { Stage, StageResult } from '../../shared/report.ts';

/** Between looks at a batch that is in others' hands: 17 minutes in all, where `starling load` waits for 15. */
const WAITS_MS: readonly number[] = Array.from({ length: 10 }, (_, look) => 1_000 * 2 ** look);

const KINDS: Readonly<Record<Stage, ErrorKind>> = { ingest: 'lake_unavailable', transform: 'lake_unavailable', load: 'warehouse_locked' };

/** Those who are at a batch of which nothing is left to hand out, in other processes: a function that loads it, for one. */
export class Others {
  readonly #signal: AbortSignal;
  readonly #waitsMs: readonly number[];
  #head = -1;
  #looks = 0;

  constructor(signal: AbortSignal, waitsMs: readonly number[] = WAITS_MS) {
    this.#signal = signal;
    this.#waitsMs = waitsMs;
  }

  /**
   * Waits before the next look, longer with each that finds the batch as it was.
   * @throws PipelineError when that has been so for too long.
   */
  async wait({ stage, head }: Pick<StageResult, 'stage' | 'head'>): Promise<void> {
    if (head !== this.#head) [this.#head, this.#looks] = [head, 0];
    const waitMs = this.#waitsMs[this.#looks];
    if (waitMs === undefined) {
      throw new PipelineError(KINDS[stage], `others have been at batch ${head + 1} all the time`, { stage, batch: head + 1 });
    }
    this.#looks += 1;
    await sleep(waitMs, undefined, { signal: this.#signal }).catch(() => undefined);
  }
}
