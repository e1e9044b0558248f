/**
 * Files and directories that exist whole or not at all: built aside under a name of their own, then renamed. A
 * process killed half-way leaves only the aside, which is swept later.
 */

import { randomBytes } from 'node:crypto';
import { chmod, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { errorCode, isAbsent, makeFolders } from '../disk.ts';

/** Longer than initdb or a copy of the binaries takes on a slow machine; nothing aside is in use after that. */
export const ASIDE_MAX_AGE_MS = 10 * 60_000;
const ASIDE_MARK = '.aside-';

function asideOf(path: string): string {
  return `${path}${ASIDE_MARK}${randomBytes(6).toString('hex')}`;
}

/** The text of a file, or undefined when there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Sets the whole file at once. */
export async function replaceFile(path: string, text: string, mode = 0o644): Promise<void> {
  const aside = asideOf(path);
  await writeFile(aside, text, { mode, flush: true });
  await rename(aside, path);
}

/** A directory that the server's account can get into, whatever the umask says; what is in it has modes of its own. */
export async function makePublicDirectory(path: string): Promise<void> {
  const made = await makeFolders(resolve(path));
  if (made !== undefined) await chmod(path, 0o755);
}

/** Makes the directory `path` by `build`, which fills the directory it is given; whoever comes second gives way. */
export async function buildDirectory(path: string, build: (aside: string) => Promise<void>): Promise<void> {
  const aside = asideOf(path);
  try {
    await makePublicDirectory(aside);
    await build(aside);
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    if (errorCode(error) !== 'ENOTEMPTY' && errorCode(error) !== 'EEXIST') throw error;
  }
}

/** Removes what killed processes have left in `parent`, which may be missing. */
export async function sweepAsides(parent: string): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    if (!name.includes(ASIDE_MARK)) continue;
    const left = join(parent, name);
    const { mtimeMs } = await stat(left).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > ASIDE_MAX_AGE_MS) await rm(left, { recursive: true, force: true });
  }
}
