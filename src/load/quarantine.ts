import type { TransformedOutput } from '../shared/lake/entries.ts';
import { dimDate } from '../shared/model/dimension.ts';
import type { OutputColumn } from '../shared/model/expression.ts';
import type { FactSpec } from '../shared/model/fact.ts';
import { currentName, type Model } from '../shared/model/model.ts';
import { identifier, literal, qualified } from '../shared/postgres/sql.ts';
import type { Target } from './dimension.ts';
import type { DistinctValues } from './distinct.ts';
import { waits } from './schema/bookkeeping.ts';
import { BATCH_ID } from './schema/ddl.ts';
import { copyRows, createStaging, partRows } from './staging.ts';
import { asKey, refuseRejectedTwice } from './unique.ts';

/** A column of a fact that holds keys of a dimension which may lack them: the calendar never does. */
export interface Reference {
  readonly column: string;
  readonly dimension: string;
  readonly key: string;
}

export function referencesOf(model: Model, fact: FactSpec): readonly Reference[] {
  return fact.columns.flatMap((column) => referenceOf(model, column));
}

function referenceOf(model: Model, { name, references }: OutputColumn): Reference[] {
  if (references === null || references === dimDate.name) return [];
  const dimension = model.dimensions.find((candidate) => candidate.name === references);
  return dimension ? [{ column: name, dimension: references, key: dimension.key }] : [];
}

/** True of rows `alias` whose reference leads nowhere. */
export function isMissing(schema: string, { column, dimension, key }: Reference, alias: string): string {
  const value = `${alias}.${identifier(column)}`;
  const found = `select from ${qualified(schema, dimension)} d where d.${identifier(key)} = ${value}`;
  return `${value} is not null and not exists (${found})`;
}

export function missingReason({ dimension }: Reference): string {
  return `refers to no row of ${dimension}`;
}

/**
 * Moves the rows of `from` that refer to nothing into quarantine: one anti-join a reference and batch, in place of a
 * foreign key check a row, and none where it is known of all values that they lead somewhere.
 */
export async function quarantineMissing(
  target: Target,
  references: readonly Reference[],
  fact: FactSpec,
  from: string,
): Promise<number> {
  let quarantined = 0;
  for (const reference of references) {
    quarantined += (await target.client.query(moveMissing(target, fact, from, reference))).rowCount ?? 0;
  }
  return quarantined;
}

/**
 * The references of which some value in `from` leads nowhere. Asked of the values where all are known, else of the rows:
 * of all references in one pass, since a row that lacks something is rare.
 */
export async function doubtfulOf(
  { client, schema }: Pick<Target, 'client' | 'schema'>,
  references: readonly Reference[],
  distinct: ReadonlyMap<string, DistinctValues>,
  from: string,
): Promise<readonly Reference[]> {
  if (references.length === 0) return [];
  const values = references.map(({ column }) => distinct.get(column)?.values() ?? null);
  const known = values.filter((each) => each !== null);
  const joins: string[] = [];
  const questions = references.map((reference, at) => {
    const each = values[at] ?? null;
    if (each !== null) return isMissingAmong(schema, reference, `$${known.indexOf(each) + 1}::int[]`);
    const [value, found] = [`s.${identifier(reference.column)}`, `d${at}.${identifier(reference.key)}`];
    joins.push(`left join ${qualified(schema, reference.dimension)} d${at} on ${found} = ${value}`);
    return `bool_or(${value} is not null and ${found} is null)`;
  });
  const asked = questions.map((question, at) => `${question} as "${at}"`);
  const ofRows = joins.length === 0 ? '' : `from ${from} s ${joins.join(' ')}`;
  const { rows } = await client.query<Record<string, string | null>>(`select ${asked.join(', ')} ${ofRows}`, known);
  return references.filter((_, at) => rows[0]?.[at] === 't');
}

function isMissingAmong(schema: string, { dimension, key }: Reference, values: string): string {
  const found = `select from ${qualified(schema, dimension)} d where d.${identifier(key)} = v`;
  return `exists (select from unnest(${values}) v where not exists (${found}))`;
}

function moveMissing({ schema }: Target, fact: FactSpec, from: string, reference: Reference): string {
  const row = `to_jsonb(m.*) - '${BATCH_ID}'`;
  return `
    with m as (
      delete from ${from} s where ${isMissing(schema, reference, 's')} returning s.*
    )
    insert into pipeline.quarantine (batch_id, table_name, record_key, column_name, reason, stage, row)
    select m.${BATCH_ID}, ${literal(fact.name)}, m.${identifier(fact.key)}::text, ${literal(reference.column)},
      ${literal(missingReason(reference))}, 'load', ${row}
    from m
    where not ${isRepeated(schema, fact, `m.${identifier(fact.key)}::text`, row)}`;
}

/**
 * The same row as the latest earlier one of its key, and that one waits in quarantine: not news. Rows without a key
 * have no latest one: there any that waits will do.
 */
function isRepeated(schema: string, fact: FactSpec | null, key: string, row: string): string {
  const table = fact ? literal(fact.name) : 'r.table_name';
  const loaded = fact
    ? `(
          select c.${BATCH_ID} from ${qualified(schema, currentName(fact))} c
          where c.${identifier(fact.key)} = ${asKey(fact, key)}
        )`
    : 'null';
  return `coalesce((
        select q.row = (${row}) and q.batch_id > coalesce(${loaded}, 0)
        from pipeline.quarantine q
        where q.table_name = ${table} and q.record_key is not distinct from ${key} and ${waits('q')}
        order by (q.record_key is null and q.row = (${row})) desc, q.batch_id desc limit 1
      ), false)`;
}

const text = { kind: 'text' } as const;

const REJECTED_COLUMNS = [
  { name: 'table_name', type: text },
  { name: 'record_key', type: text },
  { name: 'column_name', type: text },
  { name: 'reason', type: text },
  { name: 'row', type: text },
];

const REJECTED = 'pg_temp.rejected';

/**
 * Puts what transform refused into quarantine; how many rows of each table.
 * @param isSkipped Those are counted, and left out.
 */
export async function loadRejects(
  target: Target,
  model: Model,
  output: TransformedOutput,
  isSkipped: (table: string) => boolean,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  if (output.rows === 0) return counts;
  const { client, lake } = target;
  await createStaging(client, REJECTED, REJECTED_COLUMNS);
  await copyRows(client, REJECTED, REJECTED_COLUMNS, partRows(lake, output.parts, REJECTED_COLUMNS), 'quarantine');
  const { rows } = await client.query<{ table_name: string; rows: string }>(
    `select table_name, count(*) as rows from ${REJECTED} group by table_name`,
  );
  for (const { table_name: table, rows: count } of rows) {
    if (isSkipped(table)) {
      counts.set(table, Number(count));
      continue;
    }
    const fact = model.facts.find((candidate) => candidate.name === table) ?? null;
    if (fact) await refuseRejectedTwice(target, fact, REJECTED);
    const inserted = await client.query(insertRejects(target.schema, fact), [target.batch, table]);
    counts.set(table, inserted.rowCount ?? 0);
  }
  return counts;
}

function insertRejects(schema: string, fact: FactSpec | null): string {
  return `
    insert into pipeline.quarantine (batch_id, table_name, record_key, column_name, reason, stage, row)
    select $1::bigint, r.table_name, r.record_key, r.column_name, r.reason, 'transform', r.row::jsonb
    from ${REJECTED} r
    where r.table_name = $2 and not ${isRepeated(schema, fact, 'r.record_key', 'r.row::jsonb')}`;
}
