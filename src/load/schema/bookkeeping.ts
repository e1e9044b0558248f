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
 * the finished fact row that refers to nothing (load).
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
    released_at timestamptz
  )`;

export const INDEX_QUARANTINE = `
  create index if not exists quarantine_waiting on pipeline.quarantine (table_name, record_key, batch_id)
  where released_at is null`;
