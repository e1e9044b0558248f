import type { Client } from 'pg';
import { load } from '../../src/load/load.ts';
import type { Lake } from '../../src/shared/lake/lake.ts';
import type { Model } from '../../src/shared/model/model.ts';
import { qualified } from '../../src/shared/postgres/sql.ts';
import { connectTo, freshDatabase } from '../support/postgres.ts';

const TABLES = `
  select table_schema as schema, table_name as name from information_schema.tables
  where table_schema in ('public', 'pipeline') and table_type = 'BASE TABLE' order by 1, 2`;

/** What is another number or time with every try. */
const ANEW = ['sale_record_id', 'quarantine_id', 'loaded_at', 'released_at', 'snapshot_at'];

interface TableName {
  readonly schema: string;
  readonly name: string;
}

/** A warehouse that can be put back to what it was once. */
export class FuzzedWarehouse {
  readonly #client: Client;
  readonly #url: string;
  #tables: readonly TableName[] = [];

  constructor(client: Client, url: string) {
    this.#client = client;
    this.#url = url;
  }

  static async open(): Promise<FuzzedWarehouse> {
    const url = await freshDatabase('fuzzed');
    return new FuzzedWarehouse(await connectTo(url), url);
  }

  /** The error that load ended with; null for none. */
  async load(model: Model, processed: Lake): Promise<unknown> {
    const context = { model, processed, warehouseUrl: this.#url, warehouseSchema: 'public', report: () => undefined };
    return load({ ...context, now: () => new Date('2024-08-08T00:00:00.000Z') }).then(() => null, (error: unknown) => error);
  }

  /** Remembers what is there. */
  async keep(): Promise<void> {
    this.#tables = (await this.#client.query<TableName>(TABLES)).rows;
    await this.#client.query('create schema kept');
    for (const { schema, name } of this.#tables) {
      await this.#client.query(`create table ${qualified('kept', name)} as table ${qualified(schema, name)}`);
    }
  }

  async reset(): Promise<void> {
    const statements = this.#tables.flatMap(({ schema, name }) => {
      const table = qualified(schema, name);
      return [`delete from ${table}`, `insert into ${table} overriding system value table ${qualified('kept', name)}`];
    });
    await this.#client.query(statements.join(';'));
  }

  /** All that is in it. */
  async contents(): Promise<string> {
    const row = ANEW.reduce((left, column) => `${left} - '${column}'`, 'to_jsonb(t)');
    const queries = this.#tables.map(({ schema, name }) => `select '${name}', ${row} as row from ${qualified(schema, name)} t`);
    const { rows } = await this.#client.query(`${queries.join(' union all ')} order by 1, 2`);
    return JSON.stringify(rows);
  }
}
