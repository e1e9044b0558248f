import type pg from 'pg';
import { WAREHOUSE_SETTINGS } from '../load/session.ts';
import { close, connect } from '../shared/postgres/client.ts';
import { fromPostgres } from '../shared/postgres/errors.ts';
import type { PipelineContext } from './context.ts';
import { count, number, type Output } from './output.ts';

/** How many rows of a table wait in quarantine. */
export interface Waiting {
  readonly table: string;
  readonly rows: number;
}

/** What to ask for more than numbers. */
export const LOOK = 'select * from pipeline.quarantine where released_at is null';

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

export async function readWaiting(context: PipelineContext): Promise<readonly Waiting[]> {
  const client = await connect('warehouse', context.warehouseUrl, WAREHOUSE_SETTINGS);
  try {
    return await waitingRows(client);
  } catch (error) {
    throw fromPostgres('warehouse', error);
  } finally {
    await close(client);
  }
}

export function tellWaiting(waiting: readonly Waiting[]): string {
  return waiting.map(({ table, rows }) => `${table} ${number(rows)}`).join(', ');
}

/** Below a comparison: why rows may differ or be missing. */
export function printWaiting(waiting: readonly Waiting[], output: Output): void {
  for (const one of waiting) output.object({ event: 'quarantine', ...one });
  if (waiting.length === 0) return;
  const rows = waiting.reduce((sum, one) => sum + one.rows, 0);
  output.line(`\n${count(rows, 'row')} in quarantine: ${tellWaiting(waiting)}\n${LOOK}`);
}
