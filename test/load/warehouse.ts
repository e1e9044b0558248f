import { expect } from 'vitest';
import type { Client } from 'pg';
import { initialise, load, type LoadContext } from '../../src/load/load.ts';
import type { Superuser } from '../../src/local/postgres/databases.ts';
import type { Lake } from '../../src/shared/lake/lake.ts';
import { currentName, type Model } from '../../src/shared/model/model.ts';
import { identifier, identifiers, qualified } from '../../src/shared/postgres/sql.ts';
import type { ReportEvent, StageResult } from '../../src/shared/report.ts';
import { type BatchContent, freshProcessed, type Processed } from '../support/processed.ts';
import { connectTo, freshDatabase, testServer } from '../support/postgres.ts';

export interface WarehouseOptions {
  readonly schema?: string;
  readonly server?: Superuser;
  /** Whom Starling connects as, and to what; a new, empty database unless told otherwise. */
  readonly url?: string;
  readonly lake?: Lake;
}

/** An empty warehouse, a processed bucket for it, and a superuser who looks at what becomes of it. */
export class Warehouse {
  readonly model: Model;
  readonly schema: string;
  readonly url: string;
  readonly processed: Processed;
  readonly client: Client;
  readonly events: ReportEvent[] = [];

  constructor(model: Model, schema: string, url: string, processed: Processed, client: Client) {
    this.model = model;
    this.schema = schema;
    this.url = url;
    this.processed = processed;
    this.client = client;
  }

  context(changes: Partial<LoadContext> = {}): LoadContext {
    return {
      model: this.model,
      warehouseUrl: this.url,
      warehouseSchema: this.schema,
      processed: this.processed.lake,
      report: (event) => this.events.push(event),
      now: () => new Date('2024-08-08T00:00:00.000Z'),
      ...changes,
    };
  }

  async initialise(model: Model = this.model): Promise<readonly string[]> {
    return initialise(this.context({ model }));
  }

  /** Loads all there is, and holds that the current tables are what they always have to be. */
  async load(changes: Partial<LoadContext> = {}): Promise<StageResult> {
    const result = await load(this.context(changes));
    await expectCurrentIsLatest(this.client, this.schema, changes.model ?? this.model);
    return result;
  }

  /** Commits a batch and loads it. */
  async batch(rows: NonNullable<BatchContent['rows']>, others: Omit<BatchContent, 'rows'> = {}): Promise<void> {
    await this.processed.commit({ rows, ...others });
    await this.load(others.model ? { model: others.model } : {});
  }

  /** Rows as arrays of values; numbers that fit are numbers. */
  async rows(sql: string, values: readonly unknown[] = []): Promise<readonly unknown[][]> {
    const result = await this.client.query<unknown[]>({ text: sql, values: [...values], rowMode: 'array' });
    return result.rows;
  }
}

export async function freshWarehouse(model: Model, options: WarehouseOptions = {}): Promise<Warehouse> {
  const url = options.url ?? (await freshDatabase('load', options.server ?? testServer));
  const client = await connectTo(superuserOf(url, options.server ?? testServer));
  await client.query("set timezone = 'UTC'");
  return new Warehouse(model, options.schema ?? 'public', url, await freshProcessed(model), client);
}

function superuserOf(url: string, server: Superuser): string {
  return server.superuserUrl(decodeURI(new URL(url).pathname.slice(1)));
}

/** The current table is the latest version of each key: no row more, none less, none different. */
export async function expectCurrentIsLatest(client: Client, schema: string, model: Model): Promise<void> {
  for (const fact of model.facts) {
    const names = identifiers([...fact.columns.map((column) => column.name), 'batch_id']);
    const key = identifier(fact.key);
    const current = `select ${names} from ${qualified(schema, currentName(fact))}`;
    const from = `from ${qualified(schema, fact.name)} order by ${key}, batch_id desc`;
    const latest = `select ${names} from (select distinct on (${key}) * ${from}) latest`;
    const difference = `(${current} except all ${latest}) union all (${latest} except all ${current})`;
    expect((await client.query(difference)).rows).toEqual([]);
  }
}
