import type pg from 'pg';
import { QUARANTINE_TO_READ, waits } from './schema/bookkeeping.ts';

/** How many rows of a table wait in quarantine. */
export interface Waiting {
  readonly table: string;
  readonly rows: number;
}

const THERE = "select to_regclass('pipeline.quarantine') is not null as there";
const WAITING = `
  select q.table_name as table, count(*) as rows from ${QUARANTINE_TO_READ}
  where ${waits('q')} group by q.table_name order by q.table_name`;

export async function hasQuarantine(client: pg.Client): Promise<boolean> {
  return (await client.query<{ there: string }>(THERE)).rows[0]?.there === 't';
}

/** Nothing of a warehouse without a schema. */
export async function waitingRows(client: pg.Client): Promise<readonly Waiting[]> {
  if (!(await hasQuarantine(client))) return [];
  const { rows } = await client.query<{ table: string; rows: string }>(WAITING);
  return rows.map((row) => ({ table: row.table, rows: Number(row.rows) }));
}
