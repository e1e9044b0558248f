import { randomInt } from 'node:crypto';
import type pg from 'pg';
import { PipelineError } from '../shared/errors.ts';
import { type IngestedTable, ingestionEntrySchema } from '../shared/lake/entries.ts';
import { Log } from '../shared/lake/log.ts';
import type { RangeOutcome, RangeRef } from '../shared/lake/split.ts';
import type { TableSpec } from '../shared/model/table.ts';
import { close, connect, inTransaction } from '../shared/postgres/client.ts';
import { fromPostgres } from '../shared/postgres/errors.ts';
import { lockTables, readSnapshot } from './batch.ts';
import { describe, readRelations } from './catalog.ts';
import { againAfterConflict, withLastWord } from './conflict.ts';
import { logPosition, positionOf, waitForFlush } from './flush.ts';
import { identityChange, readIdentity } from './identity.ts';
import type { IngestContext } from './ingest.ts';
import { copyRows } from './part.ts';
import { blocksCondition } from './ranges.ts';
import { changedSince, HALF_CIRCLE, parseSnapshot, type Snapshot, SOURCE_SETTINGS } from './session.ts';
import { type Changes, commitPlan, type IngestMark, type IngestPlan, type IngestSplits, isNext, splitsIn, type TableRange } from './split-plan.ts';
import { checkRelations } from './structure.ts';

/**
 * One range of a batch, read by whoever gets its message: under a snapshot of its own, hours after the plan's perhaps.
 * The next batch starts at the plan's cursor and reads every row that a transaction from there on wrote. So a range
 * leaves out exactly those, by the very same comparison, and nothing falls between the two. What is left are rows that
 * were there when the plan was made: two ranges cannot both see a row, for wherever an update moved it, it is such a
 * row there. One that was updated or deleted since is not in this batch at all; its new version is in the next.
 *
 * Until then, minutes later, the warehouse may lack a dimension's row that a fact refers to: that fact waits in quarantine.
 * And a dimension may show null where it looks up a column of such a row. Tables that are looked up in are cut all the
 * same: those are small, which are read at once, or the batch takes long enough for their ranges to be worth it.
 */

/** Reads a range of a batch, and commits the batch if that was the last one. */
export async function workRange(context: IngestContext, ref: RangeRef): Promise<RangeOutcome> {
  try {
    return await work(context, ref);
  } catch (error) {
    throw fromPostgres('source', error, { stage: 'ingest', batch: ref.batch });
  }
}

async function work(context: IngestContext, ref: RangeRef): Promise<RangeOutcome> {
  const log = new Log(context.ingestion, ingestionEntrySchema);
  const splits = splitsIn(context.ingestion);
  if ((await log.head(ref.batch - 1)) >= ref.batch) {
    // It was begun, or the batch read at once, since whoever committed it looked for plans.
    await splits.retire(ref.batch);
    return 'gone';
  }
  const plan = await splits.planOf(ref, context.model.hash);
  if (plan === null || !(await isNext(log, plan))) return 'gone';
  const task = taskOf(context, plan, ref);
  if (!(await splits.isDone(ref)) && !(await read(context, splits, task))) return 'gone';
  if ((await splits.missing(plan)).length > 0) return 'done';
  // A range takes minutes.
  if (!(await isNext(log, plan))) return 'gone';
  return (await commitPlan({ ...context, log, splits }, plan)) === 'won' ? 'committed' : 'gone';
}

/** Reads a range and marks it. @returns whether its plan can still be carried out. */
async function read(context: IngestContext, splits: IngestSplits, task: Task): Promise<boolean> {
  const { plan: { batch, attempt }, number: range, table } = task;
  const made = await againAfterConflict(context.report, () => readFrom(context, task));
  if (typeof made === 'string') {
    await fail(context, splits, task, made);
    return false;
  }
  await splits.mark({ batch, attempt, range }, made);
  const { rows = 0, bytes = 0 } = made.part ?? {};
  context.report({ event: 'range', stage: 'ingest', batch, table: table.name, rows, bytes });
  return true;
}

/** Plans of one batch that could not be finished: from so many on there will be no end of it by itself. */
const FAILED_MAX = 3;

/** Gives a plan up. The next look begins another one, also where somebody is told to see to it. */
async function fail({ report }: IngestContext, splits: IngestSplits, { plan, table }: Task, reason: string): Promise<void> {
  const { batch } = plan;
  report({ event: 'warning', stage: 'ingest', batch, table: table.name, message: `${table.name}: ${reason}` });
  const failed = await splits.fail(plan, reason);
  if (failed < FAILED_MAX) return;
  const message = `${failed} times batch ${batch} was begun in ranges and could not be finished, now because of table ${table.name}: ${reason}`;
  const remedy = 'have nothing rewrite or replace it (VACUUM FULL, CLUSTER, TRUNCATE, ALTER TABLE) until its batch is read, or read it at once, by `starling ingest`';
  throw new PipelineError('source_failed', `${message}; ${remedy}`, { batch, table: table.name });
}

/** A range with what the plan says of its table. */
interface Task {
  readonly plan: IngestPlan;
  readonly number: number;
  readonly range: TableRange;
  readonly table: TableSpec;
  readonly draft: IngestedTable;
  readonly changes: Changes | null;
}

