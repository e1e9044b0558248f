import type pg from 'pg';
import { PipelineError } from '../shared/errors.ts';
import type { IngestedTable, IngestionEntry, SourceIdentity } from '../shared/lake/entries.ts';
import type { Lake } from '../shared/lake/lake.ts';
import { declarationHash, type Model } from '../shared/model/model.ts';
import { inTransaction } from '../shared/postgres/client.ts';
import { fromPostgres } from '../shared/postgres/errors.ts';
import { qualified } from '../shared/postgres/sql.ts';
import type { Splitting } from '../shared/lake/split.ts';
import type { Report } from '../shared/report.ts';
import { describe, type Description, LOCKABLE, readRelations, type Relation, rewritten } from './catalog.ts';
import { readTable } from './copy.ts';
import { type Counted, countRows, type Counting, findChanges } from './count.ts';
import { type CountedPlan, cutBatch, type Cuts } from './cut.ts';
import { logPosition, positionOf, waitForFlush } from './flush.ts';
import { identityChange, readIdentity } from './identity.ts';
import { afterCount, changeOf, planBatch, type TablePlan } from './plan.ts';
import { parseSnapshot, type Snapshot } from './session.ts';
import { checkDescriptions, checkRelations } from './structure.ts';
import { findUndeclared, type Undeclared } from './undeclared.ts';
import { type Followed, hearWitnesses, nextWitnesses, type Testimony } from './witnesses.ts';

export interface BatchInput {
  readonly client: pg.Client;
  /** Opens another connection to the source, for those who read a large table together. */
  readonly connectMore: (signal: AbortSignal) => Promise<pg.Client>;
  readonly lake: Lake;
  readonly model: Model;
  readonly schema: string;
  readonly previous: IngestionEntry | null;
  readonly batch: number;
  readonly attempt: string;
  readonly whole: boolean;
  /** The rows are counted although nothing changed. */
  readonly isCountDue: boolean;
  readonly report: Report;
  readonly now: () => Date;
  readonly split?: Splitting;
}

/** What a batch is, before it is committed. */
export type BatchRead = Pick<IngestionEntry, 'snapshot_at' | 'source' | 'snapshot' | 'lsn' | 'tables'> & {
  /** Something was read, or is to be remembered: without it there is no log entry. With it, the source has flushed all that was read. */
  readonly isNews: boolean;
  readonly undeclared: Undeclared;
  /** Whether all rows that are followed were counted, or read: in each batch, and now and then where there is none. */
  readonly counted: boolean;
  /** What is left to be read in ranges; null where the batch is whole. */
  readonly cuts: Cuts | null;
};

const SNAPSHOT = 'select pg_catalog.pg_current_snapshot()::text as snapshot';

/**
 * Reads one batch. The order matters: who the source is, in a transaction of its own; then locks; *then* the snapshot
 * (a TRUNCATE between the two would make a table look empty); then what there is to read, under the snapshot.
 */
export async function readBatch(input: BatchInput): Promise<BatchRead> {
  const { client, model } = input;
  const source = await readIdentity(client);
  const relations = await readRelations(client, input.schema, model.tables.map((table) => table.name));
  checkRelations(input.schema, model.tables, relations);
  const read = await inTransaction(client, 'begin isolation level repeatable read read only', async () => {
    await lockTables(input, relations);
    const snapshot = await readSnapshot(client);
    const snapshot_at = input.now().toISOString();
    const lsn = await logPosition(client);
    const descriptions = await describeTables(input);
    const undeclared = await findUndeclared(client, input.schema, model.tables, descriptions);
    const testimony = await hear(input, source, snapshot, descriptions);
    const contradicted = testimony.contradiction !== null || isLogBehind(input.previous, lsn);
    const plans = planBatch({ ...input, identity: source, snapshot, descriptions, contradicted });
    const counted = await countAll(input, plans);
    const cuts = input.split ? await cutBatch(client, input.split, relations, counted, snapshot) : null;
    const tables = await readTables(input, counted, cuts, snapshot, contradicted ? new Map() : testimony.confirmed);
    await checkUnlocked(input, relations, descriptions);
    const isOther = model.hash !== input.previous?.model;
    const isNews = isOther || cuts !== null || plans.some((plan) => isWorthKeeping(plan, tables[plan.table.name]));
    return { snapshot_at, source, snapshot: snapshot.text, lsn, tables, isNews, undeclared, counted: areAllCounted(plans, counted), cuts };
  });
  if (read.isNews) await waitForFlush(client, read.lsn);
  return read;
}

