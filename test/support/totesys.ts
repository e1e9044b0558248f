/** Sources, warehouses and lakes for the command line's tests. */

import { join } from 'node:path';
import type { Client } from 'pg';
import type { PipelineContext } from '../../src/cli/context.ts';
import { DirectoryLake } from '../../src/local/directory-lake.ts';
import { generateTotesys } from '../../src/local/totesys/generate.ts';
import { totesys } from '../../src/models/totesys/model.ts';
import type { Environment } from './cli.ts';
import { clonedDatabase, connectTo, freshDatabase, temporaryDirectory } from './postgres.ts';

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

/** The URL of a small totesys to clone; nobody stays connected to it. */
export async function totesysTemplate(orders = 120): Promise<string> {
  const url = await freshDatabase('totesys');
  const client = await connectTo(url);
  await generateTotesys(client, { orders, seed: 7 });
  await client.end();
  return url;
}

/** A copy of the template beside an empty warehouse and an empty lake. */
export async function freshPlace(template: string): Promise<Place> {
  const sourceUrl = await clonedDatabase(template);
  return placeOn(sourceUrl, await connectTo(sourceUrl));
}

/** An empty warehouse and an empty lake for a source that is there. */
export async function placeOn(sourceUrl: string, source: Client): Promise<Place> {
  const warehouseUrl = await freshDatabase('warehouse');
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
