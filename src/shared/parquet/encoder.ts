import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { FilledColumn } from './arrow.ts';

export interface Order {
  readonly id: number;
  readonly columns: readonly FilledColumn[];
}

export type Encoded =
  | { readonly id: number; readonly bytes: Uint8Array }
  | { readonly id: number; readonly error: unknown };

interface Waiting {
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/** Built beside each bundle that encodes; where it is not, as in tests of the sources, the caller's thread does it. */
const WORKER = fileURLToPath(new URL('./parquet-worker.mjs', import.meta.url));

let canHelp: boolean | undefined;
let helper: EncodingThread | null = null;

/** Starts it, so that it is ready when it is needed: that takes it a fifth of a second. */
export function startEncoder(): void {
  encoder();
}

/** Encodes in another thread, which leaves this one to make the next part; null where that would not help. */
export function encodeBeside(columns: readonly FilledColumn[]): Promise<Uint8Array> | null {
  return encoder()?.encode(columns) ?? null;
}

function encoder(): EncodingThread | null {
  canHelp ??= availableParallelism() > 1 && existsSync(WORKER);
  // One that could not go on would not the next time either.
  if (!canHelp || helper?.isOver === true) return null;
  helper ??= startThread();
  if (helper === null) canHelp = false;
  return helper;
}

/** A process may not be allowed another thread. */
function startThread(): EncodingThread | null {
  try {
    return new EncodingThread();
  } catch {
    return null;
  }
}

class EncodingThread {
  readonly #worker = new Worker(WORKER);
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;
  isOver = false;

  constructor() {
    // It must not keep a process from ending.
    this.#worker.unref();
    this.#worker.on('message', (encoded: Encoded) => this.#settle(encoded));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', (code) => this.#fail(new Error(`the thread that encodes Parquet ended with ${code}`)));
  }

  /** The memory of the values is moved there. */
  async encode(columns: readonly FilledColumn[]): Promise<Uint8Array> {
    const id = (this.#last += 1);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      // While something is to be waited for, the process has to go on.
      this.#worker.ref();
      this.#worker.postMessage({ id, columns } satisfies Order, memoryOf(columns));
    });
  }

  #settle(encoded: Encoded): void {
    const waiting = this.#waiting.get(encoded.id);
    this.#waiting.delete(encoded.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if ('bytes' in encoded) waiting?.resolve(encoded.bytes);
    else waiting?.reject(encoded.error);
  }

  #fail(error: unknown): void {
    this.isOver = true;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

function memoryOf(columns: readonly FilledColumn[]): ArrayBuffer[] {
  const held = columns.flatMap(({ values: { data, valueOffsets } }) => [data.buffer, valueOffsets?.buffer]);
  return held.filter((buffer) => buffer instanceof ArrayBuffer);
}
