import { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import pgpass from 'pgpass';
import { PipelineError } from '../errors.ts';
import { fromPostgres, type Side } from './errors.ts';
import { literal } from './sql.ts';
import { splitTimeouts, type Timeouts } from './timeouts.ts';
import { splitUrl, waysOf } from './tls.ts';

/** The other end's part of this is `KEEPALIVE_SETTINGS`. */
const KEEPALIVE_DELAY_MS = 60_000;

/** All values arrive as PostgreSQL's own text: nothing is rounded or shifted into another time zone by the driver. */
const asText = { getTypeParser: () => (value: string) => value };

/**
 * Opens a connection, over TLS as `./tls.ts` says, and applies `settings` (name to value) to its session.
 * @param signal Aborted before that is done, it ends the attempt.
 */
export async function connect(
  side: Side,
  url: string,
  settings: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<pg.Client> {
  const [withoutTls, tls] = splitUrl(side, url, process.env);
  const [connectionString, timeouts] = splitTimeouts(side, withoutTls, process.env);
  const [first, second] = await waysOf(side, tls);
  try {
    return await connectWith(side, clientFor(side, connectionString, first ?? false, timeouts), timeouts, settings, signal);
  } catch (error) {
    // The other way of sslmode `allow` or `prefer`.
    if (second === undefined || (error instanceof PipelineError && error.kind === 'config')) throw error;
    return connectWith(side, clientFor(side, connectionString, second, timeouts), timeouts, settings, signal);
  }
}

async function connectWith(
  side: Side,
  client: pg.Client,
  { silence }: Timeouts,
  settings: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<pg.Client> {
  signal?.throwIfAborted();
  // A connection that breaks between two queries tells nobody but this listener; the next query fails and says so.
  client.on('error', () => undefined);
  const giveUp = (): void => destroy(client);
  signal?.addEventListener('abort', giveUp);
  try {
    await client.connect();
    endWhenSilent(client, silence);
    // Not as start-up options: pgbouncer refuses those that it does not know.
    const entries = Object.entries(settings);
    const calls = entries.map(([name, value]) => `set_config(${literal(name)}, ${literal(value)}, false)`);
    await client.query(`select ${calls.join(', ')}`);
    return client;
  } catch (error) {
    await close(client);
    throw fromPostgres(side, error, {}, placeOf(client));
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
}

/** What waits on the connection then fails. Whatever comes or goes, of a COPY for one, begins the time anew. */
function endWhenSilent({ connection: { stream } }: pg.Client, limitMs: number): void {
  if (!(stream instanceof Socket)) throw new TypeError('the driver for Node has a Socket');
  stream.setTimeout(limitMs, () => {
    const message = `nothing came from the server and nothing went to it for ${limitMs / 1_000} s`;
    stream.destroy(Object.assign(new Error(message), { code: 'ETIMEDOUT' }));
  });
}

function clientFor(side: Side, connectionString: string, ssl: ConnectionOptions | false, timeouts: Timeouts): pg.Client {
  const client = parsed(side, connectionString, ssl, timeouts);
  // Neither the URL nor PGPASSWORD has one. Left to itself, the driver would warn that it reads the file.
  if (!client.password) Object.assign(client, { password: async () => fromPassfile(side, client) });
  return client;
}

function placeOf({ host, port, database = '' }: pg.Client): string {
  return `${host}:${port}/${database}`;
}

/** Asked for only by a server that wants a password. */
async function fromPassfile(side: Side, client: pg.Client): Promise<string> {
  const password = await new Promise<string | undefined>((resolve) => pgpass(client, resolve));
  if (password) return password;
  const whose = `${client.user ?? ''}@${placeOf(client)}`;
  const where = 'put it into the URL, PGPASSWORD or ~/.pgpass (mode 0600)';
  throw new PipelineError(`${side}_denied`, `${side}: no password for ${whose}: ${where}`);
}

function parsed(side: Side, connectionString: string, ssl: ConnectionOptions | false, { connect }: Timeouts): pg.Client {
  try {
    return new pg.Client({
      connectionString,
      ssl,
      application_name: 'starling',
      connectionTimeoutMillis: connect,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEPALIVE_DELAY_MS,
      types: asText,
    });
  } catch {
    // What the parser says of it may quote the password.
    throw new PipelineError('config', `${side}: its URL cannot be understood`);
  }
}

/** Ends a connection whatever state it is in: in the middle of a COPY, it does not wait for the rest. */
export async function close(client: pg.Client): Promise<void> {
  const ended = client.end().catch(() => undefined);
  const timer = setTimeout(() => destroy(client), 1_000);
  await ended;
  clearTimeout(timer);
}

/** Cuts the connection: what waits on it fails at once, where a polite end would wait for the rest of a COPY. */
export function destroy(client: pg.Client): void {
  client.connection.stream.destroy();
}

/** Runs `work` in a transaction: committed when it resolves, rolled back when it throws. */
export async function inTransaction<T>(client: pg.Client, begin: string, work: () => Promise<T>): Promise<T> {
  await client.query(begin);
  try {
    const result = await work();
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}
