/** What reporting, metrics and alerts take at the end of a call, with room to spare. */
const RESERVE_MS = 10_000;

/** So that working off a backlog of small batches is not taken for a batch that is nearly too large: that alarm is at 80 %. */
const RESERVE_SHARE = 0.25;

const EARLY_SHARE = 0.75;

/**
 * Tells when a call should begin nothing more: when what is left of its time may not do for another batch like the
 * longest so far, or is the last quarter.
 */
export class TimeLeft {
  readonly #remainingMs: () => number;
  readonly #controller = new AbortController();
  readonly #reserveMs: number;
  readonly #atStartMs: number;
  #longestMs = 0;

  constructor(remainingMs: () => number) {
    this.#remainingMs = remainingMs;
    const atStartMs = remainingMs();
    this.#atStartMs = atStartMs;
    this.#reserveMs = RESERVE_SHARE * atStartMs;
    if (atStartMs < RESERVE_MS) this.#controller.abort();
  }

  /** Aborted when no other batch should be begun. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Until the call is ended. */
  get seconds(): number {
    return this.#remainingMs() / 1000;
  }

  /** Whether little of it is used: another call would not have much more for what nobody knows how long it takes. */
  get isEarly(): boolean {
    return this.#remainingMs() >= EARLY_SHARE * this.#atStartMs;
  }

  /** To be called when a batch is done, or an attempt has failed, with the time that it took. */
  check(seconds: number): void {
    this.#longestMs = Math.max(this.#longestMs, seconds * 1000);
    const neededMs = Math.max(this.#reserveMs, RESERVE_MS + 2 * this.#longestMs);
    if (this.#remainingMs() < neededMs) this.#controller.abort();
  }

  /** Whether there is time to wait for so long and then try again what took no longer than a batch. */
  allows(waitMs: number): boolean {
    return this.#remainingMs() > RESERVE_MS + waitMs + this.#longestMs;
  }
}
