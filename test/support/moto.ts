import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './port.ts';
import { skipLoudly } from './skip.ts';

export interface Moto {
  /** `http://127.0.0.1:PORT`; any credentials and any region will do. */
  readonly endpoint: string;
  readonly stop: () => Promise<void>;
}

const READY_WITHIN_MS = 30_000;

/**
 * `python3 -m moto.server`, in which one thread goes on for a second before another may: moto looks whether a key is
 * there and puts it in two steps, and now and then two racers came between them.
 */
const PROGRAM = 'import sys; sys.setswitchinterval(1); from moto.server import main; main(sys.argv[1:])';

/**
 * An AWS of one's own: Python's moto server on a free port, or null, loudly, where moto is not installed.
 * `STARLING_NO_SKIP=1` makes its absence an error.
 */
export async function startMoto(): Promise<Moto | null> {
  if (spawnSync('python3', ['-c', 'import moto']).status !== 0) {
    return skipLoudly('all tests that need AWS', "moto is not installed (pip install 'moto[server]')");
  }
  const port = await freePort();
  const server = spawn('python3', ['-c', PROGRAM, '-H', '127.0.0.1', '-p', String(port)], {
    stdio: 'ignore',
    env: { ...process.env, MOTO_IAM_LOAD_MANAGED_POLICIES: 'true' },
  });
  const kill = (): boolean => server.kill('SIGKILL');
  process.once('exit', kill);
  const stop = async (): Promise<void> => {
    process.off('exit', kill);
    if (server.exitCode === null && server.signalCode === null && kill()) await once(server, 'exit');
  };
  const endpoint = `http://127.0.0.1:${port}`;
  await untilReady(endpoint, () => server.exitCode === null);
  return { endpoint, stop };
}

async function untilReady(endpoint: string, isAlive: () => boolean): Promise<void> {
  for (const end = Date.now() + READY_WITHIN_MS; Date.now() < end && isAlive(); await delay(50)) {
    const answer = await fetch(`${endpoint}/moto-api/`).catch(() => null);
    if (answer?.ok === true) return;
  }
  throw new Error('moto did not start');
}
