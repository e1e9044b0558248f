import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { freePort } from './port.ts';
import { afterwards, temporaryDirectory } from './postgres.ts';
import { hasProgram } from './skip.ts';

export function hasPgbouncer(): boolean {
  return hasProgram('pgbouncer', 'all tests that need a pooler');
}

/**
 * A pooler in session mode in front of the server of `url`, with one connection a database for all its clients.
 * @param more Lines of its settings.
 */
export async function pooled(url: string, more: readonly string[] = []): Promise<string> {
  const directory = await temporaryDirectory();
  const { hostname, port, username, password } = new URL(url);
  const listenPort = await freePort();
  await writeFile(join(directory, 'users.txt'), `"${decodeURIComponent(username)}" "${decodeURIComponent(password)}"\n`, { mode: 0o644 });
  const settings = [
    '[databases]', `* = host=${hostname} port=${port}`,
    '[pgbouncer]', 'listen_addr = 127.0.0.1', `listen_port = ${listenPort}`, 'unix_socket_dir =',
    'auth_type = plain', `auth_file = ${join(directory, 'users.txt')}`,
    'pool_mode = session', 'default_pool_size = 1', ...more,
  ];
  const file = join(directory, 'pgbouncer.ini');
  await writeFile(file, `${settings.join('\n')}\n`, { mode: 0o644 });
  // It does not run as root.
  const account = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const server = spawn('pgbouncer', ['-q', ...account, file], { stdio: 'ignore' });
  const kill = () => server.kill('SIGKILL');
  process.once('exit', kill);
  afterwards(async () => {
    process.off('exit', kill);
    if (server.exitCode === null && server.signalCode === null && kill()) await once(server, 'exit');
  });
  const pooledUrl = new URL(url);
  pooledUrl.port = String(listenPort);
  await untilReady(pooledUrl.href, () => server.exitCode === null);
  return pooledUrl.href;
}

async function untilReady(url: string, isAlive: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; Date.now() < end && isAlive(); await delay(50)) {
    const client = new Client({ connectionString: url });
    client.on('error', () => undefined);
    const isReady = await client.connect().then(() => true, () => false);
    await client.end().catch(() => undefined);
    if (isReady) return;
  }
  throw new Error('pgbouncer did not start');
}
