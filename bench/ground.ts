import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { type Cluster, removeCluster, startCluster } from '../src/local/postgres/cluster.ts';
import { cloneDatabase, dropDatabase, ensureDatabase } from '../src/local/postgres/databases.ts';
import { parentOf, treeSeconds } from './cpu.ts';

/** What all figures stand on: a server of their own, and a directory that is gone afterwards. */
export class Ground {
  readonly cluster: Cluster;
  readonly directory: string;
  readonly #admin: Client;
  readonly #postmaster: number | null;

  private constructor(cluster: Cluster, directory: string, admin: Client, postmaster: number | null) {
    this.cluster = cluster;
    this.directory = directory;
    this.#admin = admin;
    this.#postmaster = postmaster;
  }

  static async make(): Promise<Ground> {
    // As the tests name theirs, whose next run clears away what is left of a run that was killed.
    const directory = await mkdtemp(join(tmpdir(), `starling-test-${process.pid}-`));
    // The server's account has to get into it where this is root.
    await chmod(directory, 0o755);
    try {
      // Without autovacuum, which would come in one of five rounds. All else is as the product starts it.
      const cluster = await startCluster({ directory: join(directory, 'postgres'), settings: { autovacuum: 'off' } });
      const admin = await connectTo(cluster.superuserUrl('postgres'));
      const { rows } = await admin.query<{ pid: number }>('select pg_backend_pid() as pid');
      return new Ground(cluster, directory, admin, await parentOf(rows[0]?.pid ?? 0));
    } catch (error) {
      await clear(directory);
      throw error;
    }
  }

  /** Processor seconds of the server, all of its processes, since it was started; null where that is not known. */
  async serverSeconds(): Promise<number | null> {
    return this.#postmaster === null ? null : treeSeconds(this.#postmaster);
  }

  /** What was written before is on the disk: nobody else's measurement pays for it. */
  async settle(): Promise<void> {
    await this.#admin.query('checkpoint');
  }

  url(database: string): string {
    return this.cluster.superuserUrl(database);
  }

  /** A new database, empty or as `template` is, which nobody may be connected to. */
  async database(name: string, template?: string): Promise<string> {
    const database = `${name}_${randomBytes(4).toString('hex')}`;
    if (template === undefined) await ensureDatabase(this.cluster, database);
    else await cloneDatabase(this.cluster, template, database);
    return database;
  }

  async drop(database: string): Promise<void> {
    await dropDatabase(this.cluster, database);
  }

  /** A new directory. */
  async folder(name: string): Promise<string> {
    const path = join(this.directory, `${name}-${randomBytes(4).toString('hex')}`);
    await mkdir(path);
    return path;
  }

  async clear(): Promise<void> {
    await this.#admin.end().catch(() => undefined);
    await clear(this.directory);
  }
}

async function clear(directory: string): Promise<void> {
  await removeCluster(join(directory, 'postgres'));
  await rm(directory, { recursive: true, force: true });
}

/** A connected client. That the server ends its session is no error here. */
export async function connectTo(url: string): Promise<Client> {
  const client = new Client({ connectionString: url, ssl: false });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Runs `work` with a connection of its own. */
export async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = await connectTo(url);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
