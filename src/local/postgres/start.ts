/** Starts the server of a cluster that has been made, or attaches to the one that runs. */

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, DatabaseError } from 'pg';
import { PipelineError } from '../../shared/errors.ts';
import { isRoot, type Account } from './account.ts';
import { prepareBinaries, type Binaries } from './binaries.ts';
import { readIfThere, replaceFile } from './files.ts';
import { type Home } from './home.ts';
import { freePort, isFree } from './port.ts';
import { findPostmaster, lastPort, launch, removeStalePidFile, type Launch } from './postmaster.ts';

export interface ServerOptions {
  /** Otherwise that of last time, or a free one. A server that runs already keeps the port it has. */
  readonly port?: number;
  /** Settings as in postgresql.conf, for a server that is started by this call. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** The directory of `initdb` and `postgres`, instead of those from npm. */
  readonly binariesDirectory?: string;
  /** Default true. Off is for tests: quicker, and lost when the machine (not the server) crashes. */
  readonly fsync?: boolean;
}

export interface Server {
  readonly port: number;
  /** Such as '18.4'. */
  readonly version: string;
}

/** Recovery after a crash is part of a start. */
const START_TIMEOUT_MS = 120_000;
const CONNECT_TIMEOUT_MS = 5_000;
const POLL_MS = 20;
/** Between two starts: what is left of a killed server needs a moment to go. */
const RETRY_MS = 250;

/** Class 28 of SQLSTATE: the password is not that of this server, and waiting does not help. */
const INVALID_AUTHORIZATION = '28';

type Answer = { readonly version: string } | { readonly reason: string; readonly isDenied: boolean };

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: 100,
  shared_buffers: '128MB',
  log_destination: 'stderr',
  log_timezone: 'UTC',
  timezone: 'UTC',
  // Costs more than it gains on the short queries here.
  jit: 'off',
} as const;

const WITHOUT_FSYNC = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  // Ingest waits until what it has read is flushed.
  wal_writer_delay: '10ms',
} as const;

/** Log lines of a start that met another server's traces and may be tried again. */
const WORTH_ANOTHER_TRY = /lock file "postmaster\.pid"|shared memory block|Address already in use/;

/** The server of `home`, answering to `password`, with its port on file. */
export async function startOrAttach(home: Home, options: ServerOptions, password: string): Promise<Server> {
  const server = await waitForServer(home, options, password);
  if ((await readIfThere(home.portFile))?.trim() !== String(server.port)) {
    await replaceFile(home.portFile, String(server.port));
  }
  return server;
}

/**
 * Looks, and starts a server whenever there is none, until one answers. A start that another process was quicker
 * with, or whose port was taken in between, ends by itself and the next look finds out.
 */
async function waitForServer(home: Home, options: ServerOptions, password: string): Promise<Server> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  let attempt: Launch | undefined;
  let reason = 'it did not begin to listen';
  while (Date.now() < deadline) {
    const postmaster = await findPostmaster(home.data);
    if (postmaster?.port !== undefined) {
      const answer = await knock(serverUrl(password, postmaster.port, 'postgres'));
      if ('version' in answer) return { port: postmaster.port, version: answer.version };
      if (answer.isDenied) throw failedStart(home, answer.reason);
      reason = answer.reason;
    } else if (postmaster === undefined && (attempt === undefined || attempt.ended())) {
      if (attempt !== undefined) reason = await requireAnotherTry(attempt, home);
      attempt = await startServer(home, options);
    }
    await sleep(POLL_MS);
  }
  throw failedStart(home, reason);
}

/** Why that start failed, after a pause; an error if the next would fail the same way. */
async function requireAnotherTry(attempt: Launch, home: Home): Promise<string> {
  const output = await attempt.output();
  const reason = output.split('\n').find((line) => line.includes('FATAL:')) ?? output.split('\n').slice(-3).join(' ');
  if (!WORTH_ANOTHER_TRY.test(output)) throw failedStart(home, reason);
  await sleep(RETRY_MS);
  return reason;
}

function failedStart(home: Home, reason: string): PipelineError {
  return new PipelineError('local', `PostgreSQL in ${home.data} does not work: ${reason}. Its log is ${home.log}.`);
}

async function startServer(home: Home, options: ServerOptions): Promise<Launch> {
  const account = await ownerOf(home.data);
  const binaries = await prepareBinaries(account, home.binaries, options.binariesDirectory);
  await requireSameMajor(home, binaries);
  await removeStalePidFile(home.data);
  const settings = {
    ...SETTINGS,
    ...(options.fsync === false ? WITHOUT_FSYNC : {}),
    ...options.settings,
    port: await choosePort(home, options.port),
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return launch(binaries.postgres, ['-D', home.data, ...args], account, home.log);
}

/** Not `serverAccount`: PostgreSQL serves only the owner, and that may be a user who was not root when it was made. */
async function ownerOf(data: string): Promise<Account | undefined> {
  if (!isRoot()) return undefined;
  const { uid, gid } = await stat(data);
  return { uid, gid };
}

async function requireSameMajor(home: Home, binaries: Binaries): Promise<void> {
  const version = (await readIfThere(join(home.data, 'PG_VERSION')))?.trim();
  if (version === String(binaries.major)) return;
  throw new PipelineError(
    'local',
    `The database in ${home.data} was made by PostgreSQL ${version ?? '(unknown)'}, and this is ` +
      `${binaries.major}: dump it with the old version, or remove ${home.directory} to start anew.`,
  );
}

/** The port is part of what tells a source from another, so it is kept for as long as it can be had. */
async function choosePort(home: Home, wanted: number | undefined): Promise<number> {
  if (wanted !== undefined) {
    if (await isFree(wanted)) return wanted;
    throw new PipelineError('local', `Port ${wanted} of 127.0.0.1 is taken: give another one, or none.`);
  }
  const last = (await lastPort(home.data)) ?? Number(await readIfThere(home.portFile));
  return Number.isInteger(last) && last > 0 && (await isFree(last)) ? last : freePort();
}

/** The URL of the superuser for that database. (encodeURI, because pg undoes that and not encodeURIComponent.) */
export function serverUrl(password: string, port: number, database: string): string {
  return `postgresql://postgres:${password}@127.0.0.1:${port}/${encodeURI(database)}`;
}

/** The server's version if it lets us in, or why it does not. */
export async function knock(url: string): Promise<Answer> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, ssl: false });
  // A server that is shutting down may cut the connection between two steps; the next step rejects then.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ version: string }>('select split_part(version(), $1, 2) as version', [' ']);
    return { version: rows[0]?.version ?? '' };
  } catch (error) {
    const isDenied = error instanceof DatabaseError && error.code?.startsWith(INVALID_AUTHORIZATION) === true;
    return { reason: error instanceof Error ? error.message : String(error), isDenied };
  } finally {
    await client.end().catch(() => undefined);
  }
}
