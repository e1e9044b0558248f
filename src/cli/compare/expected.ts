import { createHash } from 'node:crypto';
import type { OutputColumn } from '../../shared/model/expression.ts';
import { type Model, type OutputSpec } from '../../shared/model/model.ts';
import { identifier, qualified } from '../../shared/postgres/sql.ts';
import type { ColumnType } from '../../shared/types/type.ts';

/**
 * What the model says the warehouse should hold, computed by the source itself in SQL: a second way from the source to
 * the star, that shares nothing with the pipeline but the declaration. All values are text.
 */
export function expectedRows(model: Model, schema: string, output: OutputSpec): string {
  const joined = new Set<string>();
  const joins = output.columns.flatMap(({ origin }) => {
    if (origin.kind !== 'lookup' || joined.has(alias(origin))) return [];
    joined.add(alias(origin));
    const key = model.tables.find((table) => table.name === origin.table)?.key ?? '';
    const name = identifier(alias(origin));
    const on = `${name}.${identifier(key)} = s.${identifier(origin.column)}`;
    return [`left join ${qualified(schema, origin.table)} ${name} on ${on}`];
  });
  const columns = output.columns.map((column) => `${expected(column)} as ${identifier(column.name)}`);
  return `select ${columns.join(', ')} from ${qualified(schema, output.source)} s ${joins.join(' ')}`;
}

/** PostgreSQL would cut two long names that begin alike to one. */
function alias({ column, table }: { readonly column: string; readonly table: string }): string {
  const name = `${column} ${table}`;
  return Buffer.byteLength(name) <= 63 ? name : createHash('sha256').update(name).digest('hex').slice(0, 63);
}

function expected({ origin, type }: OutputColumn): string {
  const source = `s.${identifier(origin.column)}`;
  switch (origin.kind) {
    case 'date_part':
      return `(${source})::date::text`;
    case 'time_part':
      return `(${source})::time::text`;
    case 'lookup':
      return asText(`${identifier(alias(origin))}.${identifier(origin.shows)}`, type);
    case 'column':
      return asText(source, type);
    case 'date':
    case 'currency_name':
      return `${source}::text`;
  }
}

/** What the warehouse holds, as text of the same form. */
export function actualRows(schema: string, table: string, columns: readonly OutputColumn[]): string {
  const list = columns.map(({ name, type }) => `${asText(identifier(name), type)} as ${identifier(name)}`);
  return `select ${list.join(', ')} from ${qualified(schema, table)}`;
}

/**
 * 3.9 and 3.90 are one number; `trim_scale` gives both one text. A type that is shown as text is shown by its own output
 * function, as COPY does: a cast to text would trim `char(n)` and spell out booleans.
 */
function asText(expression: string, type: ColumnType): string {
  if (type.kind === 'numeric') return `trim_scale(${expression}::numeric)::text`;
  if (type.kind !== 'text') return `${expression}::text`;
  return `case when ${expression} is not null then format('%s', ${expression}) end`;
}
