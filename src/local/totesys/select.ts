import type { ClientBase } from 'pg';
import { array, type BaseIssue, type BaseSchema, type InferOutput, number, object, parse } from 'valibot';

type RowSchema = BaseSchema<unknown, unknown, BaseIssue<unknown>>;

/** The rows of a query, each checked to be what `row` says. */
export async function select<S extends RowSchema>(
  client: ClientBase,
  row: S,
  sql: string,
  values: readonly unknown[] = [],
): Promise<InferOutput<S>[]> {
  const result = await client.query(sql, [...values]);
  return parse(array(row), result.rows);
}

const ID_ROW = object({ id: number() });

/** The column `id` of a query's rows. */
export async function selectIds(client: ClientBase, sql: string, values: readonly unknown[] = []): Promise<number[]> {
  const rows = await select(client, ID_ROW, sql, values);
  return rows.map((row) => row.id);
}
