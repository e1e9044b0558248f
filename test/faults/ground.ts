import { access, constants, cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { type Cluster, removeCluster, startCluster } from '../../src/local/postgres/cluster.ts';
import { dropDatabase, ensureDatabase } from '../../src/local/postgres/databases.ts';

/** Servers and a directory to try faults on. */
export interface Ground {
  /**
   * A server of its own: transaction ids belong to a whole server, and those of others would hold back the cursor of
   * every source on it.
   */
  readonly sources: Cluster;
  readonly warehouses: Cluster;
  readonly directory: string;
  /** Where lakes go. */
  readonly lakes: string;
  readonly clear: () => Promise<void>;
}

/** Commits are flushed at once, or each batch would wait for it; `fsync` is off all the same. */
const SETTINGS = {
  autovacuum: 'off',
  synchronous_commit: 'on',
  wal_writer_delay: '10ms',
  max_prepared_transactions: 20,
  max_connections: 100,
  shared_buffers: '32MB',
};

/** @param directory Every account has to be able to get into it. */
export async function startGround(directory: string): Promise<Ground> {
  const [sources, warehouses] = await Promise.all(
    ['sources', 'warehouses'].map(async (name) => {
      const home = join(directory, name, 'postgres');
      return startCluster({ directory: home, fsync: false, settings: SETTINGS });
    }),
  );
  if (!sources || !warehouses) throw new Error('two servers');
  const memory = await inMemory(directory);
  await sweep(memory);
  const lakes = await mkdtemp(join(memory, `${LAKES}${process.pid}-`));
  const clear = async (): Promise<void> => {
    await rm(lakes, { recursive: true, force: true });
    for (const name of ['sources', 'warehouses']) await removeCluster(join(directory, name, 'postgres'));
    await rm(directory, { recursive: true, force: true });
  };
  return { sources, warehouses, directory, lakes, clear };
}

/** Where files are in memory: a lake syncs each of them to its disk, twice or more. Else `directory`. */
async function inMemory(directory: string): Promise<string> {
  return access('/dev/shm', constants.W_OK).then(() => '/dev/shm', () => directory);
}

const LAKES = 'starling-lakes-';

/** Removes what runs that were killed have left, of which none is alive. */
async function sweep(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const pid = name.startsWith(LAKES) ? Number.parseInt(name.slice(LAKES.length), 10) : Number.NaN;
    // Somebody else's may not be removable.
    if (Number.isInteger(pid) && !isAlive(pid)) await rm(join(directory, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** A new database, and a client that is connected to it as the superuser. */
export async function openDatabase(cluster: Cluster, name: string): Promise<{ readonly url: string; readonly client: pg.Client }> {
  await ensureDatabase(cluster, name);
  const url = cluster.superuserUrl(name);
  return { url, client: await openClient(url) };
}

export async function openClient(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, ssl: false });
  client.on('error', () => undefined);
  await client.connect();
  await client.query("set timezone = 'UTC'");
  return client;
}

export async function discard(cluster: Cluster, client: pg.Client): Promise<void> {
  const { database = '' } = client;
  await client.end();
  await dropDatabase(cluster, database);
}

/** Makes `to` what `from` is, an empty directory where that is not there. */
export async function copyLake(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await mkdir(to, { recursive: true });
  await cp(from, to, { recursive: true, force: true }).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  });
}
