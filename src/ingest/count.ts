import type pg from 'pg';
import { fromPostgres } from '../shared/postgres/errors.ts';
import { qualified } from '../shared/postgres/sql.ts';
import type { TablePlan } from './plan.ts';

/** What there is of a table, and of what changed in it. */
export interface Counted {
  /** All rows of the table. */
  readonly rows: number;
  /** Those that changed. */
  readonly changed: number;
  /** The lowest and the highest place of those, as `ctid`s; of partitions, all in one. Null where there are none. */
  readonly first: string | null;
  readonly last: string | null;
}

type CountedRow = Readonly<Record<'rows' | 'changed', string> & Record<'first' | 'last', string | null>>;

/**
 * Counts the rows of a table that is followed by transaction id, and looks where the changed ones are, in one scan.
 * Where none has changed it is the only one, and otherwise the next need not go beyond those places.
 * 1,000,000 rows, ms (15 / 18), before the condition on leaves: `count(*)` 44 / 52, changed rows too 94 / 88, their places too 132 / 102, without
 * `offset 0`, which keeps the condition from being computed three times, 159 / 145.
 */
export async function countRows(
  client: pg.Client,
  schema: string,
  { table, description }: Pick<TablePlan, 'table' | 'description'>,
  where: string,
): Promise<Counted> {
  // A partition that is attached now is seen by a query, though not under the snapshot: its rows are the next batch's.
  const leaves = description.leaves.map((leaf) => leaf.oid).join(',');
  const query = `
    select count(*) as rows, count(place) as changed, min(place) as first, max(place) as last
    from (
      select case when ${where} then ctid end as place from ${qualified(schema, table.name)}
      where tableoid = any('{${leaves}}'::oid[]) offset 0
    ) as row`;
  try {
    const row = (await client.query<CountedRow>(query)).rows[0];
    const { first = null, last = null } = row ?? {};
    return { rows: Number(row?.rows), changed: Number(row?.changed), first, last };
  } catch (error) {
    throw fromPostgres('source', error, { table: table.name });
  }
}
