import type pg from 'pg';
import { changingQuarantine } from './drop.ts';
import { statesOf } from './kept.ts';
import type { WarehouseContext } from './load.ts';
import { releaseFact } from './release.ts';
import { waits } from './schema/bookkeeping.ts';
import { migrate } from './schema/migrate.ts';

/** Rows that still wait for the same reason. */
export interface StillWaiting {
  readonly table: string;
  readonly column: string;
  readonly reason: string;
  readonly rows: number;
}

export interface Retried {
  /** How many rows of each fact were released; those of which none was are not in it. */
  readonly released: ReadonlyMap<string, number>;
  /** Of the rows that were asked for. */
  readonly waiting: readonly StillWaiting[];
}

/** Why nothing was tried. */
export interface NotRetried {
  readonly unknown: readonly string[];
  readonly dropped: readonly string[];
}

/**
 * Releases what can be used by now, as the next batch would: all that waits, or the rows of these numbers. Rows that
 * transform rejected are read again by this build's model, for which the schema is made to fit first, as load does.
 */
export async function retryRows(
  context: WarehouseContext,
  ids: readonly string[] | null,
): Promise<Retried | NotRetried> {
  const { model, warehouseSchema: schema } = context;
  const grow = async (client: pg.Client) => migrate(client, schema, model);
  return changingQuarantine(context, grow, async (client) => {
    const states = await statesOf(client, ids ?? []);
    const unknown = (ids ?? []).filter((id) => !states.has(id));
    const dropped = (ids ?? []).filter((id) => states.get(id) === 'dropped');
    if (unknown.length > 0 || dropped.length > 0) return { unknown, dropped };
    const released = new Map<string, number>();
    for (const fact of model.facts) {
      const rows = await releaseFact({ client, schema }, model, fact, { mended: true, only: ids });
      if (rows > 0) released.set(fact.name, rows);
    }
    return { released, waiting: await stillWaiting(client, ids) };
  });
}

const STILL_WAITING = `
  select q.table_name as table, q.column_name as column, q.reason, count(*) as rows from pipeline.quarantine q
  where ${waits('q')} and ($1::bigint[] is null or q.quarantine_id = any($1::bigint[]))
  group by 1, 2, 3 order by count(*) desc, 1, 2, 3`;

async function stillWaiting(client: pg.Client, ids: readonly string[] | null): Promise<readonly StillWaiting[]> {
  const { rows } = await client.query<Omit<StillWaiting, 'rows'> & { rows: string }>(STILL_WAITING, [ids]);
  return rows.map((row) => ({ ...row, rows: Number(row.rows) }));
}
