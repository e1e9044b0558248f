/**
 * The postmaster, PostgreSQL's first process: whether one runs in a data directory, starting it, telling it to stop.
 *
 * It is started directly and not by pg_ctl, which does the same (a session of its own, the log as its output) but by
 * way of a shell command line, where a quote or a dollar in a path has a meaning.
 */

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { link, open, readFile, readlink, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../disk.ts';
import { runAs, serverEnvironment, spawnIdentity, type Account } from './account.ts';
import { readIfThere } from './files.ts';

export interface Postmaster {
  readonly pid: number;
  /** Undefined in the moment between its start and its first entry in the file. */
  readonly port: number | undefined;
}

/** A start of the server. */
export interface Launch {
  /** Whether the process has ended, or was never made. */
  ended(): boolean;
  /** What the log has had from it (and possibly from others) since. */
  output(): Promise<string>;
}

export type StopMode = 'fast' | 'immediate';

/** https://www.postgresql.org/docs/current/server-shutdown.html */
const SIGNALS = { fast: 'SIGINT', immediate: 'SIGQUIT' } as const satisfies Record<StopMode, NodeJS.Signals>;

const LOG_MAX_BYTES = 10 * 1024 * 1024;

/** The server that runs in `data`, whoever started it. What a killed server left behind does not count. */
export async function findPostmaster(data: string): Promise<Postmaster | undefined> {
  const found = await readPidFile(data);
  if (found === undefined || !isAlive(found.pid) || !(await isServerOf(found.pid, data))) return undefined;
  return found;
}

/** The port of the last server in `data`, if it was killed; a server that was stopped takes its file away. */
export async function lastPort(data: string): Promise<number | undefined> {
  return (await readPidFile(data))?.port;
}

/** postmaster.pid: a line each for pid, data directory, start time, port, socket directory, address, … */
async function readPidFile(data: string): Promise<Postmaster | undefined> {
  const [pid, , , port] = ((await readIfThere(join(data, 'postmaster.pid'))) ?? '').split('\n');
  if (pid === undefined || !/^\d+$/.test(pid)) return undefined;
  return { pid: Number(pid), port: port !== undefined && /^\d+$/.test(port) ? Number(port) : undefined };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

/**
 * Whether that process is the server of `data`: process ids are given out again, and in a container that was started
 * anew the old one is soon somebody else's. The postmaster runs as the owner of its data directory (PostgreSQL insists
 * on it), works in it and has it in its arguments.
 */
async function isServerOf(pid: number, data: string): Promise<boolean> {
  if (!(await isOwnedBy(pid, data))) return false;
  if (process.platform !== 'linux') return (await ps(pid, 'args=')).includes(data);
  try {
    return (await readlink(`/proc/${pid}/cwd`)) === data;
  } catch (error) {
    // Root without CAP_SYS_PTRACE, as in most containers, may not see where another account's process works.
    if (errorCode(error) !== 'EACCES' && errorCode(error) !== 'EPERM') return false;
    const args = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return args.split('\0').includes(data);
  }
}

async function isOwnedBy(pid: number, data: string): Promise<boolean> {
  const owner = await stat(data).then(
    (found) => found.uid,
    () => undefined,
  );
  if (owner === undefined) return false;
  const isLinux = process.platform === 'linux';
  const text = isLinux ? await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '') : await ps(pid, 'uid=');
  // In /proc the real id comes first, and then the effective one. macOS shows that of nobody as -2.
  const uid = (isLinux ? /^Uid:\t\d+\t(\d+)/m : /^\s*(-?\d+)/).exec(text)?.[1];
  return uid !== undefined && Number(uid) >>> 0 === owner >>> 0;
}

async function ps(pid: number, column: string): Promise<string> {
  return (await runAs(undefined, 'ps', ['-ww', '-o', column, '-p', String(pid)])).output;
}

/** Starts the server as a daemon: it has no ties to this process, its terminal or its pipes, and survives it. */
export async function launch(
  postgres: string,
  args: readonly string[],
  account: Account | undefined,
  logPath: string,
): Promise<Launch> {
  const log = await openLog(logPath, account);
  try {
    const { size: start } = await log.stat();
    let failure: Error | undefined;
    const child = spawn(postgres, args, {
      ...spawnIdentity(account),
      cwd: '/',
      detached: true,
      env: serverEnvironment(),
      stdio: ['ignore', log.fd, log.fd],
    });
    child.on('error', (error) => {
      failure = error;
    });
    child.unref();
    return {
      ended: () => failure !== undefined || child.exitCode !== null || child.signalCode !== null,
      output: async () => failure?.message ?? readFrom(logPath, start),
    };
  } finally {
    await log.close();
  }
}

async function openLog(path: string, account: Account | undefined): ReturnType<typeof open> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size > LOG_MAX_BYTES) await rename(path, `${path}.1`);
  const log = await open(path, 'a', 0o600);
  // So that the account can go on by itself when it is not root who starts the server next time.
  if (account !== undefined) await log.chown(account.uid, account.gid);
  return log;
}

async function readFrom(path: string, start: number): Promise<string> {
  const text = await readFile(path);
  return text.subarray(start).toString('utf8').trim();
}

export function signalStop(pid: number, mode: StopMode): void {
  try {
    process.kill(pid, SIGNALS[mode]);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

/**
 * Takes away the pid file of a killed server whose process id now belongs to something else. PostgreSQL itself sees
 * only that a process of that id lives, and refuses to start. (Of a process that is dead it removes the file itself.)
 *
 * Another process may have started the server since we looked, so the file is first taken aside, and given back if it
 * is a new one.
 */
export async function removeStalePidFile(data: string): Promise<void> {
  const found = await readPidFile(data);
  if (found === undefined || !isAlive(found.pid) || (await isServerOf(found.pid, data))) return;
  const path = join(data, 'postmaster.pid');
  const aside = `${path}.stale-${randomBytes(6).toString('hex')}`;
  await rename(path, aside).catch(() => undefined);
  const taken = await readIfThere(aside);
  if (taken === undefined) return;
  if (taken.split('\n')[0] !== String(found.pid)) await link(aside, path).catch(() => undefined);
  await unlink(aside);
}
