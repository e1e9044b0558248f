import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Encodable } from './write.ts';

export interface Order extends Encodable {
  readonly id: number;
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
let helper: EncodingThread | undefined;

/** Encodes in another thread, which leaves this one to make the next part; null where that would not help. */
export function encodeBeside(part: Encodable): Promise<Uint8Array> | null {
  canHelp ??= availableParallelism() > 1 && existsSync(WORKER);
  if (!canHelp) return null;
  if (!helper || helper.isOver) helper = new EncodingThread();
  return helper.encode(part);
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

  /** The part's bytes are moved: they are not the caller's any more. */
  async encode({ ipc, encodings }: Encodable): Promise<Uint8Array> {
    const id = (this.#last += 1);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      // While something is to be waited for, the process has to go on.
      this.#worker.ref();
      this.#worker.postMessage({ id, ipc, encodings } satisfies Order, ipc.buffer instanceof ArrayBuffer ? [ipc.buffer] : []);
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
