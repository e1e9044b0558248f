/** A source database, a lake in a directory, and what ingest makes of the two. */

import { randomUUID } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from 'pg';
import { ingest, type IngestContext } from '../../src/ingest/ingest.ts';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import { DirectoryLake } from '../../src/local/directory-lake.ts';
import { type IngestedTable, type IngestionEntry, ingestionEntrySchema } from '../../src/shared/lake/entries.ts';
import type { Lake } from '../../src/shared/lake/lake.ts';
import { Log } from '../../src/shared/lake/log.ts';
import { model } from '../../src/shared/model/model.ts';
import type { Table } from '../../src/shared/model/table.ts';
import type { ReportEvent, StageResult } from '../../src/shared/report.ts';
import { connectTo, freshDatabase, ownServer, temporaryDirectory } from '../support/postgres.ts';
import { parseCsv } from './csv.ts';
import { roleUrl } from './roles.ts';

/** These servers commit asynchronously, and a batch waits until they have flushed what it read: by default, 200 ms. */
const SOURCE_SETTINGS = { autovacuum: 'off', max_prepared_transactions: 10, fsync: 'off', wal_writer_delay: '10ms' };

/**
 * A server for one test file. Transaction ids belong to a whole server: with others at work on it, a transaction of
 * theirs would hold the cursor back, and rows would be read again where a test says that none are.
 */
export async function sourceServer(binariesDirectory?: string): Promise<Cluster> {
  const binaries = binariesDirectory === undefined ? {} : { binariesDirectory };
  return ownServer({ settings: SOURCE_SETTINGS, ...binaries });
}

export interface Harness {
  /** The superuser's. */
  readonly url: string;
  /** That with which batches are read: of a user who may read the tables, and nothing else. */
  readonly readerUrl: string;
  readonly sql: Client;
  readonly lake: DirectoryLake;
  readonly events: readonly ReportEvent[];
  /** Follows these tables from now on. */
  declare(...tables: readonly Table[]): void;
  ingest(changed?: Partial<IngestContext>): Promise<StageResult>;
  /** Ingests, and says of each table how many rows came; null where there was no entry. */
  rows(changed?: Partial<IngestContext>): Promise<Readonly<Record<string, number>> | null>;
  /** All entries of the log, the first first. */
  entries(): Promise<readonly IngestionEntry[]>;
  /** One table in the last entry. */
  last(table: string): Promise<IngestedTable>;
  /** The records of a table that a batch brought, without the header. */
  records(batch: number, table: string): Promise<readonly Record<string, string | null>[]>;
  /** The names of all data objects. */
  objects(): Promise<readonly string[]>;
}

/** A database with the schema that `setUp` makes, followed by its reader from an empty lake. */
export async function harness(server: Cluster, setUp: string, ...tables: readonly Table[]): Promise<Harness> {
  const url = await freshDatabase('source', server);
  const sql = await connectTo(url);
  const readerUrl = await roleUrl({ url, sql });
  await sql.query(READER.replaceAll('$role', new URL(readerUrl).username));
  if (setUp !== '') await sql.query(setUp);
  return follow(url, sql, tables, readerUrl);
}

/** What `sql/source-reader.sql` gives. */
const READER = `
  alter role $role set default_transaction_read_only = on;
  grant usage on schema public to $role;
  grant select on all tables in schema public to $role;
  alter default privileges in schema public grant select on tables to $role`;

/** The same database and a new lake. */
export async function follow(url: string, sql: Client, declared: readonly Table[], readerUrl = url): Promise<Harness> {
  const directory = join(await temporaryDirectory(), randomUUID());
  const lake = new DirectoryLake(directory);
  const events: ReportEvent[] = [];
  const log = () => new Log(lake, ingestionEntrySchema);
  let tables = declared;
  const entries = async () => {
    const head = await log().head();
    return Promise.all(Array.from({ length: head }, async (_, at) => log().read(at + 1)));
  };
  const run = async (changed: Partial<IngestContext> = {}) =>
    ingest({
      model: model({ tables, dimensions: [], facts: [] }),
      sourceUrl: readerUrl,
      sourceSchema: 'public',
      ingestion: lake,
      report: (event) => events.push(event),
      now: () => new Date(),
      ...changed,
    });
  return {
    url,
    readerUrl,
    sql,
    lake,
    events,
    entries,
    ingest: run,
    declare: (...next) => {
      tables = next;
    },
    rows: async (changed) => {
      if ((await run(changed)).batches === 0) return null;
      const entry = (await entries()).at(-1);
      return Object.fromEntries(Object.entries(entry?.tables ?? {}).map(([name, read]) => [name, read.rows]));
    },
    last: async (table) => tableOf((await entries()).at(-1), table),
    records: async (batch, table) => recordsOf(lake, tableOf(await log().read(batch), table)),
    objects: async () => objectsIn(directory),
  };
}

function tableOf(entry: IngestionEntry | undefined, table: string): IngestedTable {
  const found = entry?.tables[table];
  if (!found) throw new Error(`no table ${table} in the entry`);
  return found;
}

async function recordsOf(lake: Lake, table: IngestedTable): Promise<readonly Record<string, string | null>[]> {
  const all: Record<string, string | null>[] = [];
  for (const part of table.parts) {
    const [header = [], ...records] = parseCsv(await textOf(lake, part.key));
    if (header.join() !== table.columns.join()) throw new Error('the header is not what the entry says');
    if (records.length !== part.rows) throw new Error(`${records.length} records, but the entry says ${part.rows}`);
    const cells = (record: readonly (string | null)[]) => header.map((name, at) => [name ?? '', record[at] ?? null]);
    for (const record of records) all.push(Object.fromEntries(cells(record)));
  }
  return all;
}

async function textOf(lake: Lake, key: string): Promise<string> {
  const body: AsyncIterable<Buffer> = await lake.get(key);
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** Objects, and what is half written aside. */
async function objectsIn(directory: string): Promise<readonly string[]> {
  await mkdir(directory, { recursive: true });
  const names = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = names.filter((name) => name.isFile()).map((name) => join(name.parentPath, name.name));
  return files.map((file) => file.slice(directory.length + 1)).filter((file) => !file.startsWith('log/'));
}

/** What a lake holds of a table after all of its batches, by key: each record replaces the one before it. */
export async function applied(
  source: Harness,
  table: string,
  key: string,
): Promise<ReadonlyMap<string, Readonly<Record<string, string | null>>>> {
  const rows = new Map<string, Readonly<Record<string, string | null>>>();
  for (const { batch } of await source.entries()) {
    for (const record of await source.records(batch, table)) rows.set(record[key] ?? '', record);
  }
  return rows;
}

/** Those about tables, not about what else the source has. */
export function warnings(source: Harness): readonly string[] {
  const ofTables = source.events.filter(({ event, table }) => event === 'warning' && table !== undefined);
  return ofTables.map(({ message }) => message ?? '');
}
