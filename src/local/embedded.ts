import { join } from 'node:path';
import pg from 'pg';
import { close } from '../shared/postgres/client.ts';
import { type Cluster, clusterExists, startCluster, stopCluster } from './postgres/cluster.ts';
import { ensureDatabase } from './postgres/databases.ts';
import { findHome } from './postgres/home.ts';
import { findPostmaster } from './postgres/postmaster.ts';
import { generateTotesys } from './totesys/generate.ts';

/** The databases that Starling brings along: a totesys that it made up, and a warehouse. */
export interface Embedded {
  readonly sourceUrl: string;
  readonly warehouseUrl: string;
  readonly cluster: Cluster;
  /** The source was empty and has been generated. */
  readonly generated: boolean;
}

export const DEFAULT_ORDERS = 10_000;

/** The same seed for everybody: what a newcomer reads about is what a newcomer sees. */
export const SEED = 2024;

/** Where the embedded server lives, below the state directory. */
function serverDirectory(stateDirectory: string): string {
  return join(stateDirectory, 'postgres');
}

/** Whether there is anything to look at: nothing is made for whoever only looks. */
export async function embeddedExists(stateDirectory: string): Promise<boolean> {
  return clusterExists(serverDirectory(stateDirectory));
}

/** @returns whether the embedded server was running. */
export async function stopEmbedded(stateDirectory: string): Promise<boolean> {
  const directory = serverDirectory(stateDirectory);
  const home = await findHome(directory).catch(() => undefined);
  const server = home && (await findPostmaster(home.data).catch(() => undefined));
  await stopCluster(directory);
  return server !== undefined;
}

/** Starts the embedded server, or finds it running, and fills the source where it is empty. It stays up afterwards. */
export async function startEmbedded(stateDirectory: string, orders: number): Promise<Embedded> {
  const cluster = await startCluster({ directory: serverDirectory(stateDirectory) });
  await ensureDatabase(cluster, 'totesys');
  await ensureDatabase(cluster, 'warehouse');
  const sourceUrl = cluster.superuserUrl('totesys');
  const generated = await withSource(sourceUrl, (client) => generateOnce(client, orders));
  return { sourceUrl, warehouseUrl: cluster.superuserUrl('warehouse'), cluster, generated };
}

export async function withSource<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  // A connection that breaks between two queries tells nobody but this listener; the next query fails and says so.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await close(client);
  }
}

/** Any number, the same for all who generate. */
const LOCK = 'select pg_advisory_lock(7350, 2)';

const DEMO_LOCK = 'select pg_try_advisory_lock(7350, 3) as taken';

/** Runs `work` unless somebody else's is under way: two days lived at once would get in each other's way. */
export async function oneAtATime<T>(sourceUrl: string, work: () => Promise<T>): Promise<T | 'another'> {
  return withSource(sourceUrl, async (client) => {
    const { rows } = await client.query<{ taken: boolean }>(DEMO_LOCK);
    return rows[0]?.taken === true ? work() : 'another';
  });
}

const THERE = "select to_regclass('public.sales_order') is not null as there";

/** Two commands started at once on a fresh directory must not both fill the source. */
async function generateOnce(client: pg.Client, orders: number): Promise<boolean> {
  await client.query(LOCK);
  const { rows } = await client.query<{ there: boolean }>(THERE);
  if (rows[0]?.there === true) return false;
  await generateTotesys(client, { orders, seed: SEED });
  return true;
}
