import type pg from 'pg';

/** How many rows of a table wait in quarantine. */
export interface Waiting {
  readonly table: string;
  readonly rows: number;
}

const THERE = "select to_regclass('pipeline.quarantine') is not null as there";
const WAITING = `
  select table_name as table, count(*) as rows from pipeline.quarantine
  where released_at is null group by table_name order by table_name`;

/** Nothing of a warehouse without a schema. */
export async function waitingRows(client: pg.Client): Promise<readonly Waiting[]> {
  if ((await client.query<{ there: string }>(THERE)).rows[0]?.there !== 't') return [];
  const { rows } = await client.query<{ table: string; rows: string }>(WAITING);
  return rows.map((row) => ({ table: row.table, rows: Number(row.rows) }));
}
