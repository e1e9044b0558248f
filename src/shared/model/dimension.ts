import { checkName, modelError } from './check.ts';
import type { AsSource, Expression, OutputColumn, SameName } from './expression.ts';
import type { Columns, Table, TableSpec } from './table.ts';

/** Anything a fact's column can refer to. */
export interface DimensionRef {
  readonly name: string;
}

/** A dimension as plain data: one row a key, always the latest state. The first column is the key. */
export interface DimensionSpec {
  readonly name: string;
  readonly source: string;
  readonly key: string;
  readonly columns: readonly OutputColumn[];
}

export type Expressions = Readonly<Record<string, Expression>>;

export interface Output<C extends Columns = Columns, E extends Expressions = Expressions> {
  readonly declared: { readonly source: C; readonly columns: E };
}

export interface Dimension<C extends Columns = Columns, E extends Expressions = Expressions>
  extends Output<C, E>, DimensionRef {
  readonly spec: DimensionSpec;
}

/** Turns every column that reads what the source does not declare into a compile-time error at its own place. */
export type Known<C extends Columns, E extends Expressions> = {
  readonly [K in keyof E]: ReadFrom<E[K], K> extends keyof C ? E[K] : never;
};

type ReadFrom<X, K> = X extends Expression<infer From> ? (From extends SameName ? K : From) : never;

/** One row of a dimension or fact, inferred: `OutputRow<typeof dimStaff>`. */
export type OutputRow<O extends Output> = {
  readonly [K in keyof O['declared']['columns']]: CellOf<O['declared']['source'], O['declared']['columns'][K], K>;
};

type CellOf<C extends Columns, X, K> =
  X extends Expression<string, infer T>
    ? T extends AsSource
      ? C[ReadFrom<X, K> & keyof C]['cell']
      : T
    : never;

/**
 * Declares a dimension over a source table.
 * @throws PipelineError `model` naming the column that does not fit.
 */
export function dimension<const C extends Columns, const E extends Expressions>(
  name: string,
  source: Table<C>,
  columns: E & Known<C, E>,
): Dimension<C, E> {
  const resolved = resolveColumns(name, source.spec, columns);
  const key = resolved[0];
  if (!key?.key) throw modelError(`the first column of dimension ${name} is not its key()`, { table: name });
  const spec = { name, source: source.spec.name, key: key.name, columns: resolved };
  return { name, spec, declared: { source: source.declared, columns } };
}

/** The columns of a dimension or fact, with exactly one key among them. */
export function resolveColumns(output: string, source: TableSpec, columns: Expressions): readonly OutputColumn[] {
  checkName(output, { table: output });
  const resolved = Object.entries(columns).map(([name, expression]) => {
    checkName(name, { table: output, column: name });
    return expression.resolve({ output, name, source });
  });
  const keys = resolved.filter((column) => column.key);
  if (keys.length !== 1) throw modelError(`${output} has ${keys.length} key() columns instead of one`, { table: output });
  return resolved;
}

/**
 * The calendar: one row a day that any fact refers to, extended as needed. Its columns are fixed.
 * `day_of_week` is ISO's: Monday is 1.
 */
export const dimDate: DimensionRef = { name: 'dim_date' };
