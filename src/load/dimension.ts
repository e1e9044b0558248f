import type pg from 'pg';
import type { TransformedOutput } from '../shared/lake/entries.ts';
import type { Lake } from '../shared/lake/lake.ts';
import { dimDate, type DimensionSpec } from '../shared/model/dimension.ts';
import { type Model, outputHash } from '../shared/model/model.ts';
import { identifier, identifiers, qualified } from '../shared/postgres/sql.ts';
import { admitNulls } from './admit-nulls.ts';
import type { TableCounts } from './ledger.ts';
import { waits } from './schema/bookkeeping.ts';
import { copyRows, createStaging, partRows, STAGED } from './staging.ts';

export interface Target {
  readonly client: pg.Client;
  readonly lake: Lake;
  readonly schema: string;
  readonly batch: number;
}

/**
 * Brings a dimension up to the batch: new keys are inserted, rows that differ are updated, all others are left alone.
 */
export async function loadDimension(
  target: Target,
  model: Model,
  dimension: DimensionSpec,
  output: TransformedOutput,
): Promise<TableCounts> {
  const { client, lake, schema } = target;
  const isOfModel = output.hash === outputHash(model, dimension);
  await createStaging(client, STAGED, dimension.columns);
  const staged = await copyRows(
    client,
    STAGED,
    dimension.columns,
    partRows(lake, output.parts, dimension.columns, { isOfModel }),
    dimension.name,
  );
  if (!isOfModel) await admitNulls(target, dimension.columns, [dimension.name], STAGED);
  const written = (await client.query(upsert(qualified(schema, dimension.name), dimension))).rowCount ?? 0;
  const released = (await client.query(SUPERSEDED(dimension.key), [dimension.name])).rowCount ?? 0;
  return { staged, written, quarantined: 0, released };
}

function upsert(table: string, { columns, key }: DimensionSpec): string {
  const names = columns.map((column) => column.name);
  const others = names.filter((name) => name !== key);
  const insert = `insert into ${table} as t (${identifiers(names)}) select ${identifiers(names)} from ${STAGED}`;
  if (others.length === 0) return `${insert} on conflict do nothing`;
  const set = others.map((name) => `${identifier(name)} = excluded.${identifier(name)}`).join(', ');
  const [old, fresh] = [identifiers(others, 't.'), identifiers(others, 'excluded.')];
  return `${insert} on conflict (${identifier(key)}) do update set ${set} where (${old}) is distinct from (${fresh})`;
}

/** A dimension shows the latest state, so that a usable row settles all earlier ones of its key that were not. */
const SUPERSEDED = (key: string) => `
  update pipeline.quarantine q set released_at = pg_catalog.now()
  from ${STAGED} s
  where q.table_name = $1 and ${waits('q')} and q.record_key = s.${identifier(key)}::text`;

/**
 * Adds the days that rows of `from` refer to and the calendar lacks. Years are PostgreSQL's: 44 BC is -44. Names are
 * English whatever the server's locale: `to_char` translates only with `TM`.
 */
export async function extendCalendar(
  client: pg.Client,
  schema: string,
  from: string,
  columns: readonly string[],
): Promise<void> {
  if (columns.length === 0) return;
  const days = columns.map((name) => `select ${identifier(name)} as day from ${from}`).join(' union ');
  await client.query(insertDays(schema, days));
}

/** The same of days that are known. @param days Since 1970-01-01. */
export async function addDays(client: pg.Client, schema: string, days: readonly number[]): Promise<void> {
  if (days.length === 0) return;
  await client.query(insertDays(schema, "select date '1970-01-01' + d as day from unnest($1::int[]) d"), [days]);
}

function insertDays(schema: string, days: string): string {
  const calendar = qualified(schema, dimDate.name);
  return `
    insert into ${calendar}
      (date_id, year, month, day, day_of_week, day_name, month_name, quarter)
    select day, extract(year from day)::int, extract(month from day)::int, extract(day from day)::int,
      extract(isodow from day)::int, to_char(day, 'FMDay'), to_char(day, 'FMMonth'), extract(quarter from day)::int
    from (${days}) days
    where day is not null
    on conflict (date_id) do nothing`;
}
