import { modelError } from './check.ts';
import { type Expressions, type Known, type Output, resolveColumns } from './dimension.ts';
import type { OutputColumn } from './expression.ts';
import type { Columns, Table } from './table.ts';

/** A fact as plain data: every version of every row of one source table. */
export interface FactSpec {
  readonly name: string;
  readonly source: string;
  /** The surrogate key: numbers versions as they arrive, says nothing of their order. */
  readonly recordKey: string;
  readonly key: string;
  readonly columns: readonly OutputColumn[];
  /** The source columns that say when a row came to be and when it last changed, where it has them. */
  readonly createdAt: string | null;
  readonly lastUpdated: string | null;
}

export interface Fact<C extends Columns = Columns, E extends Expressions = Expressions> extends Output<C, E> {
  readonly spec: FactSpec;
}

export interface FactOptions<C extends Columns> {
  readonly recordKey: string;
  readonly createdAt?: keyof C & string;
  readonly lastUpdated?: keyof C & string;
}

/**
 * Declares a fact over a source table. Its columns come from its own row only: what is looked up belongs into a
 * dimension, where a change of it does not make a new version of every fact.
 * @throws PipelineError `model` naming the column that does not fit.
 */
export function fact<const C extends Columns, const E extends Expressions>(
  name: string,
  source: Table<C>,
  options: FactOptions<C>,
  columns: E & Known<C, E>,
): Fact<C, E> {
  const resolved = resolveColumns(name, source.spec, columns);
  const looked = resolved.find((column) => column.origin.kind === 'lookup');
  if (looked) {
    throw modelError(`${name}.${looked.name} is a lookup: put it into a dimension and refer to that`, {
      table: name,
      column: looked.name,
    });
  }
  const key = resolved.find((column) => column.key)?.name ?? '';
  const { recordKey, createdAt = null, lastUpdated = null } = options;
  const spec = { name, source: source.spec.name, recordKey, key, columns: resolved, createdAt, lastUpdated };
  for (const column of [createdAt, lastUpdated]) instantColumns(spec, column);
  return { spec, declared: { source: source.declared, columns } };
}

/** The fact's columns that together hold the instant of a source column: one timestamp, or a day and a time of day. */
export type InstantColumns =
  | { readonly kind: 'instant'; readonly column: OutputColumn }
  | { readonly kind: 'parts'; readonly day: OutputColumn; readonly time: OutputColumn };

export function instantColumns(fact: FactSpec, source: string | null): InstantColumns | null {
  if (source === null) return null;
  const from = (kind: string) => fact.columns.find((c) => c.origin.kind === kind && c.origin.column === source);
  const column = from('column');
  if (column && (column.type.kind === 'timestamp' || column.type.kind === 'timestamptz')) return { kind: 'instant', column };
  const [day, time] = [from('date_part'), from('time_part')];
  if (day && time) return { kind: 'parts', day, time };
  const needs = `a timestamp column, or a datePart() and a timePart(), of ${source}`;
  throw modelError(`${fact.name} has no ${needs}`, { table: fact.name, column: source });
}
