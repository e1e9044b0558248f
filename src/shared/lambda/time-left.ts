/** What reporting, metrics and alerts take at the end of a call, with room to spare. */
const RESERVE_MS = 10_000;

/**
 * Tells when a call should begin nothing more: when what is left of its time may not do for another batch like the
 * longest so far.
 */
export class TimeLeft {
  readonly #remainingMs: () => number;
  readonly #controller = new AbortController();
  #longestMs = 0;

  constructor(remainingMs: () => number) {
    this.#remainingMs = remainingMs;
    this.check();
  }

  /** Aborted when no other batch should be begun. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** To be called when a batch is done, with the time that it took. */
  check(seconds = 0): void {
    this.#longestMs = Math.max(this.#longestMs, seconds * 1000);
    if (this.#remainingMs() < RESERVE_MS + 2 * this.#longestMs) this.#controller.abort();
  }

  /** Whether there is time to wait for so long and then try again what took no longer than a batch. */
  allows(waitMs: number): boolean {
    return this.#remainingMs() > RESERVE_MS + waitMs + this.#longestMs;
  }
}
