import { createHash } from 'node:crypto';
import type pg from 'pg';
import { PipelineError } from '../shared/errors.ts';
import type { Part, ProcessedEntry } from '../shared/lake/entries.ts';
import type { FactSpec } from '../shared/model/fact.ts';
import type { Model } from '../shared/model/model.ts';
import { inTransaction } from '../shared/postgres/client.ts';
import { isLockTimeout } from '../shared/postgres/errors.ts';
import { identifier, literal, qualified } from '../shared/postgres/sql.ts';
import { BOOKKEEPING } from './schema/bookkeeping.ts';
import { sqlType } from './schema/ddl.ts';
import { stagedColumns } from './staging.ts';

/**
 * Where the facts of a large batch lie, part by part, until one transaction makes versions of them all: a table a fact,
 * and one that says which parts are in it.
 *
 * Both are unlogged, and both have to be. What is staged costs no WAL, and a server that crashes empties them together:
 * then no part is said to be staged that is not, and all are staged again.
 */
const PARTS = 'pipeline.staged_part';

const CREATE_PARTS = `
  create unlogged table if not exists ${PARTS} (
    log_id uuid not null,
    batch_id bigint not null,
    attempt uuid not null,
    part_key text not null,
    range_number integer not null,
    is_staged boolean not null default false,
    primary key (log_id, batch_id, attempt, part_key)
  )`;

/** The batch that is staged, as one attempt of transform made it. */
export type StagedBatch = Pick<ProcessedEntry, 'log_id' | 'batch' | 'attempt'>;

/** A name of any length must not be cut off, nor become the one of another. */
function tableName(fact: FactSpec): string {
  return `staged_${createHash('sha256').update(fact.name).digest('hex').slice(0, 32)}`;
}

export function stagedTable(fact: FactSpec): string {
  return qualified(BOOKKEEPING, tableName(fact));
}

/** Of what and for what a table is: a comment that says another thing is the one of a table that is of no use. */
function label(fact: FactSpec, { log_id, batch, attempt }: StagedBatch): string {
  return `Starling: ${fact.name} of batch ${batch}, ${attempt} of log ${log_id}: ${columnLines(fact).join(', ')}`;
}

function columnLines(fact: FactSpec): readonly string[] {
  return stagedColumns(fact).map(({ name, type }) => `${identifier(name)} ${sqlType(type)}`);
}

const TABLES = `
  select c.relname as name, coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), '') as comment
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'pipeline' and c.relkind = 'r' and c.relname ~ '^staged_(part|[0-9a-f]{32})$'
  order by c.relname desc`;

/**
 * Whatever there is of staged tables: name to comment. The one of the parts is the first: who stages has a lock on that
 * one before any other, so that who drops them has to come after.
 */
export type StagedTables = ReadonlyMap<string, string>;

export async function stagedTables(client: pg.Client): Promise<StagedTables> {
  const { rows } = await client.query<{ name: string; comment: string }>(TABLES);
  return new Map(rows.map(({ name, comment }) => [name, comment]));
}

function isFor(tables: StagedTables, fact: FactSpec, batch: StagedBatch): boolean {
  return tables.get(tableName(fact)) === label(fact, batch);
}

/** Whether all tables are there that the batch's facts are to be staged in, by this build's model. */
export function areFor(tables: StagedTables, facts: readonly FactSpec[], batch: StagedBatch): boolean {
  return tables.has('staged_part') && facts.every((fact) => isFor(tables, fact, batch));
}

/** Any number; the same for all who make staged tables, or load from them. */
export const LOCK_TABLES = 'select pg_catalog.pg_advisory_xact_lock(7350, 4)';
export const TRY_LOCK_TABLES = 'select pg_catalog.pg_try_advisory_xact_lock(7350, 4) as taken';

/** Makes what is missing, in place of what is of another batch or build. @param ranges The parts of each. */
export async function makeTables(
  client: pg.Client,
  batch: StagedBatch,
  facts: readonly FactSpec[],
  ranges: readonly (readonly Part[])[],
): Promise<void> {
  const tables = await stagedTables(client);
  if (!areFor(tables, facts, batch)) {
    // What is left of a table cannot be told from what is missing.
    await dropTables(client, tables);
    await client.query(CREATE_PARTS);
    for (const fact of facts) {
      await client.query(`create unlogged table ${stagedTable(fact)} (${columnLines(fact).join(', ')})`);
      await client.query(`comment on table ${stagedTable(fact)} is ${literal(label(fact, batch))}`);
    }
  }
  const keys = ranges.flatMap((parts) => parts.map(({ key }) => key));
  const numbers = ranges.flatMap((parts, range) => parts.map(() => range));
  await client.query(INSERT_PARTS, [batch.log_id, batch.batch, batch.attempt, keys, numbers]);
}

