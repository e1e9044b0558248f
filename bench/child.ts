/** Processes that do one job after the other for the benchmark: both ends of what goes between. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as v from 'valibot';
import type { Measured } from './measured.ts';

const measuredSchema = v.object({ seconds: v.number(), cpu: v.nullable(v.number()), peakMb: v.nullable(v.number()) });
const answerSchema = v.union([
  v.object({ ready: v.literal(true) }),
  v.object({ took: measuredSchema, rows: v.nullable(v.number()) }),
  v.object({ error: v.string() }),
]);

export interface Answer {
  readonly took: Measured;
  /** What it says that it has written, where it says so. */
  readonly rows: number | null;
}

export function answer(took: Measured, rows: number | null = null): Answer {
  return { took, rows };
}

function send(message: unknown): void {
  process.send?.(message);
}

/** The child's end: does the jobs that come, and ends when its parent is gone or has no more. */
export function serve(work: (job: unknown) => Promise<Answer>): void {
  process.on('message', (job) => {
    void work(job).then(send, (error: unknown) => send({ error: error instanceof Error ? String(error.stack) : String(error) }));
  });
  process.on('disconnect', () => process.exit());
  send({ ready: true });
}

/** The parent's end. */
export class Child {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** Starts the program; it is there, its modules loaded, once this resolves. */
  static async start(program: string, args: readonly string[] = []): Promise<Child> {
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const;
    const { PATH = '', HOME = '', TMPDIR = '' } = process.env;
    // Nothing else of ours: NODE_OPTIONS, PGOPTIONS and others would change what is measured.
    const env = { PATH, HOME, ...(TMPDIR ? { TMPDIR } : {}) };
    const child = new Child(spawn(process.execPath, [...args, program], { stdio: [...stdio], env }));
    await child.#next();
    return child;
  }

  async do(job: object): Promise<Answer> {
    this.#process.send(job);
    const message = await this.#next();
    if ('error' in message) throw new Error(`a process of the benchmark failed: ${message.error}`);
    if ('ready' in message) throw new Error('a process of the benchmark began anew');
    return message;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    // Not 'close', which does not come where this end has closed the channel.
    const ended = once(this.#process, 'exit');
    if (this.#process.connected) this.#process.disconnect();
    await ended;
  }

  async #next(): Promise<v.InferOutput<typeof answerSchema>> {
    const over = new AbortController();
    const { signal } = over;
    const ended = once(this.#process, 'exit', { signal }).then(([code]) => {
      throw new Error(`a process of the benchmark ended with ${String(code)}`);
    });
    // Whoever loses the race is not listened to any more.
    ended.catch(() => undefined);
    try {
      const message = once(this.#process, 'message', { signal }).then(([content]) => v.parse(answerSchema, content));
      return await Promise.race([message, ended]);
    } finally {
      over.abort();
    }
  }
}

/** One job in a process of its own. */
export async function inOwnProcess(program: string, job: object): Promise<Answer> {
  const child = await Child.start(program);
  try {
    return await child.do(job);
  } finally {
    await child.stop();
  }
}
