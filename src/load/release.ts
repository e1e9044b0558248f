import type pg from 'pg';
import * as v from 'valibot';
import { type Evaluate, evaluator } from '../shared/model/evaluate.ts';
import type { FactSpec } from '../shared/model/fact.ts';
import { currentName, type Model } from '../shared/model/model.ts';
import { identifier, identifiers, literal, qualified } from '../shared/postgres/sql.ts';
import { type Cell, Unfit } from '../shared/types/type.ts';
import { admitNulls } from './admit-nulls.ts';
import { cellColumn } from './binary-columns.ts';
import type { ColumnBatch } from './binary-copy.ts';
import { extendCalendar, type Target } from './dimension.ts';
import { assignments, dayColumns } from './fact.ts';
import { isMissing, missingReason, type Reference, referencesOf } from './quarantine.ts';
import { waits } from './schema/bookkeeping.ts';
import { BATCH_ID } from './schema/ddl.ts';
import { copyRows, createStaging, type StagedColumn, stagedColumns } from './staging.ts';

const RELEASABLE = 'pg_temp.releasable';
/** No name that a model is likely to have for a column of its own. */
const QUARANTINE_ID = 'starling_quarantine_id';

type Warehouse = Pick<Target, 'client' | 'schema'>;

export interface Releasing {
  /** Rows that transform rejected are to be read again, too. */
  readonly mended: boolean;
  /** Their numbers in quarantine, where not all are to be looked at. */
  readonly only?: readonly string[] | null;
}

/**
 * Takes the rows of a fact out of quarantine that can be used by now: their dimension row has arrived, or the model
 * has been mended (`mended`) so that it fits them. They keep the batch they came with, and the current table changes
 * only for a higher one: releasing late never turns time back.
 * @returns how many rows were released.
 */
export async function releaseFact(
  target: Warehouse,
  model: Model,
  fact: FactSpec,
  { mended, only = null }: Releasing,
): Promise<number> {
  const { client, schema } = target;
  const waiting = await client.query<{ stage: string }>(WAITING, [fact.name, only]);
  const stages = new Set(waiting.rows.map((row) => row.stage));
  if (!stages.has('load') && !(mended && stages.has('transform'))) return 0;
  await createStaging(client, RELEASABLE, releasableColumns(fact));
  if (stages.has('load')) await client.query(finishedRows(schema, fact), [fact.name, only]);
  if (mended && stages.has('transform')) await evaluateAgain(client, model, fact, only);
  await extendCalendar(client, schema, RELEASABLE, dayColumns(fact));
  for (const reference of referencesOf(model, fact)) {
    await client.query(keepMissing(schema, reference));
  }
  if (mended) await admitNulls(target, fact.columns, [fact.name, currentName(fact)], RELEASABLE);
  return putBack(target, fact);
}

const WAITING = `
  select distinct q.stage from pipeline.quarantine q where q.table_name = $1 and ${waits('q')} and ${isAskedFor('$2')}`;

function isAskedFor(only: string): string {
  return `(${only}::bigint[] is null or q.quarantine_id = any(${only}::bigint[]))`;
}

function releasableColumns(fact: FactSpec): readonly StagedColumn[] {
  return [...stagedColumns(fact), { name: QUARANTINE_ID, type: { kind: 'bigint' } }];
}

/** Rows that lacked only what they refer to were kept as finished fact rows. */
function finishedRows(schema: string, fact: FactSpec): string {
  const own = fact.columns.map((column) => column.name);
  return `
    insert into ${RELEASABLE} (${identifiers([...own, BATCH_ID, QUARANTINE_ID])})
    select ${identifiers(own, 'r.')}, q.batch_id, q.quarantine_id
    from pipeline.quarantine q
    cross join lateral jsonb_populate_record(null::${qualified(schema, currentName(fact))}, q.row) r
    where q.table_name = $1 and ${waits('q')} and q.stage = 'load' and ${isAskedFor('$2')}`;
}

const WAITING_SOURCE_ROWS = `
  select q.quarantine_id, q.batch_id, q.row::text as row from pipeline.quarantine q
  where q.table_name = $1 and ${waits('q')} and q.stage = 'transform' and q.quarantine_id > $2 and ${isAskedFor('$3')}
  order by q.quarantine_id limit 1000`;

interface WaitingRow {
  readonly quarantine_id: string;
  readonly batch_id: string;
  readonly row: string;
}

async function evaluateAgain(
  client: pg.Client,
  model: Model,
  fact: FactSpec,
  only: Releasing['only'],
): Promise<void> {
  const evaluate = evaluatorsOf(model, fact);
  let after = '0';
  for (;;) {
    const { rows } = await client.query<WaitingRow>(WAITING_SOURCE_ROWS, [fact.name, after, only]);
    const last = rows.at(-1);
    if (!last) return;
    after = last.quarantine_id;
    const fitting = rows.flatMap((row) => fittingCells(evaluate, row));
    await copyRows(client, RELEASABLE, releasableColumns(fact), once(columnWise(releasableColumns(fact), fitting)), fact.name);
  }
}

