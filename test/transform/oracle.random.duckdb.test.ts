import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { IngestionEntry } from '../../src/shared/lake/entries.ts';
import { QUARANTINE } from '../../src/shared/model/model.ts';
import { freshLakes, ingested, type Lakes, processedEntry, transformed } from '../support/batches.ts';
import type { CsvCell } from '../support/csv.ts';
import { csvOf, type Duck, literal, openDuck, parquetOf, quoted, type TextRow } from '../support/duckdb.ts';
import {
  modelOf,
  type Plan,
  type PlannedOutput,
  plans,
  type PlannedTable,
  rowsOf,
  type Target,
} from '../support/random-models.ts';

/** An SQL expression of text `x` as a value of a type, null where it cannot be one. */
function typed(kind: Target, x: string): string {
  switch (kind) {
    case 'text':
    case 'dated':
      return x;
    case 'numeric(6,2)':
      return exactDecimal(x, 6, 2);
    case 'numeric(12,3)':
      return exactDecimal(x, 12, 3);
    case 'numeric(20,0)':
      return exactDecimal(x, 20, 0);
    case 'numeric':
      return `case when try_cast(${x} as decimal(38, 8)) is not null then ${x} end`;
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return `case when isfinite(try_cast(${x} as ${kind})) then ${x}::${kind} end`;
    case 'int':
    case 'bigint':
    case 'double':
    case 'boolean':
    case 'time':
      return `try_cast(${x} as ${kind})`;
  }
}

function exactDecimal(x: string, precision: number, scale: number): string {
  const value = `try_cast(${x} as decimal(38, 8))`;
  const exact = `round(${value}, ${scale}) = ${value} and abs(${value}) < 1${'0'.repeat(precision - scale)}`;
  return `case when ${exact} then ${value}::decimal(${precision}, ${scale}) end`;
}

interface Made {
  readonly name: string;
  readonly value: string;
  /** True of rows that cannot have this column. */
  readonly wrong: string;
}

/** The planned column over `m`, the row itself, and `j<n>`, the row that reference n leads to. */
function made({ name, what, from, shows, as }: PlannedOutput): Made {
  const joined = `j${from.name}`;
  const x = shows ? `${joined}.${quoted(shows.name)}` : `m.${quoted(from.name)}`;
  const declared = typed((shows ?? from).kind, x);
  const value = shown(what, as, declared, x, (shows ?? from).kind);
  const unfit = `(${x} is not null and ((${declared}) is null or (${value}) is null))`;
  const nullable = from.nullable || (shows?.nullable ?? false);
  const lost = shows ? [`(m.${quoted(from.name)} is not null and ${joined}.id is null)`] : [];
  return { name, value, wrong: [unfit, ...lost, ...(nullable ? [] : [`${x} is null`])].join(' or ') };
}

function shown(what: PlannedOutput['what'], as: Target | null, declared: string, x: string, kind: Target): string {
  const inUtc = kind === 'timestamptz' ? `(${declared}) at time zone 'UTC'` : declared;
  const value = {
    day: `(${inUtc})::date`,
    clock: `(${inUtc})::time`,
    date: typed('date', x),
    column: declared,
    lookup: declared,
  }[what];
  if (as === null) return value;
  if (what === 'column' || what === 'lookup') return typed(as, x);
  return as === 'text' ? `(${value})::varchar` : value;
}

function joinsOf(main: PlannedTable): string {
  return main.columns
    .flatMap(({ name, to }) => {
      return to === undefined ? [] : [`left join ${quoted(to)} j${name} on j${name}.id = m.${name}`];
    })
    .join(' ');
}

interface Expected {
  readonly rows: readonly TextRow[];
  /** Key and first column that does not fit, of every row that cannot be. */
  readonly rejected: readonly TextRow[];
}

async function expected(duck: Duck, main: PlannedTable, outputs: readonly PlannedOutput[]): Promise<Expected> {
  const all = [{ name: 'id', value: typed(main.key, 'm.id'), wrong: 'false' }, ...outputs.map(made)];
  const wrong = all.map((each) => `when ${each.wrong} then ${literal(each.name)}`).join(' ');
  const from = `from ${quoted(main.name)} m ${joinsOf(main)}`;
  const values = all.map(({ name, value }) => `${value} as ${quoted(name)}`).join(', ');
  return {
    rows: await duck.rows(`select ${values} ${from} where (case ${wrong} end) is null`),
    rejected: await duck.rows(`select m.id, case ${wrong} end as wrong ${from} where (case ${wrong} end) is not null`),
  };
}

