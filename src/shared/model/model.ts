import { createHash } from 'node:crypto';
import type { ColumnType } from '../types/type.ts';
import { checkName, modelError } from './check.ts';
import { dimDate, type Dimension, type DimensionSpec } from './dimension.ts';
import type { OutputColumn } from './expression.ts';
import type { Fact, FactSpec } from './fact.ts';
import type { Table, TableSpec } from './table.ts';

/** A whole model as plain data: everything that the stages know about source and warehouse. */
export interface Model {
  readonly tables: readonly TableSpec[];
  readonly dimensions: readonly DimensionSpec[];
  readonly facts: readonly FactSpec[];
  /** Changes whenever anything declared changes. */
  readonly hash: string;
}

export type OutputSpec = DimensionSpec | FactSpec;

export interface Declarations {
  readonly tables: readonly Table[];
  readonly dimensions: readonly Dimension[];
  readonly facts: readonly Fact[];
}

/** The rejected rows of a batch travel beside its tables under this name. */
export const QUARANTINE = 'quarantine';

/** Columns that Starling adds to facts, current tables and history views. */
const RESERVED_COLUMNS = new Set([
  'batch_id',
  'version',
  'valid_from',
  'valid_to',
  'is_current',
  'recorded_at',
  'changed_columns',
]);

/**
 * Puts declarations together and checks what only shows between them.
 * @throws PipelineError `model` naming table and column.
 */
export function model(declarations: Declarations): Model {
  const tables = declarations.tables.map((table) => table.spec);
  const dimensions = declarations.dimensions.map((dimension) => dimension.spec);
  const facts = declarations.facts.map((fact) => fact.spec);
  refuseTwice(tables.map((table) => table.name), 'source table');
  const relations = relationNames(dimensions, facts);
  refuseTwice(relations, 'warehouse relation');
  for (const name of relations) checkName(name, { table: name });
  for (const output of [...dimensions, ...facts]) checkSources(output, tables);
  const keys = new Map([[dimDate.name, 'date'], ...dimensions.map((d) => [d.name, keyType(d).kind] as const)]);
  for (const dimension of dimensions) refuseReferences(dimension);
  for (const fact of facts) {
    checkReferences(fact, keys);
    checkReserved(fact);
  }
  return { tables, dimensions, facts, hash: hashOf({ tables, dimensions, facts }) };
}

/** `fact_sales_order` is told of as `sales_order`: `current_sales_order`, `history_sales_order`. */
export function subjectOf(fact: FactSpec): string {
  return fact.name.startsWith('fact_') ? fact.name.slice('fact_'.length) : fact.name;
}

export function currentName(fact: FactSpec): string {
  return `current_${subjectOf(fact)}`;
}

export function historyName(fact: FactSpec): string {
  return `history_${subjectOf(fact)}`;
}

/** The source tables that an output reads: its own, then those it looks things up in. */
export function sourcesOf(output: OutputSpec): readonly string[] {
  const lookups = output.columns.flatMap((column) => (column.origin.kind === 'lookup' ? [column.origin.table] : []));
  return [...new Set([output.source, ...lookups])];
}

export function outputsOf(model: Model): readonly OutputSpec[] {
  return [...model.dimensions, ...model.facts];
}

/** Changes when a table is to be read whole again: with its own declaration, or that of an output that reads it. */
export function declarationHash(model: Model, table: TableSpec): string {
  return hashOf([table, outputsOf(model).filter((output) => sourcesOf(output).includes(table.name))]);
}

/** Changes when an output is to be made whole again: with its own declaration, or that of a table that it reads. */
export function outputHash(model: Model, output: OutputSpec): string {
  const sources = sourcesOf(output);
  return hashOf([output, model.tables.filter((table) => sources.includes(table.name))]);
}

