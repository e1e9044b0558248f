import { createServer } from 'node:net';
import { once } from 'node:events';
import { to as copyTo } from 'pg-copy-streams';
import type pg from 'pg';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { close, connect, destroy, inTransaction } from '../../../src/shared/postgres/client.ts';
import { roleUrl } from '../../ingest/roles.ts';
import { proxyTo } from './proxy.ts';
import { afterwards, connectTo, freshDatabase, temporaryDirectory } from '../../support/postgres.ts';

async function opened(settings: Readonly<Record<string, string>> = {}): Promise<{ client: pg.Client; url: string }> {
  const url = await freshDatabase('client');
  const client = await connect('source', url, { TimeZone: 'UTC', ...settings });
  afterwards(async () => close(client));
  return { client, url };
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

const ENDLESS = 'copy (select generate_series(1, 100000000)) to stdout';

describe('a connection', () => {
  test('has the settings that it was given, whatever is in them', async () => {
    const { client } = await opened({ search_path: '', application_name: `it's "odd"`, DateStyle: 'ISO, YMD' });
    for (const [name, value] of [['search_path', ''], ['application_name', `it's "odd"`], ['DateStyle', 'ISO, YMD']]) {
      const { rows } = await client.query<{ value: string }>('select current_setting($1) as value', [name]);
      expect(rows[0]?.value).toBe(value);
    }
  });

  test('gives all values as PostgreSQL writes them', async () => {
    const { client } = await opened();
    const { rows } = await client.query(`select 1 as one, true as yes, 9007199254740993 as big, 1.10 as exact,
      date '2024-08-07' as day, timestamp '2024-08-07 12:00:00.000001' as moment, array[1, 2] as list, null as none`);
    expect(rows).toEqual([{
      one: '1', yes: 't', big: '9007199254740993', exact: '1.10', day: '2024-08-07',
      moment: '2024-08-07 12:00:00.000001', list: '{1,2}', none: null,
    }]);
  });

  test('that cannot be given its settings is an error, and is closed', async () => {
    const url = await freshDatabase('client');
    await expect(connect('warehouse', url, { no_such_setting: '1' })).rejects.toMatchObject({
      kind: 'warehouse_failed', context: { sqlstate: '42704' },
    });
    const sql = await connectTo(url);
    const sessions = `select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`;
    await expect.poll(async () => (await sql.query(sessions)).rowCount).toBe(0);
  });

  test('to somebody who hangs up is unreachable', async () => {
    const server = createServer((socket) => socket.destroy());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    afterwards(async () => { server.close(); });
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await expect(connect('source', `postgres://a:b@127.0.0.1:${port}/x`, {})).rejects.toMatchObject({
      kind: 'source_unreachable',
    });
  });

  test('whose address makes no sense is a wrong setting, and the address is not quoted', async () => {
    await expect(connect('source', 'postgres://me:s3cret@[::1/x', {})).rejects.toMatchObject({
      kind: 'config', message: expect.not.stringContaining('s3cret'),
    });
  });
});

/** A user whose password is nowhere yet. */
async function withoutPassword(): Promise<{ readonly url: string; readonly user: string; readonly password: string }> {
  const url = await freshDatabase('client');
  const theirs = new URL(await roleUrl({ url, sql: await connectTo(url) }));
  const { username: user, password } = theirs;
  theirs.password = '';
  return { url: theirs.href, user, password };
}

async function passfile(user: string, password: string): Promise<void> {
  const file = join(await temporaryDirectory(), 'pgpass');
  await writeFile(file, `*:*:*:${user}:${password}\n`, { mode: 0o600 });
  vi.stubEnv('PGPASSFILE', file);
}

describe('a password that is not in the URL', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  test('is taken from the password file, without a warning of the driver', async () => {
    const warnings: unknown[] = [];
    const heard = (warning: unknown): void => void warnings.push(warning);
    process.on('warning', heard);
    const { url, user, password } = await withoutPassword();
    await passfile(user, password);
    await close(await connect('source', url, { TimeZone: 'UTC' }));
    process.off('warning', heard);
    expect(warnings).toEqual([]);
  });

  test('is that of PGPASSWORD, whatever is in the file', async () => {
    const { url, user, password } = await withoutPassword();
    await passfile(user, 'another');
    vi.stubEnv('PGPASSWORD', password);
    const client = await connect('source', url, { TimeZone: 'UTC' });
    expect(client).toHaveProperty('user', user);
    await close(client);
  });

  test('and nowhere else is an error that says whose and where to put it', async () => {
    const { url, user } = await withoutPassword();
    await passfile('somebody else', 'x');
    const { host, pathname } = new URL(url);
    await expect(connect('warehouse', url, {})).rejects.toMatchObject({
      kind: 'warehouse_denied',
      message: `warehouse: no password for ${user}@${host}${pathname}: ` +
        'put it into the URL, PGPASSWORD or ~/.pgpass (mode 0600)',
    });
  });
});

