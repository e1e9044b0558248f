import { once } from 'node:events';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { isRoot } from '../../../src/local/postgres/account.ts';
import { removeCluster, startCluster, stopCluster } from '../../../src/local/postgres/cluster.ts';
import { exists } from '../../../src/local/postgres/files.ts';
import { findHome } from '../../../src/local/postgres/home.ts';
import { afterwards, otherServers, ownServer } from '../../support/postgres.ts';
import { clusterDirectory, postmasterPid, query } from './clusters.ts';

describe('a new cluster', () => {
  test('answers as version 18 on 127.0.0.1, with UTF-8, UTC, code-point order and fsync on', async () => {
    const cluster = await startCluster({ directory: await clusterDirectory() });
    expect(cluster.version).toMatch(/^18\./);
    expect(await cluster.running()).toBe(true);
    expect(
      await query(
        cluster.superuserUrl('postgres'),
        `select current_setting('server_encoding'), current_setting('TimeZone'), current_setting('fsync'),
           current_setting('listen_addresses'), 'Z' < 'a', upper('é'), current_user::text`,
      ),
    ).toEqual(['UTF8', 'UTC', 'on', '127.0.0.1', true, 'É', 'postgres']);
  });

  test('lets nobody in without the password', async () => {
    const { port } = await ownServer();
    await expect(query(`postgresql://postgres@127.0.0.1:${port}/postgres`, 'select 1')).rejects.toThrow(/password/);
    await expect(query(`postgresql://postgres:no@127.0.0.1:${port}/postgres`, 'select 1')).rejects.toThrow(/password/);
  });

  test('takes settings of the caller, and is without fsync when told so', async () => {
    const cluster = await ownServer({ settings: { max_prepared_transactions: 7, max_connections: 20 } });
    const settings = `select current_setting('max_prepared_transactions'), current_setting('max_connections'),
      current_setting('fsync')`;
    expect(await query(cluster.superuserUrl('postgres'), settings)).toEqual(['7', '20', 'off']);
  });

  test('says which setting it did not like', async () => {
    await expect(ownServer({ settings: { shared_buffers: 'plenty' } })).rejects.toThrow(/FATAL: .*"shared_buffers"/);
  });

  test('can have a name with spaces, quotes and dollars', async () => {
    const directory = await clusterDirectory(`it's "my" $HOME directory`);
    // Not copied there, as below a directory of root's own: initdb itself does not find its way in such a place.
    const options = { directory, fsync: false, binariesDirectory: inject('binariesDirectory') };
    const cluster = await startCluster(options);
    expect(await cluster.running()).toBe(true);
    await cluster.stop();
    expect(await (await startCluster(options)).running()).toBe(true);
  });
});

describe('a cluster that is there', () => {
  test('is attached to when it runs', async () => {
    const directory = await clusterDirectory();
    const first = await startCluster({ directory, fsync: false });
    const pid = await postmasterPid(directory);
    const second = await startCluster({ directory });
    expect(second.superuserUrl('a/b')).toBe(first.superuserUrl('a/b'));
    expect(await postmasterPid(directory)).toBe(pid);
  });

  test('carries on after a stop with its data and its port', async () => {
    const directory = await clusterDirectory();
    const first = await startCluster({ directory, fsync: false });
    await query(first.superuserUrl('postgres'), 'create table kept as select 42 as answer');
    await first.stop();
    expect(await first.running()).toBe(false);
    const second = await startCluster({ directory, fsync: false });
    expect(second.port).toBe(first.port);
    expect(await query(second.superuserUrl('postgres'), 'select answer from kept')).toEqual([42]);
  });

  test('takes another port when its own is taken, and keeps that from then on', async () => {
    const directory = await clusterDirectory();
    const first = await startCluster({ directory, fsync: false });
    await first.stop();
    const squatter = createServer().listen(first.port, '127.0.0.1');
    await once(squatter, 'listening');
    const second = await startCluster({ directory, fsync: false });
    expect(second.port).not.toBe(first.port);
    squatter.close();
    await second.stop();
    expect((await startCluster({ directory, fsync: false })).port).toBe(second.port);
  });

  test('uses the port it is told, or says that it is taken', async () => {
    const other = await ownServer();
    await expect(ownServer({ port: other.port })).rejects.toThrow(`Port ${other.port} of 127.0.0.1 is taken`);
    await other.stop();
    expect((await ownServer({ port: other.port })).port).toBe(other.port);
  });

  test('is stopped by a process that did not start it, and stopping it again is no error', async () => {
    const directory = await clusterDirectory();
    const cluster = await startCluster({ directory, fsync: false });
    await stopCluster(directory);
    expect(await cluster.running()).toBe(false);
    await stopCluster(directory);
    await cluster.stop();
    await cluster.stop('immediate');
    await stopCluster(join(directory, 'nothing', 'here'));
  });

  test('is gone with all its files when it is removed', async () => {
    const directory = await clusterDirectory();
    const cluster = await startCluster({ directory, fsync: false });
    await removeCluster(directory);
    expect(await cluster.running()).toBe(false);
    expect(await readdir(directory)).toEqual(['server.log']);
    await removeCluster(directory);
  });

  test('is not started by another major version, which says what to do', async () => {
    const directory = await clusterDirectory();
    await (await startCluster({ directory, fsync: false })).stop();
    const home = await findHome(directory);
    await writeFile(join(home?.data ?? '', 'PG_VERSION'), '12\n');
    await expect(startCluster({ directory })).rejects.toThrow(/made by PostgreSQL 12, and this is 18: dump it/);
  });
});

test('a cluster under a directory of mode 0700 works, and leaves nothing when removed', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'starling closed '));
  afterwards(async () => rm(parent, { recursive: true, force: true }));
  await chmod(parent, 0o700);
  const directory = join(parent, 'state', 'postgres');
  const first = await startCluster({ directory, fsync: false });
  await query(first.superuserUrl('postgres'), 'create table kept as select 42 as answer');
  await first.stop();
  const second = await startCluster({ directory, fsync: false });
  expect(second.port).toBe(first.port);
  expect(await query(second.superuserUrl('postgres'), 'select answer from kept')).toEqual([42]);
  const home = await findHome(directory);
  await removeCluster(directory);
  expect(await readdir(directory)).toEqual(['server.log']);
  // For anybody but root the home is that directory itself.
  expect(await exists(home?.path ?? '')).toBe(!isRoot());
});

test.for(otherServers())('version $major of PostgreSQL works too', async ({ major, binariesDirectory }) => {
  const cluster = await ownServer({ binariesDirectory, settings: { max_prepared_transactions: 2 } });
  expect(cluster.version).toMatch(new RegExp(`^${major}\\.`));
  expect(await query(cluster.superuserUrl('postgres'), 'select pg_current_snapshot() is not null')).toEqual([true]);
});
