/** COPY by a client that does nothing else: psql where it is there, else a minimal one of ours. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { CopyJob } from './copy-process.ts';
import { endedChildrenSeconds } from './cpu.ts';
import type { Measured } from './measured.ts';
import { inOwnProcess } from './child.ts';
import { literal } from './duckdb-sql.ts';

/** Such as `psql (PostgreSQL) 15.18`; null where there is none. */
export function psqlVersion(): string | null {
  const { status, stdout } = spawnSync('psql', ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

/** @param program The minimal client, for where there is no psql. */
export async function copyByClient(program: string, job: CopyJob): Promise<Measured> {
  hasPsql ??= psqlVersion() !== null;
  return hasPsql ? copyByPsql(job) : (await inOwnProcess(program, job)).took;
}

let hasPsql: boolean | undefined;

/** The whole life of the process: it starts in some milliseconds. */
async function copyByPsql({ url, copies }: CopyJob): Promise<Measured> {
  const lines = copies.map((copy) => `\\copy ${copy.what} ${copy.direction} ${literal(copy.file)} with (${copy.options})`);
  const commands = ['begin', ...lines, 'commit'].flatMap((line) => ['-c', line]);
  const before = await endedChildrenSeconds();
  const from = performance.now();
  const child = spawn('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', url, ...commands], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { PATH: process.env['PATH'] ?? '', PGOPTIONS: '-c timezone=UTC -c datestyle=ISO' },
  });
  const [status] = await once(child, 'close');
  const seconds = (performance.now() - from) / 1_000;
  if (status !== 0) throw new Error(`psql ended with ${String(status)}`);
  const after = await endedChildrenSeconds();
  return { seconds, cpu: before === null || after === null ? null : after - before, peakMb: null };
}
