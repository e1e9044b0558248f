import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import * as v from 'valibot';
import type { Report } from '../../shared/report.ts';
import { type Answer, answerSchema, type Failure, type Task } from './messages.ts';

/** How a range ended: as its worker says, or `lost` with the worker itself, however that was. */
export type Ended = Extract<Answer, { readonly answer: 'done' }> | Failure | { readonly answer: 'lost'; readonly how: string };

export interface HandOptions {
  /** The file of this program. */
  readonly program: string;
  /** The settings that it finds. */
  readonly environment: NodeJS.ProcessEnv;
  readonly report: Report;
}

/** A worker process, seen from its parent. */
export class Hand {
  readonly #child: ChildProcess;
  readonly #report: Report;
  #tell: (ended: Ended) => void = () => undefined;
  #lost: Ended | null = null;
  /** What it says first is that it is ready. */
  readonly #heardOf: Promise<unknown>;

  constructor({ program, environment, report }: HandOptions) {
    this.#report = report;
    this.#child = fork(program, ['backfill-worker'], { env: environment, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#child.on('message', (message) => this.#hear(v.parse(answerSchema, message)));
    this.#child.on('error', (error) => this.#end(error.message));
    this.#child.on('exit', (code, signal) => this.#end(signal === null ? `it ended with status ${code}` : `it ended by ${signal}`));
    this.#heardOf = new Promise((resolve) => this.#child.once('message', resolve).once('error', resolve).once('exit', resolve));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get isLost(): boolean {
    return this.#lost !== null;
  }

  async do(task: Task): Promise<Ended> {
    await this.#heardOf;
    if (this.#lost) return this.#lost;
    return new Promise((resolve) => {
      this.#tell = resolve;
      this.#child.send(task, (error) => (error ? this.#end(error.message) : undefined));
    });
  }

  /** Sends it home, and waits until it has gone. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    if (this.#child.connected) this.#child.disconnect();
    else this.#child.kill('SIGKILL');
    await gone;
  }

  #hear(said: Answer): void {
    if (said.answer === 'event') this.#report(said.event);
    else if (said.answer !== 'ready') this.#tell(said);
  }

  #end(how: string): void {
    this.#lost ??= { answer: 'lost', how };
    this.#tell(this.#lost);
  }
}
