/**
 * Databases and servers for tests. What a helper here makes is cleared away again: by the end of the test if it was
 * called in one, otherwise by the end of the test file.
 */

import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { Client } from 'pg';
import { afterAll, inject, onTestFinished, TestRunner } from 'vitest';
import { removeCluster, startCluster, type Cluster, type ClusterOptions } from '../../src/local/postgres/cluster.ts';
import { cloneDatabase, dropDatabase, ensureDatabase, type Superuser } from '../../src/local/postgres/databases.ts';

type Cleanup = () => Promise<void>;

const atEndOfFile: Cleanup[] = [];

afterAll(async () => {
  for (const cleanup of atEndOfFile.toReversed()) await cleanup();
});

/** Runs `cleanup` after the current test, or after the file's last one when called in a `beforeAll` or outside. */
export function afterwards(cleanup: Cleanup): void {
  if (TestRunner.getCurrentTest() === undefined) atEndOfFile.push(cleanup);
  else onTestFinished(cleanup);
}

/** The server that all test files share, as its superuser. */
export const testServer: Superuser = {
  superuserUrl: (database) => {
    const url = new URL(inject('postgresUrl'));
    url.pathname = `/${encodeURI(database)}`;
    return url.href;
  },
};

/** The URL of a new, empty database; `name` only makes it easier to recognise. */
export async function freshDatabase(name = 'test', server: Superuser = testServer): Promise<string> {
  const database = uniqueName(name);
  await ensureDatabase(server, database);
  afterwards(async () => dropDatabase(server, database));
  return server.superuserUrl(database);
}

/** The URL of a new copy of the database at `templateUrl`, which nobody may be connected to. */
export async function clonedDatabase(templateUrl: string, server: Superuser = testServer): Promise<string> {
  const template = decodeURI(new URL(templateUrl).pathname.slice(1));
  const database = uniqueName('clone');
  await cloneDatabase(server, template, database);
  afterwards(async () => dropDatabase(server, database));
  return server.superuserUrl(database);
}

function uniqueName(name: string): string {
  return `${name}_${randomBytes(6).toString('hex')}`;
}

/** A connected client. That the server ends its session is no error here. */
export async function connectTo(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  afterwards(async () => client.end());
  return client;
}

/** A server of the test's own, in a directory of its own unless told otherwise; for other settings or versions. */
export async function ownServer(options: Partial<ClusterOptions> = {}): Promise<Cluster> {
  const directory = options.directory ?? join(await temporaryDirectory(), 'postgres');
  afterwards(async () => removeCluster(directory));
  return startCluster({ fsync: false, binariesDirectory: inject('binariesDirectory'), ...options, directory });
}

/** A directory that every account can get into. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(inject('runDirectory'), 'test-'));
  await chmod(directory, 0o755);
  afterwards(async () => rm(directory, { recursive: true, force: true }));
  return directory;
}

export interface OtherServer {
  readonly major: number;
  /** For `ownServer({ binariesDirectory })`. */
  readonly binariesDirectory: string;
}

/**
 * Other versions of PostgreSQL to test against: those of Debian, and the directories (of `initdb` and `postgres`, or
 * of an npm package with them) that STARLING_TEST_POSTGRES_BINARIES names, separated by colons.
 */
export function otherServers(): readonly OtherServer[] {
  const debian = '/usr/lib/postgresql';
  const installed = existsSync(debian) ? readdirSync(debian).map((version) => join(debian, version, 'bin')) : [];
  const named = (process.env['STARLING_TEST_POSTGRES_BINARIES'] ?? '').split(':').filter((name) => name !== '');
  return [...installed.filter((bin) => existsSync(join(bin, 'initdb'))), ...named].map((binariesDirectory) => ({
    binariesDirectory,
    major: majorOf(binariesDirectory),
  }));
}

/** Of an npm package by its package.json: its program does not run before its symlinks have been restored. */
function majorOf(directory: string): number {
  const manifest = ['.', '..', '../..']
    .map((up) => join(directory, up, 'package.json'))
    .find((file) => existsSync(file));
  const version =
    manifest === undefined
      ? spawnSync(join(directory, 'postgres'), ['--version'], { encoding: 'utf8' }).stdout
      : readFileSync(manifest, 'utf8');
  const major = /\(PostgreSQL\) (\d+)|"version": *"(\d+)/.exec(version);
  if (major === null) throw new Error(`no PostgreSQL in ${directory}`);
  return Number(major[1] ?? major[2]);
}
