import { PipelineError } from '../shared/errors.ts';
import type { IngestedTable, IngestionEntry, SourceIdentity } from '../shared/lake/entries.ts';
import { declarationHash, type Model } from '../shared/model/model.ts';
import type { Strategy, TableSpec } from '../shared/model/table.ts';
import { identifier, literal } from '../shared/postgres/sql.ts';
import type { Description } from './catalog.ts';
import type { Counted } from './count.ts';
import { identityChange } from './identity.ts';
import { changedSince, HALF_CIRCLE, parseSnapshot, type Snapshot } from './session.ts';

/** Why a table with the strategy `full` is read whole. */
export const DECLARED_FULL = "declared 'full'";

/** What to read of one table in this batch. */
export interface TablePlan {
  readonly table: TableSpec;
  /** The rows to read: a condition, or all (`true`), or none at all (`false`). */
  readonly where: string | boolean;
  /** Why all rows are read; null where only changed ones are. */
  readonly whole: string | null;
  /** Worth telling somebody: neither the first read of the table nor declared so. */
  readonly unexpected: boolean;
  readonly declaration: string;
  readonly description: Description;
  readonly previous: IngestedTable | null;
}

export interface PlanInput {
  readonly model: Model;
  readonly previous: IngestionEntry | null;
  readonly identity: SourceIdentity;
  readonly snapshot: Snapshot;
  /** By table name. */
  readonly descriptions: ReadonlyMap<string, Description>;
  /** An operator asked for everything, after a restore for example. */
  readonly whole: boolean;
  /** Rows or the log contradict what the batch before saw: a copy that has since gone its own way. */
  readonly contradicted?: boolean;
}

/**
 * Decides for each declared table what changed since the batch before: pure, so that every way to lose a change can be
 * tried on it. Reading too much is safe, reading too little never is.
 * @throws PipelineError `source_behind` when the snapshot is older than the batch before, on the same source.
 */
export function planBatch(input: PlanInput): readonly TablePlan[] {
  const { previous, identity, snapshot } = input;
  const different = previous && identityChange(previous.source, identity);
  if (previous && different === null && !input.whole) refuseOlder(parseSnapshot(previous.snapshot), snapshot);
  const moved = different ?? (input.contradicted === true ? 'history' : null);
  const elsewhere = moved === null ? null : `the source's ${moved} is not what it was`;
  // On a standby the text can stay while transactions of the primary arrive.
  const still = previous?.snapshot === snapshot.text && elsewhere === null && !identity.in_recovery;
  return input.model.tables.map((table) => planTable(input, table, elsewhere, still));
}

function refuseOlder(before: Snapshot, now: Snapshot): void {
  if (now.xmax >= before.xmax) return;
  const message = `the source's snapshot ends at transaction ${now.xmax}, the batch before saw ${before.xmax}`;
  throw new PipelineError('source_behind', message);
}

function planTable(input: PlanInput, table: TableSpec, elsewhere: string | null, still: boolean): TablePlan {
  const description = input.descriptions.get(table.name);
  if (!description) throw new Error(`table ${table.name} was not described`);
  const previous = input.previous?.tables[table.name] ?? null;
  const declaration = declarationHash(input.model, table);
  const common = { table, declaration, description, previous };
  const reason = input.whole ? 'asked for' : (elsewhere ?? changeOf(previous, declaration, description));
  if (reason !== null || !previous) {
    const first = previous === null && !input.whole;
    return { ...common, where: true, whole: first ? 'first read' : reason, unexpected: !first && !input.whole };
  }
  return { ...common, ...planChanges(table.strategy, previous, description, input.snapshot, still) };
}

export function changeOf(previous: IngestedTable | null, declaration: string, now: Description): string | null {
  if (!previous) return null;
  if (previous.declaration !== declaration) return 'its declaration changed';
  if (previous.fingerprint !== now.fingerprint) return 'its columns changed in the source';
  return isAnother(previous, now) ? 'it is another table than it was' : null;
}

/** Renamed into the place of the one that was followed, or dropped and made again. */
function isAnother(previous: IngestedTable, now: Description): boolean {
  const known = new Set(previous.leaves.map((leaf) => leaf.oid));
  return known.size > 0 && now.leaves.length > 0 && !now.leaves.some((leaf) => known.has(leaf.oid));
}

export type CursorStrategy = Strategy & { readonly kind: 'cursor' };

type Reading = Pick<TablePlan, 'where' | 'whole' | 'unexpected'>;

const NOTHING: Reading = { where: false, whole: null, unexpected: false };

function planChanges(
  strategy: Strategy,
  previous: IngestedTable,
  description: Description,
  snapshot: Snapshot,
  still: boolean,
): Reading {
  switch (strategy.kind) {
    case 'full':
      return { where: true, whole: DECLARED_FULL, unexpected: false };
    case 'cursor':
      return { where: sinceCursor(strategy, previous.cursor), whole: null, unexpected: false };
    case 'xmin':
      // Of another strategy, where the declaration did not tell.
      if (!/^\d+$/.test(previous.cursor ?? '')) return { where: true, whole: 'it was not followed by transaction', unexpected: true };
      return sinceTransaction(BigInt(previous.cursor ?? 0), previous, description, snapshot, still);
  }
}

function sinceTransaction(
  cursor: bigint,
  previous: IngestedTable,
  description: Description,
  snapshot: Snapshot,
  still: boolean,
): Reading {
  const gap = snapshot.xmax - cursor;
  if (gap >= HALF_CIRCLE) {
    return { where: true, whole: 'more than 2^31 transactions have passed', unexpected: true };
  }
  const fresh = newLeaves(previous, description);
  const conditions = [
    ...(gap > 0n && !still ? [changedSince(cursor, snapshot.xmax)] : []),
    ...(fresh.length > 0 ? [`tableoid = any('{${fresh.join(',')}}'::oid[])`] : []),
  ];
  return conditions.length === 0 ? NOTHING : { ...NOTHING, where: conditions.join(' or ') };
}

/**
 * What is to be read once the rows have been counted. A row that is new to the table, and was not written by a
 * transaction since the cursor, was missed: the changed rows are all that can have been added.
 */
export function afterCount(plan: TablePlan, { rows, changed, places }: Counted): TablePlan {
  const missed = (rows ?? 0) - (plan.previous?.rows_in_source ?? Infinity) - changed;
  if (missed > 0) {
    const whole = `it has ${missed} rows more than its changes account for`;
    return { ...plan, where: true, whole, unexpected: true };
  }
  return { ...plan, where: places !== null && `(${plan.where}) and ${places}` };
}

/** Partitions attached, tables swapped or rewritten: what is in them may be older than the cursor. */
export function newLeaves(previous: IngestedTable, now: Description): readonly string[] {
  const known = new Set(previous.leaves.map((leaf) => `${leaf.oid} ${leaf.filenode} ${leaf.fingerprint}`));
  return now.leaves
    .filter((leaf) => !known.has(`${leaf.oid} ${leaf.filenode} ${leaf.fingerprint}`))
    .map((leaf) => leaf.oid);
}

/** Nothing is known of a table that was empty: then all of it is new. */
export function sinceCursor({ column, overlap }: CursorStrategy, cursor: string | null): string | true {
  if (cursor === null) return true;
  // A number is counted back here: with `numeric` arithmetic no index on the column would serve.
  const from = /^-?\d+$/.test(cursor)
    ? String(BigInt(cursor) - BigInt(overlap))
    : `${literal(cursor)}::timestamp - interval '${overlap} seconds'`;
  return `${identifier(column)} >= ${from}`;
}
