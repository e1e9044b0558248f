/** Where a lake in a directory writes objects aside, before they get the name of their key. */

import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { errorCode } from './disk.ts';

/** No key can name it, since no segment of a key is hidden. */
export const INCOMING = '.incoming';

/** Longer than anybody is silent who still writes. One that is swept even so fails to get its name, and is written anew. */
const ABANDONED_AFTER_MS = 60 * 60 * 1000;

/** `<whose process ids>-<process id>-<uuid>` */
const NAME = /^([0-9a-f]{12})-(\d{1,9})-/;

/** A name for a file that tells later runs whether somebody is still at it. */
export async function asideName(): Promise<string> {
  return `${await processSpace()}-${process.pid}-${randomUUID()}`;
}

/** What cannot be removed now is swept another day; it must not hide how the call itself ended. */
export async function discard(aside: string): Promise<void> {
  await rm(aside, { force: true }).catch(() => null);
}

/**
 * Removes what killed processes left: at once where it can be seen that they are gone, for half a table on a disk that
 * is full must not keep it full; after an hour where they were another machine's or container's.
 */
export async function sweep(folder: string): Promise<void> {
  const space = await processSpace();
  const oldest = Date.now() - ABANDONED_AFTER_MS;
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    // Another process may be sweeping, or be done with its file: what is gone is swept.
    const file = await stat(path).catch(() => null);
    if (file !== null && (file.mtimeMs < oldest || isOfTheDead(name, space))) await discard(path);
  }
}

function isOfTheDead(name: string, space: string): boolean {
  const [, whose, pid] = NAME.exec(name) ?? [];
  return whose === space && !isAlive(Number(pid));
}

/** An id that somebody else has by now counts as alive; then time tells. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errorCode(error) !== 'ESRCH';
  }
}

let space: string | undefined;

/** Among whom a process id means one process: on Linux a container, or a machine, since it was started. */
async function processSpace(): Promise<string> {
  if (space !== undefined) return space;
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => hostname());
  const container = await readlink('/proc/self/ns/pid').catch(() => '');
  space = createHash('sha256').update(`${boot} ${container}`).digest('hex').slice(0, 12);
  return space;
}