async function written(
  duck: Duck,
  lakes: Lakes,
  batch: number,
  name: string,
  outputs: readonly PlannedOutput[],
): Promise<Expected> {
  const entry = await processedEntry(lakes, batch);
  const columns = ['id', ...outputs.map((output) => output.name)];
  const rejects = parquetOf(lakes.processed, entry.outputs[QUARANTINE]?.parts ?? [], [
    'table_name',
    'record_key',
    'column_name',
  ]);
  return {
    rows: await duck.rows(`select * from ${parquetOf(lakes.processed, entry.outputs[name]?.parts ?? [], columns)}`),
    rejected: await duck.rows(`select record_key, column_name from ${rejects} where table_name = ${literal(name)}`),
  };
}

async function declareTables(duck: Duck, lakes: Lakes, entry: IngestionEntry): Promise<void> {
  for (const [name, { parts, columns, whole }] of Object.entries(entry.tables)) {
    if (whole === null) continue;
    await duck.run(
      `create or replace temp table ${quoted(name)} as select * from ${csvOf(lakes.ingestion, parts, columns)}`,
    );
  }
}

const sorted = (rows: readonly TextRow[]): readonly string[] => rows.map((row) => JSON.stringify(row)).toSorted();

/** What is in `after` and was not in `before`. */
function news(before: readonly TextRow[], after: readonly TextRow[]): readonly string[] {
  const known = new Set(sorted(before));
  return sorted(after).filter((row) => !known.has(row));
}

type Rows = readonly (readonly CsvCell[])[];

interface Case {
  readonly plan: Plan;
  readonly first: readonly Rows[];
  /** New rows for the tables that are looked up, which the second batch reads whole. */
  readonly second: readonly Rows[];
}

const cases: fc.Arbitrary<Case> = plans.chain((plan) => {
  const rows = fc.tuple(...plan.tables.map((planned) => rowsOf(planned, plan.tables)));
  return fc.record({ plan: fc.constant(plan), first: rows, second: rows });
});

function batchOf(
  tables: readonly PlannedTable[],
  rows: readonly Rows[],
  whole: string,
): Parameters<typeof ingested>[2] {
  return Object.fromEntries(tables.map(({ name }, at) => [name, { rows: rows[at] ?? [], whole }]));
}

test('any model makes of any rows what SQL makes of them, and of the next batch the difference', async () => {
  const duck = await openDuck();
  await fc.assert(
    fc.asyncProperty(cases, async ({ plan, first, second }) => {
      const [lakes, model] = [await freshLakes(), modelOf(plan)];
      const [main, ...looked] = plan.tables;
      if (!main) return;
      await declareTables(duck, lakes, await ingested(lakes, model, batchOf(plan.tables, first, 'first read')));
      const before = await expected(duck, main, plan.dimension);
      const facts = await expected(duck, main, plan.fact);
      await declareTables(duck, lakes, await ingested(lakes, model, batchOf(looked, second.slice(1), 'asked for')));
      const after = await expected(duck, main, plan.dimension);
      await transformed(lakes, model);
      const [one, two] = [
        await written(duck, lakes, 1, 'dim_main', plan.dimension),
        await written(duck, lakes, 2, 'dim_main', plan.dimension),
      ];
      expect(sorted(one.rows)).toEqual(sorted(before.rows));
      expect(sorted(one.rejected)).toEqual(sorted(before.rejected));
      const versions = await written(duck, lakes, 1, 'fact_main', plan.fact);
      expect(sorted(versions.rows)).toEqual(sorted(facts.rows));
      expect(sorted(versions.rejected)).toEqual(sorted(facts.rejected));
      expect(sorted(two.rows)).toEqual(news(before.rows, after.rows));
      // A row that is still rejected, for the same column, may have another reason now, and is told of again then.
      expect(sorted(two.rejected)).toEqual(expect.arrayContaining([...news(before.rejected, after.rejected)]));
      expect(sorted(after.rejected)).toEqual(expect.arrayContaining([...sorted(two.rejected)]));
    }),
    { numRuns: 40 },
  );
});
