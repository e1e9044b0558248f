/** A process that does jobs until it is killed, by its own hand where a fault says so. */

import { type Done, type Job, runJob } from './job.ts';

interface Order {
  readonly id: number;
  readonly job: Job;
}

/** What a worker sends: that it is there, and what became of each order. */
export type Answer = { readonly ready: true } | { readonly id: number; readonly done: Done };

function isOrder(message: unknown): message is Order {
  return typeof message === 'object' && message !== null && 'id' in message && 'job' in message;
}

function kill(): void {
  process.kill(process.pid, 'SIGKILL');
}

function send(answer: Answer): void {
  process.send?.(answer);
}

// Its parent is gone, and with it whoever would kill it.
process.on('disconnect', () => process.exit());
process.on('message', (message) => {
  if (!isOrder(message)) return;
  void runJob(message.job, kill).then((done) => send({ id: message.id, done }));
});
send({ ready: true });
