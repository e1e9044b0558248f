import type { OutputColumn } from '../shared/model/expression.ts';
import { identifier, qualified } from '../shared/postgres/sql.ts';
import type { Target } from './dimension.ts';

/**
 * Rows that were made by an earlier model know nothing of what has been declared since: where `from` holds nulls in
 * columns that the model requires, `tables` let them be null. A table that was made before the column was declared does
 * so already; one that is filled again from the log does not.
 */
export async function admitNulls(
  { client, schema }: Pick<Target, 'client' | 'schema'>,
  columns: readonly OutputColumn[],
  tables: readonly string[],
  from: string,
): Promise<void> {
  const required = columns.filter((column) => !column.nullable && !column.key).map((column) => column.name);
  if (required.length === 0) return;
  const lacks = required.map((name) => `bool_or(${identifier(name)} is null) as ${identifier(name)}`).join(', ');
  const row = (await client.query<Record<string, string | null>>(`select ${lacks} from ${from}`)).rows[0] ?? {};
  const lacking = required.filter((name) => row[name] === 't');
  for (const table of tables) {
    const { rows } = await client.query<{ name: string }>(NOT_NULL, [qualified(schema, table), lacking]);
    if (rows.length === 0) continue;
    const changes = rows.map(({ name }) => `alter column ${identifier(name)} drop not null`);
    await client.query(`alter table ${qualified(schema, table)} ${changes.join(', ')}`);
  }
}

const NOT_NULL = `
  select attname as name from pg_catalog.pg_attribute
  where attrelid = $1::regclass and attnotnull and not attisdropped and attname = any($2)`;
