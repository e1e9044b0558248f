import { PipelineError } from '../../shared/errors.ts';
import { literal } from '../../shared/postgres/sql.ts';

/** Starling's own tables, in a schema of their own. The names are a contract with other people's queries. */
export const BOOKKEEPING = 'pipeline';

export const CREATE_LEDGER = `
  create table if not exists pipeline.ledger (
    batch_id bigint primary key,
    log_id uuid not null,
    snapshot_at timestamptz not null,
    loaded_at timestamptz not null,
    model_hash text not null,
    counts jsonb not null
  )`;

/**
 * `stage` tells whose refusal it was, and with it what `row` holds: the source row as PostgreSQL's text (transform), or
 * the finished fact row that refers to nothing (load). `dropped_at`: somebody has said that it is not to be used.
 */
export const CREATE_QUARANTINE = `
  create table if not exists pipeline.quarantine (
    quarantine_id bigint generated always as identity primary key,
    batch_id bigint not null,
    table_name text not null,
    record_key text,
    column_name text not null,
    reason text not null,
    stage text not null check (stage in ('transform', 'load')),
    row jsonb not null,
    released_at timestamptz,
    dropped_at timestamptz
  )`;

/** For a quarantine from before rows could be dropped. */
export const ADD_DROPPED_AT = 'alter table pipeline.quarantine add column if not exists dropped_at timestamptz';

export const INDEX_QUARANTINE = `
  create index if not exists quarantine_waiting on pipeline.quarantine (table_name, record_key, batch_id)
  where released_at is null`;

/** True of rows `alias` of the quarantine that wait: neither released nor dropped. */
export function waits(alias: string): string {
  return `${alias}.released_at is null and ${alias}.dropped_at is null`;
}

/**
 * The quarantine as `q`, for whoever only reads: also where load has not run since `dropped_at` was added. The name is
 * looked for in the table first, and then in what is beside it.
 */
export const QUARANTINE_TO_READ = `
  (select null::timestamptz as dropped_at) as earlier
  cross join lateral (
    select quarantine_id, batch_id, table_name, record_key, column_name, reason, stage, row, released_at, dropped_at
    from pipeline.quarantine
  ) as q`;

const STAR_IN = 'Starling: which batches the star holds that is in schema ';

/**
 * The ledger speaks of one star. Its comment says in which schema that is: loading into another one would leave a star
 * that lacks all batches before.
 * @param comment The ledger's, as it is; null where there is none yet.
 * @returns the statement that says so for the first time, or nothing.
 * @throws PipelineError `config` when the star is in another schema.
 */
export function claimSchema(schema: string, comment: string | null): readonly string[] {
  const known = comment?.startsWith(STAR_IN) === true ? comment.slice(STAR_IN.length) : null;
  if (known === null) return [`comment on table pipeline.ledger is ${literal(STAR_IN + schema)}`];
  if (known === schema) return [];
  const message = `WAREHOUSE_SCHEMA is ${schema}, but this warehouse has its star in schema ${known}`;
  throw new PipelineError('config', `${message}: set it to that, or use a database of its own`);
}
