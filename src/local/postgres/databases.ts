/** Databases of a cluster. */

import { Client, DatabaseError, escapeIdentifier } from 'pg';
import { PipelineError } from '../../shared/errors.ts';
import { type Cluster } from './cluster.ts';

/** Anything that can name a superuser's URL: a `Cluster`, or a test's stand-in for one. */
export type Superuser = Pick<Cluster, 'superuserUrl'>;

/** PostgreSQL cuts longer names off, silently; NAMEDATALEN - 1. */
const NAME_MAX_BYTES = 63;

/** pg cannot read them in the path of a URL, however they are written there. */
const NOT_IN_A_URL = /[?#\0]/;

const DUPLICATE_DATABASE = '42P04';
/** What the loser of two simultaneous `create database` can get instead. */
const UNIQUE_VIOLATION = '23505';

/** Creates the database unless it is there. */
export async function ensureDatabase(cluster: Superuser, name: string): Promise<void> {
  await asSuperuser(cluster, `make database ${name}`, async (client) => {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
    if (rowCount !== 0) return;
    await client.query(`create database ${quoteName(name)} template template0`).catch((error: unknown) => {
      const code = error instanceof DatabaseError ? error.code : undefined;
      if (code !== DUPLICATE_DATABASE && code !== UNIQUE_VIOLATION) throw error;
    });
  });
}

/** Creates `name` as a copy of `template`, which nobody may be connected to. */
export async function cloneDatabase(cluster: Superuser, template: string, name: string): Promise<void> {
  await asSuperuser(cluster, `copy database ${template} to ${name}`, async (client) => {
    await client.query(`create database ${quoteName(name)} template ${quoteName(template)}`);
  });
}

/** Ends all sessions in the database and drops it; no error if there is none. */
export async function dropDatabase(cluster: Superuser, name: string): Promise<void> {
  await asSuperuser(cluster, `drop database ${name}`, async (client) => {
    await client.query(`drop database if exists ${quoteName(name)} with (force)`);
  });
}

function quoteName(name: string): string {
  const bytes = Buffer.byteLength(name);
  if (bytes > 0 && bytes <= NAME_MAX_BYTES && !NOT_IN_A_URL.test(name)) return escapeIdentifier(name);
  throw new PipelineError(
    'local',
    `'${name}' cannot name a database: use 1 to ${NAME_MAX_BYTES} bytes, and neither '?' nor '#'.`,
  );
}

async function asSuperuser(
  cluster: Superuser,
  task: string,
  work: (client: Client) => Promise<void>,
): Promise<void> {
  const client = new Client({ connectionString: cluster.superuserUrl('postgres'), ssl: false });
  try {
    await client.connect();
    await work(client);
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    throw new PipelineError('local', `Could not ${task}: ${error.message}`, { sqlstate: error.code ?? '' }, error);
  } finally {
    await client.end();
  }
}
