/** What the tests of clusters share. */

import { join } from 'node:path';
import { Client } from 'pg';
import { removeCluster } from '../../../src/local/postgres/cluster.ts';
import { findHome } from '../../../src/local/postgres/home.ts';
import { findPostmaster } from '../../../src/local/postgres/postmaster.ts';
import { afterwards, temporaryDirectory } from '../../support/postgres.ts';

/** A directory for one cluster, which is stopped and removed after the test. */
export async function clusterDirectory(name = 'postgres'): Promise<string> {
  const directory = join(await temporaryDirectory(), name);
  afterwards(async () => removeCluster(directory));
  return directory;
}

export async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<unknown[]>({ text: sql, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

export async function postmasterPid(directory: string): Promise<number> {
  const home = await findHome(directory);
  const postmaster = home === undefined ? undefined : await findPostmaster(home.data);
  if (postmaster === undefined) throw new Error(`no server in ${directory}`);
  return postmaster.pid;
}
