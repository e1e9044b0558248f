import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Done, Job } from './job.ts';
import type { Answer } from './worker.ts';

function isAnswer(message: unknown): message is Answer {
  return typeof message === 'object' && message !== null && ('ready' in message || 'done' in message);
}

/** A worker process. Whoever asks a process that is killed meanwhile is told `killed`. */
export class Worker {
  readonly #child: ChildProcess;
  readonly #ready: Promise<void>;
  readonly #waiting = new Map<number, (outcome: Done | 'killed') => void>();
  #orders = 0;
  isOver = false;

  constructor(program: string) {
    this.#child = fork(program, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: ['--no-warnings'] });
    // Its first message says that it is there.
    this.#ready = new Promise((resolve) => {
      this.#child.once('message', () => resolve()).once('exit', () => resolve());
    });
    this.#child.on('message', (message) => {
      if (!isAnswer(message) || 'ready' in message) return;
      this.#waiting.get(message.id)?.(message.done);
      this.#waiting.delete(message.id);
    });
    this.#child.once('exit', () => {
      this.isOver = true;
      for (const answer of this.#waiting.values()) answer('killed');
      this.#waiting.clear();
    });
  }

  async run(job: Job): Promise<Done | 'killed'> {
    await this.#ready;
    if (this.isOver) return 'killed';
    const id = (this.#orders += 1);
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      // A process can be gone before anybody has heard of it; its exit answers then.
      this.#child.send({ id, job }, () => undefined);
    });
  }

  /** SIGSTOP: the process is still, and its connections stay open. */
  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    if (this.isOver) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}

/** Workers for jobs that end with a kill: the next one is started while the last one works. */
export class Spares {
  readonly #program: string;
  readonly #spares: Worker[];

  constructor(program: string, count: number) {
    this.#program = program;
    this.#spares = Array.from({ length: count }, () => new Worker(program));
  }

  /** Runs the job in a process that ends with it, one way or the other. */
  async run(job: Job): Promise<Done | 'killed'> {
    const worker = this.#spares.shift() ?? new Worker(this.#program);
    this.#spares.push(new Worker(this.#program));
    const outcome = await worker.run(job);
    // Nobody killed it: it was to be, and can be used again.
    if (outcome !== 'killed') this.#spares.unshift(worker);
    return outcome;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#spares.map(async (worker) => worker.kill()));
  }
}
