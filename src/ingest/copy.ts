import type { IngestedTable } from '../shared/lake/entries.ts';
import type { TableSpec } from '../shared/model/table.ts';
import { identifier, qualified } from '../shared/postgres/sql.ts';
import { copyRows, digestOfRows, NOTHING_READ } from './part.ts';
import { DECLARED_FULL, sinceCursor, type TablePlan } from './plan.ts';
import type { Snapshot } from './session.ts';
import { copyByStreams, type StreamsInput, whatToShare } from './streams.ts';

export interface CopyInput extends StreamsInput {
  readonly snapshot: Snapshot;
}

/** Reads what the plan says of one table, straight from PostgreSQL into objects; none where there are no rows. */
export async function readTable(input: CopyInput, plan: TablePlan): Promise<IngestedTable> {
  const { table, description, declaration } = plan;
  const shared = await whatToShare(input, plan);
  const alone = async () => (plan.where === false ? NOTHING_READ : copyRows(input, table, plan.where));
  const read = shared === null ? await alone() : await copyByStreams(input, table, shared);
  const cursor = await cursorOf(input, plan);
  const known = {
    declaration,
    columns: Object.keys(table.columns),
    fingerprint: description.fingerprint,
    leaves: [...description.leaves],
    cursor,
  };
  if (isRepetition(plan, read.digest)) {
    await Promise.all(read.parts.map((part) => input.lake.delete(part.key)));
    return { ...known, whole: null, digest: read.digest, rows: 0, parts: [] };
  }
  const rows = read.parts.reduce((sum, part) => sum + part.rows, 0);
  const digest = await digestToExpect(input, plan, cursor, read.digest);
  return { ...known, whole: plan.whole, digest, rows, parts: [...read.parts] };
}

/**
 * The digest of what the next batch reads if nothing happens until then: with a cursor that is only the overlap and the
 * rows at the highest value, which would otherwise be told as news once more.
 */
async function digestToExpect(
  input: CopyInput,
  { table, where }: TablePlan,
  cursor: string | null,
  digest: string | null,
): Promise<string | null> {
  if (table.strategy.kind !== 'cursor') return digest;
  const next = sinceCursor(table.strategy, cursor);
  return next === where ? digest : digestOfRows(input, table, next);
}

/** The same rows as last time, read because the strategy cannot tell: not news. */
function isRepetition(plan: TablePlan, digest: string | null): boolean {
  const isUsual = plan.whole === null || plan.whole === DECLARED_FULL;
  return digest !== null && isUsual && plan.previous?.digest === digest;
}

async function cursorOf(input: CopyInput, plan: TablePlan): Promise<string | null> {
  const { strategy } = plan.table;
  if (strategy.kind === 'xmin') return input.snapshot.xmin.toString();
  if (strategy.kind === 'full') return null;
  // Of an empty table all rows to come are new, whatever there was before.
  return highest(input, plan.table, strategy.column);
}

/** Infinite times are above everything: as a cursor they would hide all that comes later. */
async function highest(input: CopyInput, table: TableSpec, column: string): Promise<string | null> {
  const kind = table.columns[column]?.type.kind ?? '';
  const finite = kind === 'int' || kind === 'bigint' ? '' : ` where isfinite(${identifier(column)})`;
  const from = qualified(input.schema, table.name);
  const query = `select max(${identifier(column)})::text as highest from ${from}${finite}`;
  return (await input.client.query<{ highest: string | null }>(query)).rows[0]?.highest ?? null;
}
