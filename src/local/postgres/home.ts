/**
 * Where a cluster lives: in the directory that was asked for, or, where root runs the server as an account that
 * cannot get there (a home directory of mode 0700, a disk without owners), in a directory of its own under /var/tmp
 * that the asked-for one points to.
 *
 *   <home>/cluster/              data/, password, port: made whole by `initialise`
 *   <home>/binaries/             a copy of the programs, where the account cannot run the original
 *   <home>/origin                (under /var/tmp) the directory that was asked for
 *   <directory>/location/path    where the home is, if not here
 *   <directory>/server.log
 *
 * The home under /var/tmp stays root's own, so that the account the server runs as cannot put links in root's way.
 * Its name is random, so that a directory that is removed and made again starts with nothing, as it would in place;
 * ./orphans.ts then clears the old one away.
 */

import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { chmod, chown, lstat, mkdir, mkdtemp, readdir, realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { PipelineError } from '../../shared/errors.ts';
import { errorCode } from '../disk.ts';
import { canAccess, isRoot, type Account } from './account.ts';
import { buildDirectory, exists, makePublicDirectory, readIfThere, replaceFile } from './files.ts';

/** Kept over reboots, unlike /tmp, and open to every account. */
export const ELSEWHERE = '/var/tmp';
/** Of uid 0: only root needs a home elsewhere. */
export const OURS = 'starling-0-';
export interface Home {
  /** The directory that was asked for, without symlinks. */
  readonly directory: string;
  /** The directory itself, or the one under /var/tmp. */
  readonly path: string;
  readonly data: string;
  readonly cluster: string;
  readonly passwordFile: string;
  readonly portFile: string;
  readonly binaries: string;
  readonly log: string;
}

/** The home of a cluster that has been made, or undefined. */
export async function findHome(directory: string, elsewhere = ELSEWHERE): Promise<Home | undefined> {
  if (!(await exists(directory))) return undefined;
  const asked = await realpath(directory);
  const pointer = await readPointer(asked, elsewhere);
  if (pointer !== undefined && (!(await isOurs(pointer)) || (await isOfAnother(pointer, asked)))) return undefined;
  const home = homeAt(asked, pointer ?? asked);
  return (await exists(home.cluster)) ? home : undefined;
}

/** The home for a new cluster of `account`; made by several processes at once, it is the same for all. */
export async function makeHome(
  directory: string,
  account: Account | undefined,
  elsewhere = ELSEWHERE,
): Promise<Home> {
  await makePublicDirectory(resolve(directory));
  const asked = await realpath(directory);
  if (account === undefined) return homeAt(asked, asked);
  if ((await readPointer(asked, elsewhere)) === undefined && (await canHold(asked, account))) {
    return homeAt(asked, asked);
  }
  const home = homeAt(asked, await pointElsewhere(asked, elsewhere));
  await claim(home.path);
  await recordOrigin(home);
  return home;
}

/** Notes where a home under /var/tmp belongs, and that it is in use now. */
export async function recordOrigin(home: Home): Promise<void> {
  if (home.path !== home.directory) await replaceFile(originFile(home.path), home.directory);
}

/** Removes everything of the cluster but the log. Its server must have stopped. */
export async function removeHome(directory: string, elsewhere = ELSEWHERE): Promise<void> {
  const home = await findHome(directory, elsewhere);
  if (home === undefined) return;
  // By its name at once and only then file by file, so that half a cluster is never found.
  await rename(home.cluster, `${home.cluster}.aside-${randomUUID()}`);
  for (const name of await readdir(home.path)) {
    if (/^(cluster\.aside-|binaries$)/.test(name)) await rm(join(home.path, name), { recursive: true, force: true });
  }
  if (home.path === home.directory) return;
  await rm(home.path, { recursive: true, force: true });
  await rm(dirname(pointerOf(home.directory)), { recursive: true, force: true });
}

export function homeAt(directory: string, path: string): Home {
  const cluster = join(path, 'cluster');
  return {
    directory,
    path,
    cluster,
    data: join(cluster, 'data'),
    passwordFile: join(cluster, 'password'),
    portFile: join(cluster, 'port'),
    binaries: join(path, 'binaries'),
    log: join(directory, 'server.log'),
  };
}

export function originFile(path: string): string {
  return join(path, 'origin');
}

function pointerOf(directory: string): string {
  return join(directory, 'location', 'path');
}

/** The home that `directory` points to, there or not. Only root has one elsewhere; a copy of root's is not followed. */
async function readPointer(directory: string, elsewhere: string): Promise<string | undefined> {
  const path = isRoot() ? await readIfThere(pointerOf(directory)) : undefined;
  return path?.startsWith(join(elsewhere, OURS)) === true ? path : undefined;
}

/** The path of the home elsewhere. Every process gets the same: the first one's, and for a copy one that follows. */
async function pointElsewhere(directory: string, elsewhere: string): Promise<string> {
  const pointer = pointerOf(directory);
  const first = join(elsewhere, OURS + randomBytes(8).toString('hex'));
  await buildDirectory(dirname(pointer), async (aside) => replaceFile(join(aside, basename(pointer)), first));
  const path = (await readPointer(directory, elsewhere)) ?? first;
  if (!(await isOfAnother(path, directory))) return path;
  const hash = createHash('sha256').update(`${path}\n${directory}`).digest('hex').slice(0, 16);
  await replaceFile(pointer, join(elsewhere, OURS + hash));
  return join(elsewhere, OURS + hash);
}

/** A directory that was moved keeps its home; one that was copied must not take that of the original. */
async function isOfAnother(path: string, directory: string): Promise<boolean> {
  const origin = await readIfThere(originFile(path));
  return origin !== undefined && origin !== directory && (await pointsTo(origin, path));
}

export async function pointsTo(directory: string, path: string): Promise<boolean> {
  return (await readIfThere(pointerOf(directory))) === path;
}

export async function isOurs(path: string): Promise<boolean> {
  return lstat(path).then(
    (found) => found.isDirectory() && found.uid === 0,
    () => false,
  );
}

/** Tried by making something there and giving it away: some disks know no owners, and root may not be root on them. */
async function canHold(directory: string, account: Account): Promise<boolean> {
  const probe = await mkdtemp(join(directory, 'cluster.aside-'));
  try {
    await chown(probe, account.uid, account.gid);
    return await canAccess(account, 'write', probe);
  } catch (error) {
    if (errorCode(error) === 'EPERM' || errorCode(error) === 'EINVAL') return false;
    throw error;
  } finally {
    await rm(probe, { recursive: true, force: true });
  }
}

/** Anybody can make a directory in /var/tmp, so one that is there already must be ours. */
async function claim(path: string): Promise<void> {
  await mkdir(path).catch((error: unknown) => {
    if (errorCode(error) !== 'EEXIST') throw error;
  });
  if (!(await isOurs(path))) {
    throw new PipelineError(
      'local',
      `${path} is where the local PostgreSQL has to go, and it belongs to somebody else: ` +
        'find out who made it and remove it, or move the project to a directory that other accounts can read.',
    );
  }
  await chmod(path, 0o711);
}
