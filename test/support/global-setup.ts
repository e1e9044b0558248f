/** One PostgreSQL for a whole run of the tests; `freshDatabase` in ./postgres.ts gives a test file its part of it. */

import { chmod, lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { serverAccount } from '../../src/local/postgres/account.ts';
import { prepareBinaries } from '../../src/local/postgres/binaries.ts';
import { removeCluster, startCluster } from '../../src/local/postgres/cluster.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The superuser's URL for the database `postgres`. */
    readonly postgresUrl: string;
    /** The directory of this run. The clusters in it are its <subdirectory>/postgres. */
    readonly runDirectory: string;
    /** The embedded PostgreSQL: where the checkout is closed to the servers' account, copied once for all of them. */
    readonly binariesDirectory: string;
  }
}

const PREFIX = 'starling-test-';

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  await removeOrphans();
  const directory = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`));
  // mkdtemp makes it 0700, where the server's account could not go if this is root.
  await chmod(directory, 0o755);
  const { postgres } = await prepareBinaries(await serverAccount(), join(directory, 'binaries'));
  const binariesDirectory = dirname(dirname(postgres));
  const cluster = await startCluster({
    directory: join(directory, 'shared', 'postgres'),
    binariesDirectory,
    fsync: false,
    settings: { max_connections: 200, max_prepared_transactions: 10 },
  });
  project.provide('postgresUrl', cluster.superuserUrl('postgres'));
  project.provide('runDirectory', directory);
  project.provide('binariesDirectory', binariesDirectory);
  return async () => removeRun(directory);
}

/** With the servers that tests left running because they were killed. */
async function removeRun(directory: string): Promise<void> {
  for (const name of await readdir(directory)) await removeCluster(join(directory, name, 'postgres'));
  await rm(directory, { recursive: true, force: true });
}

/** Our own runs that were killed before their teardown. Another run may be at it too, so it is no matter if it fails. */
async function removeOrphans(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : Number.NaN;
    const directory = join(tmpdir(), name);
    if (!Number.isInteger(pid) || isAlive(pid) || !(await isOurs(directory))) continue;
    await removeRun(directory).catch(() => undefined);
  }
}

async function isOurs(directory: string): Promise<boolean> {
  return lstat(directory).then(
    ({ uid }) => uid === process.getuid?.(),
    () => false,
  );
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
