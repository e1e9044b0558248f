import type pg from 'pg';
import type { TableSpec } from '../shared/model/table.ts';
import type { StageState } from '../shared/lake/state.ts';
import type { StageResult } from '../shared/report.ts';
import type { Description } from './catalog.ts';

/** What a look at the source finds beside what is declared: `staff.nickname`, and tables by their names alone. */
export interface Undeclared {
  readonly columns: readonly string[];
  readonly tables: readonly string[];
}

/** Partitions and children are their parent's, and what an extension brings is its own affair. */
const TABLES = `
  select c.relname as name
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where n.nspname = $1 and c.relkind in ('r', 'p', 'f') and not c.relname = any($2)
    and not exists (select from pg_catalog.pg_inherits i where i.inhrelid = c.oid)
    and not exists (
      select from pg_catalog.pg_depend d
      where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
    )
  order by c.relname`;

export async function findUndeclared(
  client: pg.Client,
  schema: string,
  tables: readonly TableSpec[],
  descriptions: ReadonlyMap<string, Description>,
): Promise<Undeclared> {
  const { rows } = await client.query<{ name: string }>(TABLES, [schema, tables.map(({ name }) => name)]);
  const columns = tables.flatMap(({ name: table, columns: declared }) =>
    [...(descriptions.get(table)?.columns.keys() ?? [])]
      .filter((column) => !Object.hasOwn(declared, column))
      .map((column) => `${table}.${column}`),
  );
  return { columns, tables: rows.map(({ name }) => name) };
}

/** The state's details that this file keeps: how many there are, and the first of them by name. */
const [COUNT, NAMES] = ['undeclared', 'undeclared_names'] as const;
const NAMES_MAX = 50;

/** For the state of ingest; nothing where everything is declared. */
export function undeclaredDetail({ columns, tables }: Undeclared): Readonly<Record<string, string>> {
  const names = [...columns, ...tables.map((table) => `table ${table}`)].map(printable);
  if (names.length === 0) return {};
  const more = names.length > NAMES_MAX ? [`and ${names.length - NAMES_MAX} more`] : [];
  return { [COUNT]: String(names.length), [NAMES]: [...names.slice(0, NAMES_MAX), ...more].join(', ') };
}

/** A name can hold line ends, and what makes a terminal do things. */
function printable(name: string): string {
  return /\p{C}/u.test(name) ? JSON.stringify(name) : name;
}

/** What to tell people; null where there is nothing, or they have been told the same. */
export function undeclaredNews(detail: Readonly<Record<string, string>>, before: StageState | null): string | null {
  const names = detail[NAMES];
  if (names === undefined || names === before?.detail?.[NAMES]) return null;
  return `the source has what the model does not declare: ${names}`;
}

/** How many columns and tables there are; not sent where that is none: every metric costs. */
export function undeclaredGauge({ detail }: StageResult): { readonly Undeclared?: number } {
  const count = Number(detail?.[COUNT] ?? 0);
  return count > 0 ? { Undeclared: count } : {};
}
