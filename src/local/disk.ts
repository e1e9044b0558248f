/** What the lake in a directory and the local PostgreSQL both need of a disk. */

import { link, mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** `system error code` of an error of node:fs, such as 'ENOENT'. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Nothing is there; ENOTDIR says that a file is on the way to it. */
export function isAbsent(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** Whether there is a folder, or a link to one. */
export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

/**
 * Makes the folder at the absolute `path` and those missing above it; returns the topmost that was missing, if any.
 * EEXIST: something else has a name on the way. ENOENT: the folder above is there, but nothing can be made in it.
 *
 * Not by the recursive mkdir of Node: to ENOENT it answers by making the folder above, which succeeds, and so on for
 * ever, in a thread of its own that then keeps the process from ending (seen in /proc).
 */
export async function makeFolders(path: string): Promise<string | undefined> {
  if (await isFolder(path)) return undefined;
  const topmost = dirname(path) === path ? undefined : await makeFolders(dirname(path));
  try {
    await mkdir(path);
  } catch (error) {
    // Somebody else may have made it since we looked.
    if (errorCode(error) !== 'EEXIST' || !(await isFolder(path))) throw error;
  }
  return topmost ?? path;
}

/** Until then a power cut may take back what was made or renamed in the folder. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A second name for the file, unless something has that name already. */
export async function linkOnce(aside: string, path: string): Promise<'created' | 'exists'> {
  try {
    await link(aside, path);
    return 'created';
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return 'exists';
    throw error;
  }
}
