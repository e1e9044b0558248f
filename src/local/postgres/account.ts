/**
 * The account the server runs as. PostgreSQL refuses to run as root, so root hands it to another account; anybody
 * else runs it as themselves.
 */

import { spawn } from 'node:child_process';
import { access, constants, readFile } from 'node:fs/promises';
import { PipelineError } from '../../shared/errors.ts';

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

export interface Outcome {
  /** Exit status; null when a signal ended it. */
  readonly status: number | null;
  /** stdout and stderr, as they came. */
  readonly output: string;
}

type Right = 'read' | 'write' | 'traverse';

const TEST_FLAGS = { read: '-r', write: '-w', traverse: '-x' } as const satisfies Record<Right, string>;
const ACCESS_MODES = {
  read: constants.R_OK,
  write: constants.W_OK,
  traverse: constants.X_OK,
} as const satisfies Record<Right, number>;

/** In this order; initdb looks its own uid up, so an account without a passwd entry would not do. */
const ACCOUNT_NAMES = ['postgres', 'nobody'];

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Whom a new server runs as; undefined: as this process does. */
export async function serverAccount(passwdFile = '/etc/passwd'): Promise<Account | undefined> {
  if (!isRoot()) return undefined;
  const accounts = parsePasswd(await readFile(passwdFile, 'utf8'));
  for (const name of ACCOUNT_NAMES) {
    const account = accounts.get(name);
    if (account !== undefined && account.uid !== 0) return account;
  }
  throw new PipelineError(
    'local',
    `PostgreSQL does not run as root, and ${passwdFile} has neither ${ACCOUNT_NAMES.join(' nor ')} to run it as: ` +
      'start Starling as another user, or set SOURCE_URL and WAREHOUSE_URL to servers of your own.',
  );
}

/** Accounts by name, from lines of the form `name:password:uid:gid:…`. */
export function parsePasswd(text: string): Map<string, Account> {
  const accounts = new Map<string, Account>();
  for (const line of text.split('\n')) {
    const [name, , uid, gid] = line.split(':');
    if (name === undefined || !isId(uid) || !isId(gid)) continue;
    accounts.set(name, { uid: Number(uid), gid: Number(gid) });
  }
  return accounts;
}

/** macOS gives nobody the uid -2. */
function isId(text: string | undefined): boolean {
  return text !== undefined && /^-?\d+$/.test(text);
}

/** What `spawn` needs to run something as that account. */
export function spawnIdentity(account: Account | undefined): { uid?: number; gid?: number } {
  return account === undefined ? {} : { uid: account.uid, gid: account.gid };
}

/**
 * The environment of the server's programs: nothing of ours, because PGPORT, PGDATA, TZ and LC_* would change what
 * they do, and because the server keeps its environment for as long as it lives.
 */
export function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' };
}

/** Runs a program to its end. Rejects with the system's error if it cannot be started at all. */
export async function runAs(
  account: Account | undefined,
  program: string,
  args: readonly string[],
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      ...spawnIdentity(account),
      // Not our own directory: the account may not be allowed into it, and initdb insists.
      cwd: '/',
      env: serverEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, output: Buffer.concat(chunks).toString('utf8').trim() }));
  });
}

/** Tried, not computed from mode bits: ACLs, mount options and every parent directory have a say in it. */
export async function canAccess(account: Account | undefined, right: Right, path: string): Promise<boolean> {
  if (account !== undefined) {
    const { status } = await runAs(account, '/bin/sh', ['-c', `test ${TEST_FLAGS[right]} "$1"`, 'sh', path]);
    return status === 0;
  }
  return access(path, ACCESS_MODES[right]).then(
    () => true,
    () => false,
  );
}
