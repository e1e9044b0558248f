import { PipelineError } from '../shared/errors.ts';
import type { TableSpec } from '../shared/model/table.ts';
import { typeName } from '../shared/types/codecs.ts';
import type { TypeKind } from '../shared/types/type.ts';
import type { Description, Relation } from './catalog.ts';

/** What must be right about the source as a whole before anything of it is read. */

/** @throws PipelineError that names all tables with the same fault. */
export function checkRelations(
  schema: string,
  tables: readonly TableSpec[],
  relations: ReadonlyMap<string, Relation>,
): void {
  const missing = tables.filter((table) => !relations.has(table.name)).map((table) => table.name);
  refuse('source_structure', `not in schema ${schema} of the source, or not visible to this user`, missing);
  const withXmin = tables.filter((table) => table.strategy.kind === 'xmin').map((table) => table.name);
  const partly = withXmin.filter((name) => relations.get(name)?.readable === false);
  refuse('source_denied', 'without SELECT on the whole table (grants on columns do not show xmin)', partly);
  const hidden = tables.map((table) => table.name).filter((name) => relations.get(name)?.hidden === true);
  refuse('source_hidden', 'with row-level security that applies to this user', hidden);
  const views = withXmin.filter((name) => ['v', 'f'].includes(relations.get(name)?.kind ?? ''));
  refuse('source_strategy', 'without transaction ids (a view or a foreign table)', views);
}

function refuse(kind: PipelineError['kind'], what: string, tables: readonly string[]): void {
  const [table] = tables;
  if (table === undefined) return;
  const message = `source: ${tables.length > 1 ? 'tables' : 'table'} ${tables.join(', ')}: ${what}`;
  throw new PipelineError(kind, message, { table });
}

/** @throws PipelineError that names all columns with the same fault. */
export function checkDescriptions(
  tables: readonly TableSpec[],
  descriptions: ReadonlyMap<string, Description>,
): void {
  const faults = tables.flatMap((table) => faultsOf(table, descriptions.get(table.name)));
  refuseColumns('there is no column', faults.filter(({ fault }) => fault === null));
  refuseColumns('not of the declared type:', faults.filter(({ fault }) => fault !== null));
  for (const { name, strategy } of tables) {
    const foreign = descriptions.get(name)?.foreign ?? null;
    if (strategy.kind !== 'xmin' || foreign === null) continue;
    refuse('source_strategy', `keeps rows in ${foreign}, which has no transaction ids`, [name]);
  }
}

interface Fault {
  readonly table: string;
  readonly column: string;
  /** Null where the column is missing. */
  readonly fault: string | null;
}

function faultsOf({ name: table, columns }: TableSpec, description: Description | undefined): readonly Fault[] {
  return Object.entries(columns).flatMap(([column, { type }]): readonly Fault[] => {
    const found = description?.columns.get(column);
    if (found === undefined) return [{ table, column, fault: null }];
    if (type.kind === 'text' || HELD[type.kind].includes(found)) return [];
    return [{ table, column, fault: `is ${found}, declared ${typeName(type)}` }];
  });
}

function refuseColumns(what: string, faults: readonly Fault[]): void {
  const [first] = faults;
  if (!first) return;
  const names = faults.map(({ table, column, fault }) => `${table}.${column}${fault === null ? '' : ` ${fault}`}`);
  const { table, column } = first;
  throw new PipelineError('source_structure', `source: ${what} ${names.join(', ')}`, { table, column });
}

/**
 * The source types that a declared type reads, by PostgreSQL's internal names. Of numbers, whether a value is too long
 * or too big is a question of each row. Text holds whatever there is.
 */
const HELD: Readonly<Record<Exclude<TypeKind, 'text'>, readonly string[]>> = {
  int: ['int2', 'int4', 'int8'],
  bigint: ['int2', 'int4', 'int8', 'oid'],
  numeric: ['numeric', 'int2', 'int4', 'int8'],
  double: ['float8', 'float4', 'int2', 'int4'],
  boolean: ['bool'],
  date: ['date'],
  time: ['time'],
  timestamp: ['timestamp'],
  timestamptz: ['timestamptz'],
};
