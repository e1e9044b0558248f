import type pg from 'pg';
import { PipelineError } from '../shared/errors.ts';
import type { Loaded } from '../shared/freshness.ts';
import type { ProcessedEntry } from '../shared/lake/entries.ts';
import { inTransaction } from '../shared/postgres/client.ts';
import { isLockTimeout } from '../shared/postgres/errors.ts';
import { literal } from '../shared/postgres/sql.ts';

/** The last batch that the warehouse holds. */
export interface LedgerHead {
  readonly batch: number;
  readonly log_id: string;
  readonly model_hash: string;
}

/** What a batch did to each table, by name: `counts` in the ledger. */
export type Counts = Readonly<Record<string, TableCounts>>;

export interface TableCounts {
  /** Rows in the batch. */
  readonly staged: number;
  /** Versions appended (facts), rows inserted or changed (dimensions). */
  readonly written: number;
  readonly quarantined: number;
  readonly released: number;
  /** Rows that were left out because an operator wished so. */
  readonly skipped?: number;
}

const HEAD = 'select batch_id, log_id, model_hash from pipeline.ledger order by batch_id desc limit 1';

export async function ledgerHead(client: pg.Client): Promise<LedgerHead | null> {
  const row = (await client.query<{ batch_id: string; log_id: string; model_hash: string }>(HEAD)).rows[0];
  return row ? { ...row, batch: Number(row.batch_id) } : null;
}

const THERE = "select to_regclass('pipeline.ledger') is not null as there";

export async function hasLedger(client: pg.Client): Promise<boolean> {
  return (await client.query<{ there: string }>(THERE)).rows[0]?.there === 't';
}

const LAST = `
  select batch_id, extract(epoch from snapshot_at) * 1000 as snapshot_ms from pipeline.ledger
  order by batch_id desc limit 1`;

/** The last batch and its snapshot's time; null where nothing is loaded, or there is no ledger yet. */
export async function lastLoaded(client: pg.Client): Promise<Loaded | null> {
  if (!(await hasLedger(client))) return null;
  const row = (await client.query<{ batch_id: string; snapshot_ms: string }>(LAST)).rows[0];
  return row ? { batch: Number(row.batch_id), snapshotAt: new Date(Number(row.snapshot_ms)) } : null;
}

const INSERT = `
  insert into pipeline.ledger (batch_id, log_id, snapshot_at, loaded_at, model_hash, counts)
  select $1::bigint, $2::uuid, $3::timestamptz, $4::timestamptz, $5, '{}'
  where $1::bigint = coalesce((select max(batch_id) from pipeline.ledger), 0) + 1
  on conflict (batch_id) do nothing`;

/** Somebody else has been loading the batch for as long as this loader would wait. */
export class AnotherLoader extends Error {
  override readonly name = 'AnotherLoader';
}

interface Claim {
  readonly model: string;
  readonly at: Date;
  readonly wait: string;
}

/**
 * The first statement of a batch's transaction: whoever inserts its row loads it. Another loader waits here until the
 * first one is done, and then finds it loaded. Only the batch behind the highest can be inserted.
 * @throws AnotherLoader when that takes longer than `wait`.
 */
export async function claim(client: pg.Client, entry: ProcessedEntry, { model, at, wait }: Claim): Promise<boolean> {
  await client.query(`set local lock_timeout = ${literal(wait)}`);
  const values = [entry.batch, entry.log_id, entry.snapshot_at, at.toISOString(), model];
  const claimed = (await client.query(INSERT, values).catch(asAnotherLoader)).rowCount === 1;
  await client.query("set local lock_timeout = '15s'");
  if (claimed) return true;
  const head = await ledgerHead(client);
  if (head && head.batch >= entry.batch && head.log_id === entry.log_id) return false;
  const end = head ? `batch ${head.batch} of log ${head.log_id}` : 'nothing';
  const message = `the ledger ends with ${end}: batch ${entry.batch} of log ${entry.log_id} does not follow it`;
  throw new PipelineError('lake_foreign', message, { batch: entry.batch });
}

/** Nothing else holds up this insert. */
function asAnotherLoader(error: unknown): never {
  throw isLockTimeout(error) ? new AnotherLoader() : error;
}

export async function recordCounts(client: pg.Client, batch: number, counts: Counts): Promise<void> {
  await client.query('update pipeline.ledger set counts = $2 where batch_id = $1', [batch, JSON.stringify(counts)]);
}

/** Whoever loads inserts into the ledger first, and waits for this as for another loader. Readers do not. */
const KEEP_LOADERS_OUT = 'lock table pipeline.ledger in share row exclusive mode';

/** One transaction that no loader claims a batch in. @throws PipelineError `warehouse_locked` when somebody goes on loading. */
export async function whileNobodyLoads<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  return inTransaction(client, 'begin', async () => {
    await client.query(KEEP_LOADERS_OUT).catch(failLocked);
    return work();
  });
}

function failLocked(error: unknown): never {
  if (!isLockTimeout(error)) throw error;
  throw new PipelineError('warehouse_locked', 'warehouse: a batch is being loaded: try again when it is done');
}
