import { spawnSync } from 'node:child_process';
import { chmod, mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterwards, temporaryDirectory } from './postgres.ts';
import { skipLoudly } from './skip.ts';

/** A file system of its own, small enough to be filled. */
export interface SmallDisk {
  readonly directory: string;
  /** Takes all of its space but for so many bytes. */
  readonly fill: (butBytes?: number) => Promise<void>;
  /** Gives that back. */
  readonly free: () => Promise<void>;
}

/** Whether this account may mount a file system. */
export function canMount(tests: string): boolean {
  const tried = 'd=$(mktemp -d) && mount -t tmpfs -o size=64k tmpfs "$d" && umount "$d"; s=$?; rmdir "$d"; exit $s';
  if (process.platform === 'linux' && shell(tried).status === 0) return true;
  skipLoudly(tests, 'nobody but root can mount a small disk (and containers may not)');
  return false;
}

/** @param directory Its `$0`. */
function shell(script: string, directory = '') {
  return spawnSync('sh', ['-c', script, directory]);
}

/** A disk in memory, open to every account; in a path with a space. */
export async function smallDisk(megabytes: number): Promise<SmallDisk> {
  const directory = join(await temporaryDirectory(), 'small disk');
  await mkdir(directory);
  const { status, stderr } = shell(`mount -t tmpfs -o size=${megabytes}m tmpfs "$0"`, directory);
  if (status !== 0) throw new Error(`mount: ${stderr.toString()}`);
  const unmount = (): void => void shell('umount -l "$0"', directory);
  process.once('exit', unmount);
  afterwards(async () => {
    process.off('exit', unmount);
    unmount();
  });
  await chmod(directory, 0o777);
  const filler = join(directory, 'filler');
  return {
    directory,
    fill: async (butBytes = 0) => {
      const { bavail, bsize } = await statfs(directory);
      await writeFile(filler, Buffer.alloc(Math.max(0, bavail * bsize - butBytes)), { flag: 'a' });
    },
    free: async () => rm(filler, { force: true }),
  };
}
