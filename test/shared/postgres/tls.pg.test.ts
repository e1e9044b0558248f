import { spawnSync } from 'node:child_process';
import { chmod, chown, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { close, connect } from '../../../src/shared/postgres/client.ts';
import { freshDatabase, ownServer, temporaryDirectory } from '../../support/postgres.ts';
import { hasProgram } from '../../support/skip.ts';

const isThere = hasProgram('openssl', 'tests of TLS', 'version');

function openssl(...argv: readonly string[]): void {
  const { status, stderr } = spawnSync('openssl', argv, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

describe.runIf(isThere)('a server with a certificate', () => {
  let url = '';
  let authority = '';

  beforeAll(async () => {
    const directory = await temporaryDirectory();
    const file = (name: string) => join(directory, name);
    const server = await ownServer();
    openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=Starling test authority',
      '-keyout', file('ca.key'), '-out', file('ca.crt'));
    openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost',
      '-keyout', file('server.key'), '-out', file('server.csr'));
    openssl('x509', '-req', '-in', file('server.csr'), '-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-CAcreateserial',
      '-days', '1', '-copy_extensions', 'copy', '-out', file('server.crt'));
    // The server's account is the one that its log belongs to.
    const owner = await stat(server.logPath);
    for (const name of ['server.key', 'server.crt']) {
      await chown(file(name), owner.uid, owner.gid);
      await chmod(file(name), 0o600);
    }
    url = await freshDatabase('tls', server);
    const client = await connect('source', url, {});
    for (const [name, value] of [['ssl_cert_file', file('server.crt')], ['ssl_key_file', file('server.key')], ['ssl', 'on']]) {
      await client.query(`alter system set ${name} = '${value}'`);
    }
    await client.query('select pg_reload_conf()');
    await close(client);
    authority = file('ca.crt');
  });

  /** Whether the connection that these parameters make is encrypted; or the error. */
  async function outcome(host: string, parameters: string): Promise<unknown> {
    const target = new URL(url);
    target.hostname = host;
    target.search = parameters;
    try {
      const client = await connect('source', target.href, {});
      const { rows } = await client.query<{ ssl: string }>('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
      await close(client);
      return rows[0]?.ssl === 't' ? 'encrypted' : 'plain';
    } catch (error) {
      return error;
    }
  }

  const untrusted = expect.objectContaining({ kind: 'source_unreachable', message: expect.stringMatching(/certificate/i) });
  const anotherName = expect.objectContaining({ kind: 'source_unreachable', message: expect.stringContaining('altnames') });

  test.each([
    ['localhost', '', 'plain'],
    ['localhost', 'sslmode=disable', 'plain'],
    ['localhost', 'sslmode=allow', 'plain'],
    ['localhost', 'sslmode=prefer', 'encrypted'],
    ['localhost', 'sslmode=require', 'encrypted'],
    ['localhost', 'sslmode=no-verify', 'encrypted'],
    ['localhost', 'sslmode=verify-ca', untrusted],
    ['localhost', 'sslmode=verify-full', untrusted],
    ['localhost', 'sslmode=verify-full&sslrootcert=CA', 'encrypted'],
    ['127.0.0.1', 'sslmode=verify-full&sslrootcert=CA', anotherName],
    ['127.0.0.1', 'sslmode=verify-ca&sslrootcert=CA', 'encrypted'],
    ['127.0.0.1', 'sslmode=require&sslrootcert=CA', 'encrypted'],
    ['localhost', 'sslmode=require&sslrootcert=system', 'encrypted'],
  ])('at %s with %s', async (host, parameters, expected) => {
    expect(await outcome(host, parameters.replace('CA', authority))).toEqual(expected);
  });
});

test('a server without TLS is taken by prefer alone', async () => {
  const url = await freshDatabase('plain');
  const client = await connect('source', `${url}?sslmode=prefer`, {});
  await close(client);
  for (const mode of ['require', 'verify-full']) {
    await expect(connect('source', `${url}?sslmode=${mode}`, {})).rejects.toMatchObject({ kind: 'source_unreachable' });
  }
});
