import { Worker } from 'node:worker_threads';

/** In a thread of its own: a loop without an end keeps all timers of the thread that it is in from being heard. */
const WATCH = `
  const { workerData: { beats, name, limitMs } } = require('node:worker_threads');
  for (;;) {
    const seen = Atomics.load(beats, 0);
    if (Atomics.wait(beats, 0, seen, limitMs) !== 'timed-out') continue;
    require('node:fs').writeSync(2, 'hang: ' + name + ': case ' + seen + ' was not done after ' + limitMs + ' ms\\n');
    process.kill(process.pid, 'SIGKILL');
  }`;

/** Kills this process when it has given no sign of life for `limitMs`: the run then fails, in place of never ending. */
export class Watchdog {
  readonly #beats = new Int32Array(new SharedArrayBuffer(4));
  readonly #worker: Worker;

  constructor(name: string, limitMs: number) {
    this.#worker = new Worker(WATCH, { eval: true, workerData: { beats: this.#beats, name, limitMs }, execArgv: [], env: {} });
    this.#worker.unref();
  }

  isAlive(): void {
    Atomics.add(this.#beats, 0, 1);
    Atomics.notify(this.#beats, 0);
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}
