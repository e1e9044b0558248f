import type { Duplex } from 'node:stream';
import type pg from 'pg';

/**
 * The bytes of a `COPY … TO STDOUT`, to be given to `client.query`. PostgreSQL sends each row as a message, and a driver
 * that makes an object of each, or copies it, takes longer than the kernel to bring it: here the rows move together
 * within the piece that came, over the heads of their messages. Processor time for a first batch of 2,000,000 rows, 203 MB,
 * in s, beside the server's 2.7: with pg-copy-streams 1.34, with this 1.08.
 */
export class CopyOut implements pg.Submittable, AsyncIterable<Uint8Array> {
  /** Known once the query after this one is answered. */
  rowCount = 0;
  readonly #text: string;
  readonly #rows = new Unpacked();
  #stream: Duplex | null = null;
  /** The driver's own: it gets what comes before the rows and behind them. */
  #listeners: readonly Listener[] = [];
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #isDone = false;
  #failure: { readonly error: unknown } | null = null;
  #wake: () => void = () => undefined;

  constructor(text: string) {
    this.#text = text;
  }

  submit(connection: Pick<pg.Connection, 'stream' | 'query'>): void {
    this.#stream = connection.stream;
    this.#listeners = connection.stream.listeners('data').filter(isListener);
    connection.stream.on('data', this.#take);
    for (const listener of this.#listeners) connection.stream.off('data', listener);
    connection.query(this.#text);
  }

  handleCommandComplete({ text = '' }: { readonly text?: string }): void {
    this.rowCount = Number(/^COPY (\d+)$/.exec(text)?.[1] ?? 0);
  }

  handleError(error: unknown): void {
    this.#failure ??= { error };
    this.#giveBack(Buffer.alloc(0));
    this.#wake();
  }

  handleReadyForQuery(): void {
    // The last row has come before.
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      if (this.#failure !== null) throw this.#failure.error;
      const chunks = this.#waiting;
      if (chunks.length === 0 && this.#isDone) return;
      if (chunks.length === 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      [this.#waiting, this.#waitingBytes] = [[], 0];
      this.#stream?.resume();
      yield* chunks;
    }
  }

  readonly #take = (chunk: Buffer): void => {
    const { rows, rest, isDone } = this.#rows.of(chunk);
    if (rows.length > 0) this.#waiting.push(rows);
    this.#waitingBytes += rows.length;
    if (this.#waitingBytes > WAITING_BYTES) this.#stream?.pause();
    this.#isDone = isDone;
    if (rest !== null) this.#giveBack(rest);
    this.#wake();
  };

  #giveBack(rest: Buffer): void {
    const stream = this.#stream;
    if (stream === null) return;
    this.#stream = null;
    for (const listener of this.#listeners) stream.on('data', listener);
    stream.off('data', this.#take);
    if (rest.length > 0) for (const listener of this.#listeners) listener(rest);
    stream.resume();
  }
}

/** The connection is paused while more than this waits to be taken. */
const WAITING_BYTES = 512 * 1024;

type Listener = (...args: unknown[]) => void;

function isListener(listener: unknown): listener is Listener {
  return typeof listener === 'function';
}

/** The protocol's messages, by the letters that they begin with. */
const codeOf = (letter: string): number => letter.charCodeAt(0);
const [COPY_DATA, COPY_DONE] = [codeOf('d'), codeOf('c')];
/** CopyOutResponse, and what a server may say at any time: notices, notifications, settings. */
const PASSED_OVER: ReadonlySet<number> = new Set(['H', 'N', 'A', 'S'].map(codeOf));
/** A letter, and four bytes of length, which they count themselves. */
const HEAD_BYTES = 5;

interface Unpacking {
  readonly rows: Uint8Array;
  /** What is not ours any more, from the first byte of a message on; null while there may be more rows. */
  readonly rest: Buffer | null;
  readonly isDone: boolean;
}

/** The rows in the pieces of a connection's data, which end anywhere. The pieces are written to. */
class Unpacked {
  /** Of the message that goes on in the next piece. */
  #left = 0;
  #isRow = false;
  /** The beginning of a head that goes on in the next piece. */
  #head: Buffer = Buffer.alloc(0);

  of(piece: Buffer): Unpacking {
    const bytes = this.#head.length === 0 ? piece : Buffer.concat([this.#head, piece]);
    this.#head = Buffer.alloc(0);
    let [from, to] = [0, 0];
    while (from < bytes.length) {
      if (this.#left === 0) {
        if (bytes.length - from < HEAD_BYTES) {
          this.#head = bytes.subarray(from);
          break;
        }
        const code = bytes[from] ?? 0;
        if (code === COPY_DONE) return { rows: bytes.subarray(0, to), rest: bytes.subarray(from + HEAD_BYTES), isDone: true };
        this.#isRow = code === COPY_DATA;
        if (!this.#isRow && !PASSED_OVER.has(code)) return { rows: bytes.subarray(0, to), rest: bytes.subarray(from), isDone: false };
        this.#left = bytes.readUInt32BE(from + 1) - (HEAD_BYTES - 1);
        from += HEAD_BYTES;
      }
      const end = Math.min(bytes.length, from + this.#left);
      if (this.#isRow) {
        bytes.copyWithin(to, from, end);
        to += end - from;
      }
      this.#left -= end - from;
      from = end;
    }
    return { rows: bytes.subarray(0, to), rest: null, isDone: false };
  }
}
