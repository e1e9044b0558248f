/**
 * Homes under /var/tmp that the directory they were made for does not point to. Nobody gets there by way of a
 * directory any more, so they are found by looking through /var/tmp, and only root has any.
 *
 * That directory may have been removed (`rm -rf .starling`), maybe with the server up, or have been renamed, and then
 * its home is still in use. Renamed and removed look the same until it is used under its new name. So a home whose
 * directory is not there is given time; one whose directory is there again, without it, was given up.
 *
 * A home in the making is safe: `origin` is written after the pointer to the home, so a home that has one without the
 * other lost its pointer, and one that has neither is given time as well. Only who removes a directory while a
 * process starts a server there can take the home from under it, and then not before the cluster is whole.
 */

import { randomUUID } from 'node:crypto';
import { readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { isFolder } from '../disk.ts';
import { isRoot } from './account.ts';
import { ASIDE_MAX_AGE_MS, exists, readIfThere } from './files.ts';
import { ELSEWHERE, homeAt, isOurs, OURS, originFile, pointsTo, type Home } from './home.ts';
import { findPostmaster, type StopMode } from './postmaster.ts';
import { stopServer } from './stop.ts';

/** Counted from the last start: how long the home of a directory that is not there is kept. */
const STALE_AFTER_MS = 24 * 60 * 60_000;

/**
 * Removes the homes that were given up, stopping their servers, and those whose time is over, unless their servers
 * run: the directory may have been renamed. Returns their paths.
 */
export async function sweepOrphans(
  elsewhere = ELSEWHERE,
  staleAfterMs = STALE_AFTER_MS,
): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const home of await findOrphans(elsewhere)) {
    // What cannot be swept must not keep the caller from what it is really about; the next one tries again.
    if (await sweep(home, staleAfterMs).catch(() => false)) removed.push(home.path);
  }
  return removed;
}

/** Stops the servers that were started for that directory when it, or one of the same name, had another home. */
export async function stopOrphans(directory: string, mode: StopMode, elsewhere = ELSEWHERE): Promise<void> {
  const asked = await realDirectory(resolve(directory));
  for (const home of await findOrphans(elsewhere)) {
    if (home.directory === asked) await stopServer(home, mode);
  }
}

/** The directory of a home that has none on file is the home itself. */
async function findOrphans(elsewhere: string): Promise<readonly Home[]> {
  const orphans: Home[] = [];
  const names = isRoot() ? await readdir(elsewhere).catch(() => []) : [];
  for (const path of names.filter((name) => name.startsWith(OURS)).map((name) => join(elsewhere, name))) {
    if (!(await isOurs(path))) continue;
    const origin = await readIfThere(originFile(path));
    // Where the pointer cannot be read, it may well be there.
    if (origin !== undefined && (await pointsTo(origin, path).catch(() => true))) continue;
    orphans.push(homeAt(origin ?? path, path));
  }
  return orphans;
}

async function sweep(home: Home, staleAfterMs: number): Promise<boolean> {
  const idleMs = await idleTime(home);
  if (await isGivenUp(home, idleMs)) await stopServer(home, 'immediate');
  else if (idleMs < staleAfterMs || (await findPostmaster(home.data)) !== undefined) return false;
  // By its name at once: of several at it one wins, and nobody finds half a home.
  const aside = `${home.path}.aside-${randomUUID()}`;
  await rename(home.path, aside);
  await rm(aside, { recursive: true, force: true });
  return true;
}

async function isGivenUp(home: Home, idleMs: number): Promise<boolean> {
  if (home.directory === home.path || !(await isFolder(home.directory))) return false;
  return idleMs > ASIDE_MAX_AGE_MS || (await exists(home.cluster));
}

async function idleTime({ directory, path }: Home): Promise<number> {
  const { mtimeMs } = await stat(directory === path ? path : originFile(path));
  return Date.now() - mtimeMs;
}

/** As `realpath`, also for a directory that is gone. */
async function realDirectory(path: string): Promise<string> {
  return realpath(path).catch(async () => join(await realDirectory(dirname(path)), basename(path)));
}