describe('closing a connection', () => {
  test('that does nothing takes no time, and can be done twice', async () => {
    const { client } = await opened();
    expect(await secondsOf(async () => close(client))).toBeLessThan(0.5);
    expect(await secondsOf(async () => close(client))).toBeLessThan(0.5);
    await expect(client.query('select 1')).rejects.toThrow('not queryable');
  });

  test('in the middle of a COPY that nobody reads does not wait for the rest', async () => {
    const { client } = await opened();
    const stream = client.query(copyTo(ENDLESS));
    stream.on('error', () => undefined);
    await once(stream, 'readable');
    expect(await secondsOf(async () => close(client))).toBeLessThan(2);
  });

  test('that its server has ended takes no time', async () => {
    const { client, url } = await opened();
    const { rows } = await client.query<{ pid: string }>('select pg_backend_pid() as pid');
    const sql = await connectTo(url);
    await sql.query(`select pg_terminate_backend(${rows[0]?.pid})`);
    expect(await secondsOf(async () => close(client))).toBeLessThan(0.5);
  });

  test('whose server has fallen silent takes a second', async () => {
    const url = new URL(await freshDatabase('client'));
    const proxy = await proxyTo(Number(url.port));
    url.port = String(proxy.port);
    const client = await connect('source', url.href, { TimeZone: 'UTC' });
    proxy.silence();
    const seconds = await secondsOf(async () => close(client));
    expect(seconds).toBeGreaterThan(0.9);
    expect(seconds).toBeLessThan(3);
  });

  test('that was cut already is no error', async () => {
    const { client } = await opened();
    destroy(client);
    expect(await secondsOf(async () => close(client))).toBeLessThan(2);
  });

  test('that never came to be is no error', async () => {
    const opening = connect('source', 'postgres://a:b@127.0.0.1:1/x', {});
    await expect(opening).rejects.toMatchObject({ kind: 'source_unreachable' });
  });
});

test('a connection that is cut fails what waits on it', async () => {
  const { client } = await opened();
  const waiting = client.query('select pg_sleep(60)').catch((error: unknown) => error);
  destroy(client);
  expect(await waiting).toBeInstanceOf(Error);
});

describe('a transaction', () => {
  test('is committed when its work is done', async () => {
    const { client } = await opened();
    await client.query('create table item (id int)');
    expect(await inTransaction(client, 'begin', async () => {
      await client.query('insert into item values (1)');
      return 'done';
    })).toBe('done');
    await client.query('rollback');
    expect((await client.query('select from item')).rowCount).toBe(1);
  });

  test('is rolled back when its work fails, with the error of the work', async () => {
    const { client } = await opened();
    await client.query('create table item (id int)');
    const bug = new TypeError('no');
    await expect(inTransaction(client, 'begin', async () => {
      await client.query('insert into item values (1)');
      throw bug;
    })).rejects.toBe(bug);
    expect((await client.query('select from item')).rowCount).toBe(0);
  });

  test('that has lost its connection fails with the error of the work', async () => {
    const { client } = await opened();
    const bug = new TypeError('no');
    await expect(inTransaction(client, 'begin', async () => {
      destroy(client);
      throw bug;
    })).rejects.toBe(bug);
  });
});