/** The columns of a table that dimensions read, key first: what its mirror holds. Empty where no dimension reads it. */
export function mirrorColumns(model: Model, table: TableSpec): readonly string[] {
  const read = new Set<string>();
  for (const dimension of model.dimensions) {
    for (const { origin } of dimension.columns) {
      if (dimension.source === table.name) read.add(origin.column);
      if (origin.kind === 'lookup' && origin.table === table.name) read.add(table.key).add(origin.shows);
    }
  }
  if (read.size === 0) return [];
  return [table.key, ...Object.keys(table.columns).filter((column) => column !== table.key && read.has(column))];
}

export function keyColumn(output: OutputSpec): OutputColumn {
  const column = output.columns.find(({ name }) => name === output.key);
  if (!column) throw modelError(`${output.name} has no key`, { table: output.name });
  return column;
}

function keyType(output: OutputSpec): ColumnType {
  return keyColumn(output).type;
}

function relationNames(dimensions: readonly DimensionSpec[], facts: readonly FactSpec[]): readonly string[] {
  const ofFacts = facts.flatMap((fact) => [fact.name, currentName(fact), historyName(fact)]);
  return [dimDate.name, QUARANTINE, ...dimensions.map((dimension) => dimension.name), ...ofFacts];
}

function refuseTwice(names: readonly string[], what: string): void {
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw modelError(`two ${what}s are named ${twice}`, { table: twice });
}

function checkSources(output: OutputSpec, tables: readonly TableSpec[]): void {
  for (const source of sourcesOf(output)) {
    if (tables.some((table) => table.name === source)) continue;
    throw modelError(`${output.name} reads table ${source}, which is not in the model`, { table: output.name });
  }
  for (const { name, origin } of output.columns) {
    checkRead(output, name, output.source, origin.column, tables);
    if (origin.kind === 'lookup') checkRead(output, name, origin.table, origin.shows, tables);
  }
}

/** The table that an expression was declared over may be another one of the same name. */
function checkRead(output: OutputSpec, name: string, from: string, column: string, tables: readonly TableSpec[]): void {
  if (Object.hasOwn(tables.find((table) => table.name === from)?.columns ?? {}, column)) return;
  const message = `${output.name}.${name} reads ${from}.${column}, which table ${from} of the model does not declare`;
  throw modelError(message, { table: output.name, column: name });
}

/** Only facts refer: a dimension that needs another one's columns looks them up, or the star would become a snowflake. */
function refuseReferences(dimension: DimensionSpec): void {
  const column = dimension.columns.find(({ references }) => references !== null);
  if (!column) return;
  const what = `${dimension.name}.${column.name} refers to ${column.references}`;
  throw modelError(`${what}: only facts refer to dimensions; show what you need of it with lookup()`, {
    table: dimension.name,
    column: column.name,
  });
}

function checkReferences(output: OutputSpec, keys: ReadonlyMap<string, string>): void {
  for (const { name, type, references } of output.columns) {
    if (references === null) continue;
    const where = { table: output.name, column: name };
    const keyKind = keys.get(references);
    if (keyKind === undefined) {
      throw modelError(`${output.name}.${name} refers to ${references}, which is no dimension of the model`, where);
    }
    if (keyKind !== type.kind) {
      throw modelError(`${output.name}.${name} is ${type.kind}, but the key of ${references} is ${keyKind}`, where);
    }
  }
}

function checkReserved(fact: FactSpec): void {
  const names = [fact.recordKey, ...fact.columns.map((column) => column.name)];
  for (const [at, name] of names.entries()) {
    const where = { table: fact.name, column: name };
    checkName(name, where);
    if (names.indexOf(name) !== at) throw modelError(`${fact.name} has two columns named ${name}`, where);
    if (RESERVED_COLUMNS.has(name)) throw modelError(`${fact.name}.${name}: Starling adds a column of that name`, where);
    if (name.startsWith('starling_')) throw modelError(`${fact.name}.${name}: names that begin with starling_ are its own`, where);
  }
}

/** The first 64 bits of SHA-256 are plenty to tell declarations of one project apart. */
function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);
}