/** Witnesses mean nothing on another server, nor in a table that is read whole anyway. */
async function hear(
  input: BatchInput,
  source: SourceIdentity,
  snapshot: Snapshot,
  descriptions: ReadonlyMap<string, Description>,
): Promise<Testimony> {
  const { client, model, schema, previous, whole } = input;
  const isSame = previous !== null && !whole && identityChange(previous.source, source) === null;
  const followed = model.tables.flatMap((table): readonly Followed[] => {
    const before = previous?.tables[table.name];
    const description = descriptions.get(table.name);
    if (!isSame || !before || !description || table.strategy.kind !== 'xmin') return [];
    const isAsBefore = changeOf(before, declarationHash(model, table), description) === null;
    return isAsBefore ? [{ table, previous: before, description }] : [];
  });
  return hearWitnesses(client, schema, followed, snapshot);
}

/** The log of one server only grows. */
function isLogBehind(previous: IngestionEntry | null, lsn: string | null): boolean {
  const before = previous?.lsn ?? null;
  return before !== null && lsn !== null && positionOf(lsn) < positionOf(before);
}

/** Rows; or a table that was read whole and found empty, which the next batch need not find again. */
function isWorthKeeping({ table, previous }: TablePlan, read: IngestedTable | undefined): boolean {
  if (!read) return false;
  if (read.rows > 0) return true;
  return read.whole !== null && (table.strategy.kind === 'xmin' || read.digest !== (previous?.digest ?? null));
}

export async function readSnapshot(client: pg.Client): Promise<Snapshot> {
  return parseSnapshot((await client.query<{ snapshot: string }>(SNAPSHOT)).rows[0]?.snapshot ?? '');
}

export async function lockTables(
  { client, schema }: Pick<BatchInput, 'client' | 'schema'>,
  relations: ReadonlyMap<string, Relation>,
): Promise<void> {
  for (const { name, kind, readable } of relations.values()) {
    if (!LOCKABLE.has(kind) || !readable) continue;
    try {
      await client.query(`lock table ${qualified(schema, name)} in access share mode`);
    } catch (error) {
      throw fromPostgres('source', error, { table: name });
    }
  }
}

async function describeTables(input: BatchInput): Promise<ReadonlyMap<string, Description>> {
  const { tables } = input.model;
  // Once more by name: a table can have been swapped for another one before it was locked.
  const relations = await readRelations(input.client, input.schema, tables.map((table) => table.name));
  const byOid = new Map(tables.map((table) => [relations.get(table.name)?.oid ?? '0', Object.keys(table.columns)]));
  const described = await describe(input.client, byOid);
  const descriptions = new Map(
    tables.flatMap(({ name }): readonly (readonly [string, Description])[] => {
      const description = described.get(relations.get(name)?.oid ?? '0');
      return description ? [[name, description]] : [];
    }),
  );
  checkDescriptions(tables, descriptions);
  return descriptions;
}

async function readTables(
  input: BatchInput,
  counted: readonly CountedPlan[],
  cuts: Cuts | null,
  snapshot: Snapshot,
  confirmed: Testimony['confirmed'],
): Promise<IngestionEntry['tables']> {
  const tables: IngestionEntry['tables'] = {};
  for (const { plan, rows } of counted) {
    const { name } = plan.table;
    const isCut = cuts?.cuts.some((cut) => cut.table === name) === true;
    if (plan.unexpected) warn(input, name, `read whole: ${plan.whole}`);
    const copied = await readTable({ ...input, snapshot }, isCut ? { ...plan, where: false } : plan);
    const read = plan.table.strategy.kind === 'xmin' ? await vouch({ ...input, isCut }, plan, snapshot, copied, rows, confirmed) : copied;
    tables[name] = read;
    // Of a batch that is read in ranges it is told when it is committed.
    if (read.rows === 0 || cuts !== null) continue;
    const bytes = read.parts.reduce((sum, part) => sum + part.bytes, 0);
    input.report({ event: 'table', stage: 'ingest', batch: input.batch, table: name, rows: read.rows, bytes });
  }
  return tables;
}

