import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

import { PipelineError } from '../errors.ts';

/** Resumptions in a row that bring no byte before a download is given up. */
const RESUMPTIONS = 4;
const FIRST_DELAY_MS = 100;

/** Opens the object again from a byte on, the same version of it; fails with a `PipelineError`. */
export type Reopen = (fromByte: number) => Promise<Readable>;

/**
 * The bytes of one object. Where the connection breaks or ends early, the rest is asked for; the stream ends only when
 * as many bytes have come as the object has, and fails otherwise.
 */
export class S3Download extends Readable {
  readonly #key: string;
  readonly #bytes: number;
  readonly #reopen: Reopen;
  #source: Readable;
  #received = 0;
  #fruitless = 0;

  constructor(key: string, bytes: number, source: Readable, reopen: Reopen) {
    super();
    this.#key = key;
    this.#bytes = bytes;
    this.#reopen = reopen;
    this.#source = source;
    this.#follow(source);
  }

  override _read(): void {
    this.#source.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#source.destroy();
    done(error);
  }

  #follow(source: Readable): void {
    this.#source = source;
    let isOver = false;
    const over = (error?: Error): void => {
      if (isOver || this.destroyed) return;
      isOver = true;
      this.#sourceOver(error);
    };
    source.on('data', (chunk: Buffer) => this.#pass(chunk));
    source.once('end', () => over());
    source.on('error', over);
    // A source may close without saying that it failed.
    source.once('close', () => over(new Error('closed early')));
  }

  #pass(chunk: Buffer): void {
    this.#received += chunk.byteLength;
    this.#fruitless = 0;
    if (!this.push(chunk)) this.#source.pause();
  }

  #sourceOver(error?: Error): void {
    if (error === undefined && this.#received === this.#bytes) {
      this.push(null);
    } else if (this.#received >= this.#bytes) {
      // All there and yet an error: the SDK has compared checksums. Asking for the rest would hide that.
      this.#fail('arrived damaged', error);
    } else if (this.#fruitless === RESUMPTIONS) {
      this.#fail('broke off again and again', error);
    } else {
      this.#fruitless += 1;
      void this.#resume();
    }
  }

  async #resume(): Promise<void> {
    try {
      await delay(FIRST_DELAY_MS * 2 ** (this.#fruitless - 1));
      if (this.destroyed) return;
      const source = await this.#reopen(this.#received);
      if (this.destroyed) source.destroy();
      else this.#follow(source);
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error('reopen', { cause: error }));
    }
  }

  #fail(what: string, cause?: Error): void {
    this.destroy(new PipelineError('lake_unavailable', `${this.#key} ${what}`, { key: this.#key }, cause));
  }
}
