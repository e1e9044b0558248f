/** Ports on 127.0.0.1. */

import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { PipelineError } from '../../shared/errors.ts';

/**
 * Below the ports that systems give to outgoing connections (from 32768 on Linux, 49152 elsewhere): a cluster keeps
 * its port, and is to find it free again after a stop.
 */
const FIRST = 20_000;
const LAST = 32_000;
const TRIES = 100;

export async function freePort(): Promise<number> {
  for (let tried = 0; tried < TRIES; tried += 1) {
    const port = randomInt(FIRST, LAST);
    if (await isFree(port)) return port;
  }
  throw new PipelineError('local', `No free port found on 127.0.0.1 between ${FIRST} and ${LAST}: close something.`);
}

/** Whether a server could listen there now; that can change at once, so the caller must be ready to be refused. */
export async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1' }, () => server.close(() => resolve(true)));
  });
}
