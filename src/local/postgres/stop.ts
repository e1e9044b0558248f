/** Stops the server of a cluster, whoever started it. */

import { setTimeout as sleep } from 'node:timers/promises';
import { PipelineError } from '../../shared/errors.ts';
import { type Home } from './home.ts';
import { findPostmaster, signalStop, type StopMode } from './postmaster.ts';

/** A shutdown writes out what is in memory first. */
const STOP_TIMEOUT_MS = 60_000;
const POLL_MS = 20;

/** Returns when the server has gone; at once if none runs. */
export async function stopServer(home: Home, mode: StopMode = 'fast'): Promise<void> {
  const deadline = Date.now() + STOP_TIMEOUT_MS;
  const first = await findPostmaster(home.data);
  if (first === undefined) return;
  signalStop(first.pid, mode);
  while (Date.now() < deadline) {
    const now = await findPostmaster(home.data);
    if (now?.pid !== first.pid) return;
    await sleep(POLL_MS);
  }
  throw new PipelineError(
    'local',
    `PostgreSQL in ${home.data} (process ${first.pid}) did not stop within ${STOP_TIMEOUT_MS / 1000} s; ` +
      `its log is ${home.log}.`,
  );
}