/**
 * The plans in the light of what changed, and of the rows that there are: these are counted in each batch, and where
 * nothing changed, now and then. Of tables that are not followed by transaction id it is not known before they are read
 * whether they make a batch: then it is taken for one.
 */
async function countAll(input: BatchInput, plans: readonly TablePlan[]): Promise<readonly CountedPlan[]> {
  const { client, schema, model, previous, isCountDue } = input;
  const followed = plans.flatMap((plan): readonly Counting[] => (isFollowed(plan) ? [plan] : []));
  const isBatch = model.hash !== previous?.model || plans.some(({ table, where }) => table.strategy.kind !== 'xmin' || where === true);
  const counted = new Map(await findChanges(client, schema, followed, isBatch || isCountDue));
  if ([...counted.values()].some(({ changed }) => changed > 0)) {
    for (const one of followed) {
      const found = counted.get(one.table.name);
      if (found?.rows === null) counted.set(one.table.name, { ...found, rows: await countRows(client, schema, one) });
    }
  }
  return plans.map((plan) => countedPlan(plan, counted.get(plan.table.name)));
}

/** Only what changed of it is read, as transaction ids tell. */
function isFollowed(plan: TablePlan): plan is TablePlan & { readonly where: string } {
  return plan.table.strategy.kind === 'xmin' && typeof plan.where === 'string';
}

/** Or read. Of a table that nothing can have changed in it is only known how many it had. */
function areAllCounted(plans: readonly TablePlan[], counted: readonly CountedPlan[]): boolean {
  return plans.every(({ table, where }, at) =>
    table.strategy.kind !== 'xmin' || where === true || (where !== false && counted[at]?.rows !== null));
}

/** Of a table that nothing can have changed in, the rows that it had. */
function countedPlan(plan: TablePlan, counted: Counted | undefined): CountedPlan {
  if (counted) return { plan: afterCount(plan, counted), rows: counted.rows, changed: counted.changed };
  const isStill = plan.table.strategy.kind === 'xmin' && plan.where === false;
  return { plan, rows: isStill ? (plan.previous?.rows_in_source ?? null) : null, changed: null };
}

/** Adds what the next batch proves its completeness and its past by. */
async function vouch(
  { client, schema, isCut }: BatchInput & { readonly isCut: boolean },
  plan: TablePlan,
  snapshot: Snapshot,
  read: IngestedTable,
  counted: number | null,
  confirmed: Testimony['confirmed'],
): Promise<IngestedTable> {
  const rows = plan.where === true ? read.rows : counted;
  const witnesses = await nextWitnesses(client, schema, plan, snapshot, confirmed.get(plan.table.name) ?? [], isCut);
  return { ...read, ...(rows === null ? {} : { rows_in_source: rows }), witnesses: [...witnesses] };
}

function warn(input: BatchInput, table: string, message: string): void {
  input.report({ event: 'warning', stage: 'ingest', batch: input.batch, table, message: `${table} is ${message}` });
}

/** What could not be locked (a materialised view, columns that are all this user may see) may have been rewritten. */
async function checkUnlocked(
  input: BatchInput,
  relations: ReadonlyMap<string, Relation>,
  descriptions: ReadonlyMap<string, Description>,
): Promise<void> {
  for (const { name, kind, readable } of relations.values()) {
    if (LOCKABLE.has(kind) && readable) continue;
    const leaves = descriptions.get(name)?.leaves ?? [];
    if (!(await rewritten(input.client, leaves))) continue;
    throw new PipelineError('source_locked', `source: table ${name} was rewritten while it was read`, { table: name });
  }
}
