import { spawn } from 'node:child_process';
import { chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { isRoot, parsePasswd, serverAccount, spawnIdentity } from '../../../src/local/postgres/account.ts';
import { startCluster, stopCluster } from '../../../src/local/postgres/cluster.ts';
import { findHome } from '../../../src/local/postgres/home.ts';
import { afterwards } from '../../support/postgres.ts';
import { bundle, run, started } from './another-process.ts';
import { clusterDirectory, postmasterPid, query } from './clusters.ts';

let program: string;
beforeAll(async () => {
  program = await bundle();
});

describe('with other processes', () => {
  test('two that start it at once get the same server', async () => {
    const directory = await clusterDirectory();
    const starts = [1, 2, 3].map(async () => started(run(program, { directory, fsync: false })));
    const [first, ...others] = await Promise.all(starts);
    expect(others).toEqual([first, first]);
    await stopCluster(directory);
    const again = [1, 2, 3].map(async () => started(run(program, { directory, fsync: false })));
    expect(await Promise.all(again)).toEqual([first, first, first]);
  });

  test('the server survives the process that started it and holds none of its pipes', async () => {
    const directory = await clusterDirectory();
    const { url, port } = await started(run(program, { directory, fsync: false }));
    expect(await query(url, 'select 1')).toEqual([1]);
    expect((await startCluster({ directory })).port).toBe(port);
  });

  test('a process that is killed at any moment leaves what the next start can use', async () => {
    const directory = await clusterDirectory();
    for (const afterMs of [80, 150, 250, 400, 550, 700, 850, 1000, 1150]) {
      const child = run(program, { directory, fsync: false });
      await sleep(afterMs);
      child.kill('SIGKILL');
      await stopCluster(directory, 'immediate');
    }
    const cluster = await startCluster({ directory, fsync: false });
    expect(await query(cluster.superuserUrl('postgres'), 'select 1')).toEqual([1]);
  });

  test.runIf(isRoot())('a user who is not root runs it as themselves', async () => {
    const nobody = parsePasswd(await readFile('/etc/passwd', 'utf8')).get('nobody');
    if (nobody === undefined) throw new Error('no account to test with');
    const directory = await clusterDirectory();
    await mkdir(directory);
    await chown(directory, nobody.uid, nobody.gid);
    const first = await started(run(program, { directory, fsync: false }, nobody));
    expect(await query(first.url, 'select 1')).toEqual([1]);
    await stopCluster(directory);
    // And root carries it on as that user, not as whom it would have chosen itself.
    expect((await startCluster({ directory, fsync: false })).port).toBe(first.port);
    await stopCluster(directory);
    expect(await started(run(program, { directory, fsync: false }, nobody))).toEqual(first);
  });

  test.runIf(isRoot())("a user who may not read another one's cluster is told so", async () => {
    const nobody = parsePasswd(await readFile('/etc/passwd', 'utf8')).get('nobody');
    const directory = await clusterDirectory();
    await startCluster({ directory, fsync: false });
    const start = started(run(program, { directory }, nobody));
    await expect(start).rejects.toThrow(/permission denied.*run Starling as the user that made that directory/);
  });
});

describe('after a crash', () => {
  test('a server that was killed starts again, with its data and its port', async () => {
    const directory = await clusterDirectory();
    const cluster = await startCluster({ directory });
    await query(cluster.superuserUrl('postgres'), 'create table kept as select 42 as answer');
    process.kill(await postmasterPid(directory), 'SIGKILL');
    const again = await startCluster({ directory });
    expect(again.port).toBe(cluster.port);
    expect(await query(again.superuserUrl('postgres'), 'select answer from kept')).toEqual([42]);
  });

  test('a killed server starts again although its process id belongs to something else now', async () => {
    const directory = await clusterDirectory();
    const cluster = await startCluster({ directory, fsync: false });
    const pidFile = join((await findHome(directory))?.data ?? '', 'postmaster.pid');
    const pid = await postmasterPid(directory);
    process.kill(pid, 'SIGKILL');
    // A process of the server's own account, which is what PostgreSQL itself is taken in by.
    const other = spawn('sleep', ['60'], spawnIdentity(await serverAccount()));
    afterwards(async () => void other.kill());
    await writeFile(pidFile, (await readFile(pidFile, 'utf8')).replace(String(pid), String(other.pid)));
    await stopCluster(directory);
    const again = await startCluster({ directory, fsync: false });
    expect(await again.running()).toBe(true);
    expect(again.port).toBe(cluster.port);
  });

  test('a server that was stopped in a hurry recovers', async () => {
    const directory = await clusterDirectory();
    const cluster = await startCluster({ directory, fsync: false });
    await cluster.stop('immediate');
    expect(await (await startCluster({ directory, fsync: false })).running()).toBe(true);
  });
});
