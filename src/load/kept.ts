import type pg from 'pg';
import * as v from 'valibot';
import { inWarehouse, type WarehouseContext } from './load.ts';
import { QUARANTINE_TO_READ, waits } from './schema/bookkeeping.ts';
import { hasQuarantine } from './waiting.ts';

/** A row in quarantine, without what is in it. */
export interface Kept {
  readonly id: string;
  readonly batch: string;
  readonly table: string;
  readonly key: string | null;
  readonly column: string;
  readonly reason: string;
  readonly stage: string;
  readonly state: 'waiting' | 'released' | 'dropped';
}

export interface WholeKept extends Kept {
  readonly releasedAt: string | null;
  readonly droppedAt: string | null;
  /** Values as PostgreSQL's text. */
  readonly row: Readonly<Record<string, string | null>>;
}

export interface KeptRows {
  /** Newest first, as many as were asked for. */
  readonly rows: readonly Kept[];
  /** How many there are. */
  readonly all: number;
}

export interface KeptQuery {
  /** All tables where null. */
  readonly table: string | null;
  /** Those that were released or dropped, too. */
  readonly settled: boolean;
  readonly limit: number;
}

const STATE = `
  case when q.dropped_at is not null then 'dropped' when q.released_at is not null then 'released' else 'waiting' end`;

const COLUMNS = `
  q.quarantine_id as id, q.batch_id as batch, q.table_name as table, q.record_key as key, q.column_name as column,
  q.reason, q.stage, ${STATE} as state`;

const MATCHING = `from ${QUARANTINE_TO_READ} where ($1::text is null or q.table_name = $1) and ($2 or (${waits('q')}))`;
const LIST = `select ${COLUMNS} ${MATCHING} order by q.quarantine_id desc limit $3`;
const COUNT = `select count(*) as rows ${MATCHING}`;

/** What is in quarantine; nothing where the warehouse has none yet. */
export async function listKept(
  context: Pick<WarehouseContext, 'warehouseUrl'>,
  { table, settled, limit }: KeptQuery,
): Promise<KeptRows> {
  return inWarehouse(context, async (client) => {
    if (!(await hasQuarantine(client))) return { rows: [], all: 0 };
    const { rows } = await client.query<Kept>(LIST, [table, settled, limit]);
    if (rows.length < limit) return { rows, all: rows.length };
    const counted = await client.query<{ rows: string }>(COUNT, [table, settled]);
    return { rows, all: Number(counted.rows[0]?.rows ?? rows.length) };
  });
}

const WHOLE = `
  select ${COLUMNS}, q.released_at as "releasedAt", q.dropped_at as "droppedAt",
    (select jsonb_object_agg(c.key, c.value) from jsonb_each_text(q.row) c)::text as row
  from ${QUARANTINE_TO_READ} where q.quarantine_id = $1`;

const cells = v.record(v.string(), v.nullable(v.string()));

/** One row whole; null where there is none of that number. */
export async function findKept(
  context: Pick<WarehouseContext, 'warehouseUrl'>,
  id: string,
): Promise<WholeKept | null> {
  return inWarehouse(context, async (client) => {
    if (!(await hasQuarantine(client))) return null;
    const row = (await client.query<Omit<WholeKept, 'row'> & { row: string | null }>(WHOLE, [id])).rows[0];
    return row ? { ...row, row: v.parse(cells, JSON.parse(row.row ?? '{}')) } : null;
  });
}

const STATES = `
  select q.quarantine_id as id, ${STATE} as state from pipeline.quarantine q where q.quarantine_id = any($1::bigint[])`;

/** What has become of the rows of these numbers; those that there are none of are not in it. */
export async function statesOf(
  client: pg.Client,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Kept['state']>> {
  const { rows } = await client.query<Pick<Kept, 'id' | 'state'>>(STATES, [ids]);
  return new Map(rows.map(({ id, state }) => [id, state]));
}
