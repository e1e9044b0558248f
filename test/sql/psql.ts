import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { escapeIdentifier } from 'pg';
import type { Superuser } from '../../src/local/postgres/databases.ts';
import type { Ran } from '../support/cli.ts';
import { afterwards, connectTo, freshDatabase, testServer } from '../support/postgres.ts';
import { hasProgram } from '../support/skip.ts';

const PSQL = 'psql';

/** Whether there is a psql to run the scripts with. */
export function hasPsql(): boolean {
  return hasProgram(PSQL, 'all tests of sql/*.sql and of the queries in the docs');
}

export type Script = 'source-reader' | 'warehouse-loader' | 'warehouse-analyst';

export interface ScriptOptions {
  readonly variables?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  /** Further arguments of psql. */
  readonly flags?: readonly string[];
}

/** Runs one of the scripts, as whoever the URL names. */
export async function runScript(script: Script, url: string, options: ScriptOptions = {}): Promise<Ran> {
  const file = fileURLToPath(new URL(`../../sql/${script}.sql`, import.meta.url));
  const variables = Object.entries(options.variables ?? {}).flatMap(([name, value]) => ['-v', `${name}=${value}`]);
  const { PATH = '' } = process.env;
  const child = spawn(PSQL, [url, '-X', ...(options.flags ?? []), ...variables, '-f', file], {
    // An account's own defaults are no part of a test.
    env: { PATH, LC_ALL: 'C.UTF-8', PGCONNECT_TIMEOUT: '10', ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ status: code ?? 1, stdout, stderr }));
  });
}

/** Who logs in, and with what. */
export interface Login {
  readonly name: string;
  readonly password: string;
}

/**
 * A name that no other role of the server has, and a password; there is no such role yet. Roles are the server's: it
 * is dropped after the databases that were made after this call.
 */
export function freshLogin(kind: string, server: Superuser = testServer, password = 'pass word'): Login {
  const name = `${kind}_${randomBytes(4).toString('hex')}`;
  afterwards(async () => {
    const superuser = await connectTo(server.superuserUrl('postgres'));
    await superuser.query(`drop role if exists ${escapeIdentifier(name)}`);
    await superuser.end();
  });
  return { name, password };
}

/** One who may make roles and is no superuser: what a managed server gives its owner. */
export async function freshAdmin(server: Superuser = testServer): Promise<Login> {
  const admin = freshLogin('admin', server, 'master');
  const superuser = await connectTo(server.superuserUrl('postgres'));
  await superuser.query(`create role ${admin.name} login createrole createdb password 'master'`);
  return admin;
}

/** The URL of a new database of `owner`'s, as which one connects with it. */
export async function databaseOf(owner: Login, server: Superuser = testServer): Promise<string> {
  const url = await freshDatabase('owned', server);
  const superuser = await connectTo(url);
  await superuser.query(`
    do $$ begin
      execute format('alter database %I owner to ${owner.name}', current_database());
    end $$`);
  await superuser.end();
  return urlOf(url, owner);
}

/** The same database, as somebody else. */
export function urlOf(url: string, { name, password }: Login): string {
  const own = new URL(url);
  own.username = encodeURIComponent(name);
  own.password = encodeURIComponent(password);
  return own.href;
}
