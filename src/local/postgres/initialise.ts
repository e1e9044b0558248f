/** Makes a new cluster: a data directory with a password, and the port it is to listen on. */

import { randomBytes } from 'node:crypto';
import { chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { PipelineError } from '../../shared/errors.ts';
import { runAs, type Account } from './account.ts';
import { type Binaries } from './binaries.ts';
import { buildDirectory } from './files.ts';
import { type Home } from './home.ts';
import { freePort } from './port.ts';

/** The first version that has a collation provider of its own, the same on every system. */
const BUILTIN_PROVIDER_MAJOR = 17;

export async function initialise(
  home: Home,
  binaries: Binaries,
  account: Account | undefined,
  port: number | undefined,
): Promise<void> {
  await buildDirectory(home.cluster, async (aside) => {
    const password = join(aside, basename(home.passwordFile));
    await writeFile(password, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600, flush: true });
    await writeFile(join(aside, basename(home.portFile)), String(port ?? (await freePort())), { flush: true });
    const data = join(aside, basename(home.data));
    await mkdir(data, { mode: 0o700 });
    if (account !== undefined) {
      for (const path of [password, data]) await chown(path, account.uid, account.gid);
    }
    await initdb(binaries, account, data, password);
  });
}

async function initdb(
  binaries: Binaries,
  account: Account | undefined,
  data: string,
  password: string,
): Promise<void> {
  const { status, output } = await runAs(account, binaries.initdb, [
    `--pgdata=${data}`,
    '--username=postgres',
    '--auth=scram-sha-256',
    `--pwfile=${password}`,
    '--encoding=UTF8',
    ...localeOf(binaries.major),
    // Half of the time otherwise; the first checkpoint syncs what matters later.
    '--no-sync',
  ]);
  if (status === 0) return;
  const end = output.split('\n').slice(-3).join(' ');
  throw new PipelineError('local', `initdb could not make a database in ${data} (status ${String(status)}): ${end}`);
}

/** Strings sort by code point, the same on every system; where it can be had, upper() and lower() know all letters. */
function localeOf(major: number): readonly string[] {
  if (major < BUILTIN_PROVIDER_MAJOR) return ['--locale=C'];
  return ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
}

export async function readPassword(home: Home): Promise<string> {
  return (await readFile(home.passwordFile, 'utf8')).trim();
}
