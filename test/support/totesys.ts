/** Sources, warehouses and lakes for the command line's tests. */

import { join } from 'node:path';
import type { Client } from 'pg';
import type { PipelineContext } from '../../src/cli/context.ts';
import { DirectoryLake } from '../../src/local/directory-lake.ts';
import { generateTotesys } from '../../src/local/totesys/generate.ts';
import type { Superuser } from '../../src/local/postgres/databases.ts';
import { totesys } from '../../src/models/totesys/model.ts';
import type { Environment } from './cli.ts';
import { clonedDatabase, connectTo, freshDatabase, ownServer, temporaryDirectory, testServer } from './postgres.ts';

/** A source, a warehouse and a lake of a user's own, and superusers who look at them. */
export interface Place {
  readonly sourceUrl: string;
  readonly source: Client;
  readonly warehouseUrl: string;
  readonly warehouse: Client;
  readonly directory: string;
  readonly lake: string;
  /** What `starling` has to be told. */
  readonly environment: Environment;
}

/** A small totesys to clone, and the server that it is on. */
export interface Template {
  readonly url: string;
  readonly server: Superuser;
}

export async function totesysTemplate(orders = 120, server: Superuser = testServer): Promise<Template> {
  const url = await freshDatabase('totesys', server);
  const client = await connectTo(url);
  await generateTotesys(client, { orders, seed: 7 });
  // Nobody may stay connected to what is cloned.
  await client.end();
  return { url, server };
}

/**
 * On a server where nobody else has a transaction open, which holds back the cursor of every source on it: for tests
 * of what is not read again.
 */
export async function quietTemplate(): Promise<Template> {
  return totesysTemplate(120, await ownServer({ settings: { autovacuum: 'off' } }));
}

/** A copy of the template beside an empty warehouse and an empty lake. */
export async function freshPlace({ url, server }: Template): Promise<Place> {
  const sourceUrl = await clonedDatabase(url, server);
  return placeOn(sourceUrl, await connectTo(sourceUrl), server);
}

/** An empty warehouse and an empty lake for a source that is there. */
export async function placeOn(sourceUrl: string, source: Client, server: Superuser = testServer): Promise<Place> {
  const warehouseUrl = await freshDatabase('warehouse', server);
  const directory = await temporaryDirectory();
  const lake = join(directory, 'lake');
  return {
    sourceUrl,
    source,
    warehouseUrl,
    warehouse: await connectTo(warehouseUrl),
    directory,
    lake,
    environment: { SOURCE_URL: sourceUrl, WAREHOUSE_URL: warehouseUrl, LAKE_DIR: lake },
  };
}

/** What the command line would pass to the stages, for tests that pass something else. */
export function contextOf(place: Place, changes: Partial<PipelineContext> = {}): PipelineContext {
  const { sourceUrl, warehouseUrl, lake } = place;
  return {
    model: totesys,
    sourceUrl,
    sourceSchema: 'public',
    warehouseUrl,
    warehouseSchema: 'public',
    ingestion: new DirectoryLake(join(lake, 'ingestion')),
    processed: new DirectoryLake(join(lake, 'processed')),
    report: () => undefined,
    now: () => new Date(),
    signal: new AbortController().signal,
    whole: false,
    ...changes,
  };
}

/** Rows as arrays of texts. */
export async function rowsOf(client: Client, sql: string): Promise<readonly string[][]> {
  const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' });
  return rows.map((row) => row.map(String));
}

/** The one cell of a query, as a number. */
export async function countOf(client: Client, sql: string): Promise<number> {
  return Number((await rowsOf(client, sql))[0]?.[0]);
}