/** Nothing where they are there, as they are unless the server has crashed. */
const INSERT_PARTS = `
  insert into ${PARTS} (log_id, batch_id, attempt, part_key, range_number)
  select $1, $2, $3, p.part_key, p.range_number from unnest($4::text[], $5::integer[]) p (part_key, range_number)
  on conflict do nothing`;

/** `undefined_table` */
export function isUndefinedTable(error: unknown): boolean {
  if (error instanceof PipelineError) return error.context.sqlstate === '42P01';
  return error instanceof Error && 'code' in error && error.code === '42P01';
}

export async function dropTables(client: pg.Client, tables: StagedTables): Promise<void> {
  if (tables.size === 0) return;
  const names = [...tables.keys()].map((name) => qualified(BOOKKEEPING, name));
  await client.query(`drop table if exists ${names.join(', ')}`);
}

/**
 * What is of no use to anybody any more; where that does not go, for somebody is still at it, the next batch finds it.
 * @param tables As they were then: others may have been made since.
 */
export async function dropLeftOver(client: pg.Client, tables: StagedTables): Promise<void> {
  const dropping = inTransaction(client, 'begin', async () => {
    await client.query("set local lock_timeout = '1s'");
    await client.query(LOCK_TABLES);
    const now = await stagedTables(client);
    if ([...now].every(([name, comment]) => tables.get(name) === comment)) await dropTables(client, now);
  });
  // Whatever it is that fails: the batch is loaded.
  await dropping.catch(() => undefined);
}

const OF_BATCH = 'log_id = $1 and batch_id = $2 and attempt = $3';

/** Somebody else has been at the range for as long as one would wait. */
export class AnotherWorker extends Error {
  override readonly name = 'AnotherWorker';
}

/**
 * What is to be staged in a range, for one who stages it: another one waits here until that is done.
 * @throws AnotherWorker when that takes longer than the session waits for a lock.
 */
export async function lockRange(client: pg.Client, batch: StagedBatch, range: number): Promise<readonly string[] | null> {
  const locking = client.query<{ part_key: string; is_staged: string }>(
    `select part_key, is_staged from ${PARTS} where ${OF_BATCH} and range_number = $4 order by part_key for update`,
    [batch.log_id, batch.batch, batch.attempt, range],
  );
  const { rows } = await locking.catch(asAnotherWorker);
  return rows.length === 0 ? null : rows.filter((row) => row.is_staged === 'f').map((row) => row.part_key);
}

function asAnotherWorker(error: unknown): never {
  throw isLockTimeout(error) ? new AnotherWorker() : error;
}

export async function markStaged(client: pg.Client, batch: StagedBatch, keys: readonly string[]): Promise<void> {
  const values = [batch.log_id, batch.batch, batch.attempt, keys];
  await client.query(`update ${PARTS} set is_staged = true where ${OF_BATCH} and part_key = any($4)`, values);
}

/** The ranges that hold parts which are not staged yet, but for those of `without`. */
export async function missingRanges(client: pg.Client, batch: StagedBatch, without: readonly string[]): Promise<readonly number[]> {
  const { rows } = await client.query<{ range: string }>(
    `select distinct range_number as range from ${PARTS}
      where ${OF_BATCH} and not is_staged and part_key <> all($4) order by 1`,
    [batch.log_id, batch.batch, batch.attempt, without],
  );
  return rows.map(({ range }) => Number(range));
}

/** The facts that a batch brings rows of. */
export function factsOf(entry: Pick<ProcessedEntry, 'outputs'>, model: Model): readonly FactSpec[] {
  return model.facts.filter(({ name }) => partsOf(entry, name).length > 0);
}

export function partsOf({ outputs }: Pick<ProcessedEntry, 'outputs'>, table: string): readonly Part[] {
  return outputs[table]?.parts ?? [];
}

interface Staged {
  /** Whatever there is of them, also of another batch. */
  readonly tables: StagedTables;
  /** The facts of which every part is staged. */
  readonly facts: ReadonlySet<string>;
}

/** What is staged of a batch whose ledger row is claimed: from now on nobody changes it. */
export async function lookForStaged(client: pg.Client, entry: ProcessedEntry, model: Model): Promise<Staged> {
  if ((await stagedTables(client)).size === 0) return { tables: new Map(), facts: new Set() };
  await client.query(LOCK_TABLES);
  const tables = await stagedTables(client);
  const keys = tables.has('staged_part') ? await stagedKeys(client, entry) : new Set();
  const isWhole = (fact: FactSpec) => isFor(tables, fact, entry) && partsOf(entry, fact.name).every(({ key }) => keys.has(key));
  return { tables, facts: new Set(factsOf(entry, model).filter(isWhole).map(({ name }) => name)) };
}

async function stagedKeys(client: pg.Client, { log_id, batch, attempt }: StagedBatch): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ key: string }>(
    `select part_key as key from ${PARTS} where ${OF_BATCH} and is_staged`,
    [log_id, batch, attempt],
  );
  return new Set(rows.map(({ key }) => key));
}