type NamedEvaluate = readonly { readonly source: string; readonly evaluate: Evaluate }[];

function evaluatorsOf(model: Model, fact: FactSpec): NamedEvaluate {
  const source = model.tables.find((table) => table.name === fact.source);
  return fact.columns.flatMap((column) => {
    const spec = source?.columns[column.origin.column];
    return spec ? [{ source: column.origin.column, evaluate: evaluator(column, spec) }] : [];
  });
}

const sourceRow = v.record(v.string(), v.nullable(v.string()));

function fittingCells(columns: NamedEvaluate, waiting: WaitingRow): readonly (readonly Cell[])[] {
  const row = v.parse(sourceRow, JSON.parse(waiting.row));
  const cells: Cell[] = [];
  for (const { source, evaluate } of columns) {
    const cell = Object.hasOwn(row, source) ? evaluate(row[source] ?? null) : null;
    if (cell instanceof Unfit) return [];
    cells.push(cell);
  }
  return [[...cells, BigInt(waiting.batch_id), BigInt(waiting.quarantine_id)]];
}

function columnWise(columns: readonly StagedColumn[], rows: readonly (readonly Cell[])[]): ColumnBatch {
  const cells = columns.map(({ type }, at) => cellColumn(type, rows.map((row) => row[at] ?? null)));
  return { columns: cells, rows: rows.length };
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}

/**
 * What still refers to nothing stays, with what it lacks by now; a source row that fits is kept as the fact row that it
 * became.
 */
function keepMissing(schema: string, reference: Reference): string {
  const [column, reason] = [literal(reference.column), literal(missingReason(reference))];
  return `
    with missing as (
      delete from ${RELEASABLE} s where ${isMissing(schema, reference, 's')} returning s.*
    )
    update pipeline.quarantine q
    set stage = 'load', column_name = ${column}, reason = ${reason},
      row = case q.stage when 'load' then q.row else to_jsonb(m.*) - '${BATCH_ID}' - '${QUARANTINE_ID}' end
    from missing m
    where q.quarantine_id = m.${QUARANTINE_ID} and (q.stage, q.column_name, q.reason) <> ('load', ${column}, ${reason})`;
}

async function putBack({ client, schema }: Warehouse, fact: FactSpec): Promise<number> {
  const released = await client.query(`
    update pipeline.quarantine q set released_at = pg_catalog.now()
    from ${RELEASABLE} s where q.quarantine_id = s.${QUARANTINE_ID}`);
  await client.query(appendReleased(schema, fact));
  await client.query(refreshCurrent(schema, fact));
  return released.rowCount ?? 0;
}

/**
 * In the order of batches, among what is there: a row that does not differ from the one before it is no version, unless
 * the one before it is still waiting.
 */
function appendReleased(schema: string, fact: FactSpec): string {
  const own = fact.columns.map((column) => column.name);
  const key = identifier(fact.key);
  const table = qualified(schema, fact.name);
  return `
    with line as (
      select ${identifiers([...own, BATCH_ID])}, true as starling_is_new from ${RELEASABLE}
      union all
      select ${identifiers([...own, BATCH_ID], 'f.')}, false from ${table} f
      where f.${key} in (select ${key} from ${RELEASABLE})
    ), compared as (
      select line.*, row(${identifiers(own)}) is distinct from lag(row(${identifiers(own)})) over w as starling_differs,
        lag(${BATCH_ID}) over w as starling_after
      from line window w as (partition by ${key} order by ${BATCH_ID})
    )
    insert into ${table} (${identifiers([...own, BATCH_ID])})
    select ${identifiers([...own, BATCH_ID], 'v.')} from compared v
    where v.starling_is_new and (v.starling_differs or exists (
      select from pipeline.quarantine q
      where q.table_name = ${literal(fact.name)} and ${waits('q')} and q.record_key = v.${key}::text
        and q.batch_id > v.starling_after and q.batch_id < v.${BATCH_ID}
    ))`;
}

function refreshCurrent(schema: string, fact: FactSpec): string {
  const names = [...fact.columns.map((column) => column.name), BATCH_ID];
  const key = identifier(fact.key);
  return `
    insert into ${qualified(schema, currentName(fact))} as c (${identifiers(names)})
    select distinct on (f.${key}) ${identifiers(names, 'f.')} from ${qualified(schema, fact.name)} f
    where f.${key} in (select ${key} from ${RELEASABLE})
    order by f.${key}, f.${BATCH_ID} desc
    on conflict (${key}) do update set ${assignments(fact)}
    where excluded.${BATCH_ID} > c.${BATCH_ID}`;
}