function taskOf({ model }: IngestContext, plan: IngestPlan, { batch, range: number }: RangeRef): Task {
  const range = plan.ranges[number];
  const table = model.tables.find(({ name }) => name === range?.table);
  const draft = plan.entry.tables[range?.table ?? ''];
  const cut = plan.cuts.find((one) => one.table === range?.table);
  if (range && table && draft && cut) return { plan, number, range, table, draft, changes: cut.changes };
  throw new PipelineError('lake_corrupt', `the plan of batch ${batch} has no range ${number}`, { batch });
}

/** What a range gave; or why its plan cannot be carried out any more. */
type Made = IngestMark | string;

async function readFrom(context: IngestContext, task: Task): Promise<Made> {
  const client = await connect('source', context.sourceUrl, SOURCE_SETTINGS);
  try {
    return await withLastWord(client, () => readRange(client, context, task));
  } finally {
    await close(client);
  }
}

/** In the order of a batch: identity, lock, snapshot, what the catalogue says under it, rows; and then the flush. */
async function readRange(client: pg.Client, context: IngestContext, task: Task): Promise<Made> {
  const { sourceSchema: schema } = context;
  const { plan, table } = task;
  const different = identityChange(plan.entry.source, await readIdentity(client));
  if (different !== null) return `the source's ${different} is not what it was when its batch was begun`;
  const relations = await readRelations(client, schema, [table.name]);
  checkRelations(schema, [table], relations);
  const { made, lsn } = await inTransaction(client, 'begin isolation level repeatable read read only', async () => {
    await lockTables({ client, schema }, relations);
    const snapshot = await readSnapshot(client);
    const lsn = await logPosition(client);
    return { made: await readUnder(client, context, task, snapshot, lsn), lsn };
  });
  // A row that is not there, because of a transaction that a crash then undoes, would be in no batch.
  if (typeof made !== 'string') await waitForFlush(client, lsn);
  return made;
}

async function readUnder(client: pg.Client, context: IngestContext, task: Task, snapshot: Snapshot, lsn: string | null): Promise<Made> {
  const { plan, range, table, number } = task;
  const begun = parseSnapshot(plan.entry.snapshot);
  if (snapshot.xmax < begun.xmax || snapshot.xmin < begun.xmin) {
    const message = `the source's snapshot is ${snapshot.xmin}:${snapshot.xmax}, its batch was begun at ${begun.xmin}:${begun.xmax}`;
    throw new PipelineError('source_behind', message, { table: table.name });
  }
  const before = plan.entry.lsn ?? null;
  if (before !== null && lsn !== null && positionOf(lsn) < positionOf(before)) return "the source's log is behind where it was";
  if (snapshot.xmax - begun.xmin >= HALF_CIRCLE) return 'more than 2^31 transactions have passed since its batch was begun';
  const there = await leavesThere(client, context.sourceSchema, task);
  if (there === null) return 'it is not the table that it was when its batch was begun';
  const where = [
    // A partition that was attached since has other rows at these places, and is new to the next batch.
    `tableoid = any('{${[...there].join(',')}}'::oid[])`,
    blocksCondition(range),
    ...(task.changes ? [`(${changedIn(task.changes)})`] : []),
    ...(snapshot.xmax > begun.xmin ? [`not ${changedSince(begun.xmin, snapshot.xmax)}`] : []),
  ].join(' and ');
  const input = { client, lake: context.ingestion, schema: context.sourceSchema, batch: plan.batch, attempt: plan.attempt };
  const { parts } = await copyRows(input, table, where, partNumber(number));
  const gone = task.draft.leaves.map(({ oid }) => oid).filter((oid) => !there.has(oid));
  return { xmax: snapshot.xmax.toString(), gone, part: parts[0] ?? null };
}

/** The plan's leaves that the table still has; null where it is another one, has other columns, or rows were moved. */
async function leavesThere(client: pg.Client, schema: string, { table, draft }: Task): Promise<ReadonlySet<string> | null> {
  // Once more by name: it can have been swapped before it was locked.
  const oid = (await readRelations(client, schema, [table.name])).get(table.name)?.oid ?? '0';
  const now = (await describe(client, new Map([[oid, Object.keys(table.columns)]]))).get(oid);
  if (now?.fingerprint !== draft.fingerprint) return null;
  const found = new Map(now.leaves.map((leaf) => [leaf.oid, leaf]));
  const there = draft.leaves.filter(({ oid }) => found.has(oid));
  const isAsItWas = there.every(({ oid, filenode, fingerprint }) => {
    const leaf = found.get(oid);
    return leaf?.filenode === filenode && leaf.fingerprint === fingerprint;
  });
  return isAsItWas && there.length > 0 ? new Set(there.map(({ oid }) => oid)) : null;
}

/** The plan's condition. Where a transaction wrote both before and after the plan, its rows are the next batch's. */
function changedIn({ cursor, xmax, leaves }: Changes): string {
  const [from, until] = [BigInt(cursor), BigInt(xmax)];
  return [
    ...(until > from ? [changedSince(from, until)] : []),
    ...(leaves.length > 0 ? [`tableoid = any('{${leaves.join(',')}}'::oid[])`] : []),
  ].join(' or ') || 'false';
}

/** Two at one range must not meet at one key. Where they draw the same, the lake refuses the second, to be tried again. */
const DRAWS = 10 ** 10;

function partNumber(range: number): number {
  return range * DRAWS + randomInt(DRAWS);
}
