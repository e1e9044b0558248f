import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { initialise } from '../src/load/load.ts';
import { BATCH_ID } from '../src/load/schema/ddl.ts';
import { DirectoryLake } from '../src/local/directory-lake.ts';
import { type IngestionEntry, ingestionEntrySchema, type ProcessedEntry, processedEntrySchema } from '../src/shared/lake/entries.ts';
import { Log } from '../src/shared/lake/log.ts';
import { currentName } from '../src/shared/model/model.ts';
import { identifiers, qualified } from '../src/shared/postgres/sql.ts';
import { inOwnProcess } from './child.ts';
import { type Ground, withClient } from './ground.ts';
import type { Measured } from './measured.ts';
import { FACT, type ModelName, MODELS } from './models.ts';
import type { Programs } from './programs.ts';
import { copyByClient } from './psql.ts';
import type { StageJob } from './stage-process.ts';
import { fillSource } from './source.ts';

/** The directories of a lake. */
export interface Lakes {
  readonly ingestion: string;
  readonly processed: string;
}

/** The rows of the fact and of the current table, as `COPY … TO` has written them. */
export interface BinaryFiles {
  readonly fact: string;
  readonly current: string;
}

export const FACT_TABLE = qualified('public', FACT.name);
export const CURRENT_TABLE = qualified('public', currentName(FACT));
/** All that a load writes: the server numbers the versions. */
export const FACT_COLUMNS = identifiers([...FACT.columns.map(({ name }) => name), BATCH_ID]);

/** What figures begin with, made when the first of them asks for it. */
export class Prepared {
  readonly ground: Ground;
  readonly programs: Programs;
  readonly #tell: (line: string) => void;

  constructor(ground: Ground, programs: Programs, tell: (line: string) => void) {
    this.ground = ground;
    this.programs = programs;
    this.#tell = tell;
  }

  /** The URL of a source of so many sales orders. */
  source = this.#once('source', async (rows: number) => {
    this.#tell(`making a source of ${rows} sales orders`);
    const url = this.ground.url(await this.ground.database('source'));
    await withClient(url, async (client) => fillSource(client, rows));
    return url;
  });

  /** An empty warehouse: its schema is there. */
  template = this.#once('template', async () => {
    const database = await this.ground.database('template');
    await initialise({ model: MODELS.totesys, warehouseUrl: this.ground.url(database), warehouseSchema: 'public' });
    return database;
  });

  /** The first batch of such a source, ingested. */
  ingested = this.#once('ingested', async (rows: number, model: ModelName) => {
    const lakes = await this.emptyLakes();
    await this.run({ work: 'ingest', model, ...lakes, sourceUrl: await this.source(rows) });
    return lakes;
  });

  /** And transformed. */
  transformed = this.#once('transformed', async (rows: number, model: ModelName) => {
    const lakes = await this.ingested(rows, model);
    await this.run({ work: 'transform', model, ...lakes });
    return lakes;
  });

  binaryFiles = this.#once('binary files', async (rows: number): Promise<BinaryFiles> => {
    const database = await this.ground.database('warehouse', await this.template());
    const url = this.ground.url(database);
    await this.run({ work: 'load', model: 'totesys', ...(await this.transformed(rows, 'totesys')), warehouseUrl: url });
    const folder = await this.ground.folder('binary');
    const files = { fact: join(folder, 'fact.bin'), current: join(folder, 'current.bin') };
    const copies = [[FACT_TABLE, files.fact] as const, [CURRENT_TABLE, files.current] as const].map(([table, file]) => ({
      direction: 'to' as const, what: `${table} (${FACT_COLUMNS})`, file, options: 'format binary',
    }));
    await copyByClient(this.programs.copy, { url, copies });
    await this.ground.drop(database);
    return files;
  });

  async emptyLakes(): Promise<Lakes> {
    const folder = await this.ground.folder('lake');
    return { ingestion: join(folder, 'ingestion'), processed: join(folder, 'processed') };
  }

  async emptyWarehouse(): Promise<string> {
    return this.ground.database('warehouse', await this.template());
  }

  /** Runs a stage in a process of its own; without databases that it does not look at. */
  async run(job: Omit<StageJob, 'sourceUrl' | 'warehouseUrl'> & Partial<StageJob>): Promise<Measured> {
    const answer = await inOwnProcess(this.programs.stage, { sourceUrl: '', warehouseUrl: '', ...job } satisfies StageJob);
    return answer.took;
  }

  /** Makes each thing once, whoever asks for it, and whatever for. */
  #once<A extends readonly (string | number)[], T>(name: string, make: (...of: A) => Promise<T>): (...of: A) => Promise<T> {
    const known = new Map<string, Promise<T>>();
    return async (...of) => {
      const key = `${name} ${of.join(' ')}`;
      const making = known.get(key) ?? make(...of);
      known.set(key, making);
      return making;
    };
  }
}

export async function removeLakes({ ingestion, processed }: Lakes): Promise<void> {
  for (const directory of [ingestion, processed]) await rm(directory, { recursive: true, force: true });
}

export async function firstIngested({ ingestion }: Lakes): Promise<IngestionEntry> {
  return new Log(new DirectoryLake(ingestion), ingestionEntrySchema).read(1);
}

export async function firstTransformed({ processed }: Lakes): Promise<ProcessedEntry> {
  return new Log(new DirectoryLake(processed), processedEntrySchema).read(1);
}

/** A figure of different work would say nothing. */
export function expectRows(what: string, found: number | undefined, wanted: number | undefined): void {
  if (found !== wanted) throw new Error(`${what} has ${found ?? 'no'} rows, not ${wanted ?? 'none'}`);
}
