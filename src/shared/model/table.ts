import type { Cell } from '../types/type.ts';
import { checkDigits, checkName, modelError } from './check.ts';
import type { Column, ColumnSpec } from './column.ts';

export type Columns = Readonly<Record<string, Column>>;

/**
 * How ingest finds what changed in a table.
 * - `xmin`: by the transaction that wrote each row. Misses nothing; one sequential scan a batch.
 * - `cursor`: rows whose `column` is at or above its highest value of the batch before, less `overlap` (seconds for
 *   times, units for integers). For big tables whose column is trusted and indexed. Misses what leaves it alone, and
 *   rows in which it is null.
 * - `full`: the whole table, whenever its content differs. For views, foreign and small tables.
 */
export type Strategy =
  | { readonly kind: 'xmin' }
  | { readonly kind: 'cursor'; readonly column: string; readonly overlap: number }
  | { readonly kind: 'full' };

/** A source table as plain data. */
export interface TableSpec {
  readonly name: string;
  readonly key: string;
  readonly columns: Readonly<Record<string, ColumnSpec>>;
  readonly strategy: Strategy;
}

export interface Table<C extends Columns = Columns> {
  readonly spec: TableSpec;
  /** Only a type: the declared columns, from which rows and model columns are inferred. */
  readonly declared: C;
}

/** One row of a table: `Row<typeof staff>` is `{ staff_id: number; first_name: string; … }`. */
export type Row<T extends Table> = { readonly [K in keyof T['declared']]: T['declared'][K]['cell'] & Cell };

/**
 * Declares a source table.
 * @throws PipelineError `model` without a key, with more than one, with a nullable one, or with a name PostgreSQL cannot hold.
 */
export function table<const C extends Columns>(
  name: string,
  declared: C,
  strategy: Strategy = { kind: 'xmin' },
): Table<C> {
  checkName(name, { table: name });
  const columns: Record<string, ColumnSpec> = {};
  for (const [column, { spec }] of Object.entries(declared)) {
    checkName(column, { table: name, column });
    checkDigits(spec.type, { table: name, column });
    columns[column] = spec;
  }
  return { spec: { name, key: keyOf(name, columns), columns, strategy: checkStrategy(name, columns, strategy) }, declared };
}

const KEY_TYPES = new Set(['int', 'bigint', 'text']);

function keyOf(table: string, columns: Readonly<Record<string, ColumnSpec>>): string {
  const keys = Object.entries(columns).filter(([, column]) => column.key);
  const [first, second] = keys;
  if (!first) throw modelError(`table ${table} has no key: mark its primary key with .key()`, { table });
  const [column, spec] = first;
  if (second) {
    throw modelError(`table ${table} has two keys, ${column} and ${second[0]}: a key is one column`, { table, column });
  }
  if (spec.nullable) throw modelError(`key ${table}.${column} is nullable`, { table, column });
  if (!KEY_TYPES.has(spec.type.kind)) {
    throw modelError(`key ${table}.${column} is ${spec.type.kind}: a key is int, bigint or text`, { table, column });
  }
  return column;
}

const CURSOR_TYPES = new Set(['int', 'bigint', 'date', 'timestamp', 'timestamptz']);

function checkStrategy(table: string, columns: Readonly<Record<string, ColumnSpec>>, strategy: Strategy): Strategy {
  if (strategy.kind !== 'cursor') return strategy;
  const { column, overlap } = strategy;
  const spec = columns[column];
  if (!spec) throw modelError(`table ${table} is followed by ${column}, which it does not declare`, { table, column });
  if (!CURSOR_TYPES.has(spec.type.kind)) {
    throw modelError(`table ${table} is followed by ${column}, which is ${spec.type.kind}`, { table, column });
  }
  if (!Number.isSafeInteger(overlap) || overlap < 0) {
    throw modelError(`the overlap of table ${table} is a whole number of at least 0`, { table, column });
  }
  return strategy;
}
