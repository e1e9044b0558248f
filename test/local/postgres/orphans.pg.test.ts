import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isRoot, serverAccount, spawnIdentity, type Account } from '../../../src/local/postgres/account.ts';
import { clusterExists, removeCluster, startCluster, stopCluster } from '../../../src/local/postgres/cluster.ts';
import { exists } from '../../../src/local/postgres/files.ts';
import { findHome, makeHome, originFile, recordOrigin, type Home } from '../../../src/local/postgres/home.ts';
import { stopOrphans, sweepOrphans } from '../../../src/local/postgres/orphans.ts';
import { afterwards, temporaryDirectory } from '../../support/postgres.ts';
import { bundle, run, started } from './another-process.ts';
import { postmasterPid } from './clusters.ts';
import { make, places } from './places.ts';

describe.runIf(isRoot())('a home elsewhere', () => {
  test('is swept when its directory is gone, but not at once, and no other is', async () => {
    const [gone, kept] = [await places(), await places()];
    const home = await make(gone);
    const other = await make({ ...kept, elsewhere: gone.elsewhere });
    await mkdir(join(gone.elsewhere, 'starling-0-being-made'));
    await writeFile(join(gone.elsewhere, 'starling-0-file'), '');
    await rm(gone.directory, { recursive: true });
    expect(await sweepOrphans(gone.elsewhere)).toEqual([]);
    await recordOrigin(other);
    expect((await sweepOrphans(gone.elsewhere, 0)).toSorted()).toEqual(
      [home.path, join(gone.elsewhere, 'starling-0-being-made')].toSorted(),
    );
    expect(await findHome(kept.directory, gone.elsewhere)).toEqual(other);
  });

  test('is swept at once when its directory was removed and made again', async () => {
    const at = await places();
    const old = await make(at);
    await rm(at.directory, { recursive: true });
    const home = await make(at);
    expect(await sweepOrphans(at.elsewhere)).toEqual([old.path]);
    expect(await readdir(at.elsewhere)).toEqual([basename(home.path)]);
    expect(await findHome(at.directory, at.elsewhere)).toEqual(home);
  });

  test('is swept at once when its directory is there and points nowhere', async () => {
    const at = await places();
    const home = await make(at);
    await rm(join(at.directory, 'location'), { recursive: true });
    expect(await sweepOrphans(at.elsewhere)).toEqual([home.path]);
  });

  test('is not swept at once when it is in the making, or its directory has only been renamed', async () => {
    const making = await places();
    const home = await makeHome(making.directory, await serverAccount(), making.elsewhere);
    await rm(join(making.directory, 'location'), { recursive: true });
    const renamed = { ...(await places()), elsewhere: making.elsewhere };
    const other = await make(renamed);
    await rename(renamed.project, `${renamed.project} renamed`);
    expect(await sweepOrphans(making.elsewhere)).toEqual([]);
    const anHourAgo = new Date(Date.now() - 60 * 60_000);
    for (const { path } of [home, other]) await utimes(originFile(path), anHourAgo, anHourAgo);
    expect(await sweepOrphans(making.elsewhere)).toEqual([home.path]);
    expect(await findHome(join(`${renamed.project} renamed`, 'postgres'), making.elsewhere)).toBeDefined();
  });

  test('is not swept by others that make it at once, and its predecessor is swept by one of them', async () => {
    const at = await places();
    for (let round = 0; round < 20; round += 1) {
      await rm(at.directory, { recursive: true, force: true });
      const homes = await Promise.all(
        [1, 2, 3, 4].map(async () => {
          const home = await make(at);
          await sweepOrphans(at.elsewhere);
          return home;
        }),
      );
      expect(new Set(homes.map(({ path }) => path)).size).toBe(1);
      expect(await findHome(at.directory, at.elsewhere)).toEqual(homes[0]);
      await sweepOrphans(at.elsewhere);
      expect(await readdir(at.elsewhere)).toEqual([basename(homes[0]?.path ?? '')]);
    }
  });

  test.each([
    { whose: 'another account', isServerAccount: false, isAtWork: true },
    { whose: 'the account, working somewhere else', isServerAccount: true, isAtWork: false },
  ])('is swept without touching a process of $whose', async ({ isServerAccount, isAtWork }) => {
    const at = await places();
    const home = await make(at);
    await mkdir(home.data);
    const account = isServerAccount ? await serverAccount() : undefined;
    const process = await pretendServer(home, account, isAtWork ? home.data : '/');
    await rm(at.directory, { recursive: true });
    await stopOrphans(at.directory, 'fast', at.elsewhere);
    await make(at);
    expect(await sweepOrphans(at.elsewhere)).toEqual([home.path]);
    expect(process()).toBe('runs');
  });
});

/** A process that is not the server of that home, though its postmaster.pid says so. */
async function pretendServer(home: Home, account: Account | undefined, cwd: string): Promise<() => string> {
  const child = spawn('sleep', ['60'], { ...spawnIdentity(account), cwd });
  afterwards(async () => void child.kill());
  await once(child, 'spawn');
  const { uid, gid } = (await serverAccount()) ?? { uid: 0, gid: 0 };
  await chown(home.data, uid, gid);
  await writeFile(join(home.data, 'postmaster.pid'), `${String(child.pid)}\n${home.data}\n`);
  return () => (child.exitCode === null && child.signalCode === null ? 'runs' : 'ended');
}

/** The directory for a cluster, below one of mode 0700: `<0700>/state/postgres`. */
async function closedDirectory(): Promise<string> {
  const closed = await temporaryDirectory();
  await chmod(closed, 0o700);
  const directory = join(closed, 'state', 'postgres');
  afterwards(async () => removeCluster(directory));
  return directory;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe.runIf(isRoot())('a server whose directory was removed', () => {
  test('is stopped, and its home removed, by those that start another one there at once', async () => {
    const program = await bundle();
    const directory = await closedDirectory();
    await startCluster({ directory, fsync: false });
    const [home, pid] = [await findHome(directory), await postmasterPid(directory)];
    await rm(dirname(directory), { recursive: true });
    expect(await clusterExists(directory)).toBe(false);
    const starts = [1, 2, 3].map(async () => started(run(program, { directory, fsync: false })));
    const [first, ...others] = await Promise.all(starts);
    expect(others).toEqual([first, first]);
    expect(await clusterExists(directory)).toBe(true);
    expect(isAlive(pid)).toBe(false);
    expect(await exists(home?.path ?? '')).toBe(false);
  });

  test('is found by stop, and its home is removed once the directory is there again', async () => {
    const directory = await closedDirectory();
    const cluster = await startCluster({ directory, fsync: false });
    const home = await findHome(directory);
    await rm(dirname(directory), { recursive: true });
    await stopCluster(directory);
    expect(await cluster.running()).toBe(false);
    expect(await exists(home?.path ?? '')).toBe(true);
    await mkdir(directory, { recursive: true });
    await stopCluster(directory);
    expect(await exists(home?.path ?? '')).toBe(false);
  });

  test('is left alone by the stop of another directory, for it may have been renamed', async () => {
    const [directory, another] = [await closedDirectory(), await closedDirectory()];
    const cluster = await startCluster({ directory, fsync: false });
    const renamed = join(dirname(dirname(directory)), 'renamed');
    await rename(dirname(directory), renamed);
    afterwards(async () => removeCluster(join(renamed, 'postgres')));
    await stopCluster(another);
    expect(await cluster.running()).toBe(true);
    expect((await startCluster({ directory: join(renamed, 'postgres') })).port).toBe(cluster.port);
  });
});
