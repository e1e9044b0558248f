import type { DimensionSpec } from '../shared/model/dimension.ts';
import { type Evaluate, evaluator } from '../shared/model/evaluate.ts';
import type { OutputColumn } from '../shared/model/expression.ts';
import type { Model } from '../shared/model/model.ts';
import { type Cell, Unfit } from '../shared/types/type.ts';
import { type Mirror, type MirrorRow, sameRow } from './mirror.ts';
import type { Reject } from './reject.ts';

/** The row of a table by its key, as of before the batch or after it. */
type View = (table: string, key: string) => MirrorRow | undefined;

export type Mirrors = ReadonlyMap<string, Mirror>;

type Made =
  | { readonly kind: 'row'; readonly cells: readonly Cell[] }
  | { readonly kind: 'reject'; readonly column: string; readonly reason: string; readonly row: MirrorRow };

/**
 * The rows of a dimension that a batch changes: the difference between the dimension before and after it. A renamed
 * department changes the row of everybody who works there. `whole` gives all rows: the dimension has a new declaration.
 */
export function* dimensionRows(
  model: Model,
  dimension: DimensionSpec,
  mirrors: Mirrors,
  whole: boolean,
): Generator<readonly Cell[] | Reject> {
  const make = maker(model, dimension, mirrors);
  const mirror = mirrorOf(mirrors, dimension.source);
  const keys = whole ? [...mirror.entries].map(([key]) => key) : affectedKeys(dimension, mirrors);
  for (const key of keys) {
    const after = make(key, (table, at) => mirrors.get(table)?.now(at));
    if (!after) continue;
    const before = whole ? undefined : make(key, (table, at) => mirrors.get(table)?.before(at));
    if (before && sameMade(before, after)) continue;
    yield after.kind === 'row' ? after.cells : rejectOf(dimension, mirror, key, after);
  }
}

/** Keys whose own row changed, and those whose row looks up one that did. */
function affectedKeys(dimension: DimensionSpec, mirrors: Mirrors): Iterable<string> {
  const mirror = mirrorOf(mirrors, dimension.source);
  const affected = new Set(mirror.changedKeys);
  for (const [column, tables] of lookupsBy(dimension)) {
    const at = mirror.columns.indexOf(column);
    const changed = new Set(tables.flatMap((table) => [...mirrorOf(mirrors, table).changedKeys]));
    if (changed.size === 0) continue;
    for (const [key, row] of mirror.entries) if (changed.has(row[at] ?? '')) affected.add(key);
  }
  return affected;
}

function lookupsBy(dimension: DimensionSpec): ReadonlyMap<string, readonly string[]> {
  const tables = new Map<string, string[]>();
  for (const { origin } of dimension.columns) {
    if (origin.kind === 'lookup') tables.set(origin.column, [...(tables.get(origin.column) ?? []), origin.table]);
  }
  return tables;
}

type Make = (key: string, view: View) => Made | undefined;

function maker(model: Model, dimension: DimensionSpec, mirrors: Mirrors): Make {
  const columns = dimension.columns.map((column) => ({
    name: column.name,
    cell: cellMaker(model, dimension, column, mirrors),
  }));
  return (key, view) => {
    const row = view(dimension.source, key);
    if (!row) return undefined;
    const cells: Cell[] = [];
    for (const { name, cell } of columns) {
      const made = cell(row, view);
      if (made instanceof Unfit) return { kind: 'reject', column: name, reason: made.reason, row };
      cells.push(made);
    }
    return { kind: 'row', cells };
  };
}

type CellMaker = (row: MirrorRow, view: View) => Cell | Unfit;

function cellMaker(model: Model, dimension: DimensionSpec, column: OutputColumn, mirrors: Mirrors): CellMaker {
  const { origin } = column;
  const at = mirrorOf(mirrors, dimension.source).columns.indexOf(origin.column);
  if (origin.kind === 'lookup') return lookupMaker(model, column, origin, at, mirrors);
  const evaluate = evaluatorOf(model, column, dimension.source, origin.column);
  return (row) => evaluate(row[at] ?? null);
}

function lookupMaker(
  model: Model,
  column: OutputColumn,
  { table, shows }: { readonly table: string; readonly shows: string },
  at: number,
  mirrors: Mirrors,
): CellMaker {
  const shown = mirrorOf(mirrors, table).columns.indexOf(shows);
  const evaluate = evaluatorOf(model, column, table, shows);
  const missing = new Unfit(`refers to no row of ${table}`);
  return (row, view) => {
    const key = row[at];
    if (key === null || key === undefined) return evaluate(null);
    const found = view(table, key);
    return found ? evaluate(found[shown] ?? null) : missing;
  };
}

function evaluatorOf(model: Model, column: OutputColumn, table: string, source: string): Evaluate {
  const spec = model.tables.find(({ name }) => name === table)?.columns[source];
  if (!spec) throw new Error(`${table}.${source} passed the checks of the model, but is not in it`);
  return evaluator(column, spec);
}

function sameMade(a: Made, b: Made): boolean {
  if (a.kind === 'row' && b.kind === 'row') return a.cells.every((cell, at) => Object.is(cell, b.cells[at]));
  if (a.kind === 'row' || b.kind === 'row') return false;
  return a.column === b.column && a.reason === b.reason && sameRow(a.row, b.row);
}

function rejectOf(dimension: DimensionSpec, mirror: Mirror, key: string, made: Made & { kind: 'reject' }): Reject {
  const row = Object.fromEntries(mirror.columns.map((column, at) => [column, made.row[at] ?? null]));
  return { table: dimension.name, key, column: made.column, reason: made.reason, row };
}

function mirrorOf(mirrors: Mirrors, table: string): Mirror {
  const mirror = mirrors.get(table);
  if (!mirror) throw new Error(`the mirror of ${table} was not read`);
  return mirror;
}
