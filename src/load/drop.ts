import type pg from 'pg';
import { PipelineError } from '../shared/errors.ts';
import { statesOf } from './kept.ts';
import { whileNobodyLoads } from './ledger.ts';
import { inWarehouse, type WarehouseContext } from './load.ts';
import { ADD_DROPPED_AT, waits } from './schema/bookkeeping.ts';
import { hasQuarantine } from './waiting.ts';

type Warehouse = Pick<WarehouseContext, 'warehouseUrl'>;

/** Rows of the quarantine, by their numbers, or those that a batch brought of a table. */
export type Chosen =
  | { readonly ids: readonly string[] }
  | { readonly table: string; readonly batch: number };

export interface Dropped {
  readonly dropped: number;
  /** Had been dropped before. */
  readonly before: number;
}

/** Why nothing was changed. */
export interface Refused {
  readonly unknown: readonly string[];
  /** Rows that became versions, or were superseded: there is no way back. */
  readonly released: readonly string[];
}

/**
 * Marks rows as dropped: they wait no more, are never released, and are no state of their key: the same row, when it
 * arrives again, is looked at anew. All of them or none.
 */
export async function dropRows(context: Warehouse, chosen: Chosen): Promise<Dropped | Refused> {
  return changingQuarantine(context, nothing, async (client) => {
    const ids = 'ids' in chosen ? [...new Set(chosen.ids)] : await idsOf(client, chosen.table, chosen.batch);
    const states = await statesOf(client, ids);
    const unknown = ids.filter((id) => !states.has(id));
    const released = ids.filter((id) => states.get(id) === 'released');
    if (unknown.length > 0 || released.length > 0) return { unknown, released };
    const dropped = (await client.query(DROP, [ids])).rowCount ?? 0;
    return { dropped, before: ids.length - dropped };
  });
}

const DROP = `
  update pipeline.quarantine q set dropped_at = pg_catalog.now()
  where q.quarantine_id = any($1::bigint[]) and ${waits('q')}`;

const OF_BATCH = `
  select quarantine_id as id from pipeline.quarantine
  where table_name = $1 and batch_id = $2 and released_at is null`;

async function idsOf(client: pg.Client, table: string, batch: number): Promise<readonly string[]> {
  return (await client.query<{ id: string }>(OF_BATCH, [table, batch])).rows.map(({ id }) => id);
}

async function nothing(): Promise<void> {
  // No model is asked: whoever drops a row must not change the star.
}

const KNOWS_DROPPED = `
  select from pg_catalog.pg_attribute
  where attrelid = 'pipeline.quarantine'::regclass and attname = 'dropped_at' and not attisdropped`;

/**
 * One transaction, while nobody loads: load decides on rows of the quarantine long before it changes them.
 * @param prepare Runs before it, in a quarantine that is there.
 * @throws PipelineError `warehouse_locked` when somebody goes on loading, `warehouse_schema` where nothing was ever.
 */
export async function changingQuarantine<T>(
  context: Warehouse,
  prepare: (client: pg.Client) => Promise<unknown>,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  return inWarehouse(context, async (client) => {
    if (!(await hasQuarantine(client))) {
      throw new PipelineError('warehouse_schema', 'warehouse: there is no quarantine: nothing has been loaded here');
    }
    await prepare(client);
    return whileNobodyLoads(client, async () => {
      if ((await client.query(KNOWS_DROPPED)).rowCount === 0) await client.query(ADD_DROPPED_AT);
      return work(client);
    });
  });
}
