import { dimDate, type DimensionSpec } from '../../shared/model/dimension.ts';
import type { OutputColumn } from '../../shared/model/expression.ts';
import type { FactSpec } from '../../shared/model/fact.ts';
import { currentName, type Model } from '../../shared/model/model.ts';
import { identifier, qualified } from '../../shared/postgres/sql.ts';
import type { ColumnType } from '../../shared/types/type.ts';

/** A column of a warehouse table, as DDL needs it. */
export interface WarehouseColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
  /** The table and column it refers to. */
  readonly references: { readonly table: string; readonly column: string } | null;
}

/** A warehouse table as plain data: what the model asks for. */
export interface WarehouseTable {
  readonly name: string;
  readonly columns: readonly WarehouseColumn[];
  /** Numbered by the server: the surrogate key of a fact. */
  readonly identity: string | null;
  readonly primaryKey: string;
  readonly unique: readonly string[] | null;
}

export const BATCH_ID = 'batch_id';

const DATE_COLUMNS: readonly (readonly [string, 'int' | 'text'])[] = [
  ['year', 'int'],
  ['month', 'int'],
  ['day', 'int'],
  ['day_of_week', 'int'],
  ['day_name', 'text'],
  ['month_name', 'text'],
  ['quarter', 'int'],
];

/** The tables of a model, in an order in which they can be made: those that are referred to first. */
export function warehouseTables(model: Model): readonly WarehouseTable[] {
  const keys = new Map(model.dimensions.map((dimension) => [dimension.name, dimension.key]));
  keys.set(dimDate.name, 'date_id');
  return [
    dateTable(),
    ...model.dimensions.map((dimension) => dimensionTable(dimension)),
    ...model.facts.flatMap((fact) => [factTable(fact, keys), currentTable(fact, keys)]),
  ];
}

function dateTable(): WarehouseTable {
  const columns = [dateColumn('date_id', 'date'), ...DATE_COLUMNS.map(([name, kind]) => dateColumn(name, kind))];
  return { name: dimDate.name, columns, identity: null, primaryKey: 'date_id', unique: null };
}

function dateColumn(name: string, kind: 'int' | 'text' | 'date'): WarehouseColumn {
  return { name, type: { kind }, nullable: false, references: null };
}

function dimensionTable(dimension: DimensionSpec): WarehouseTable {
  const columns = dimension.columns.map((column) => warehouseColumn(column, new Map()));
  return { name: dimension.name, columns, identity: null, primaryKey: dimension.key, unique: null };
}

type Keys = ReadonlyMap<string, string>;

function factTable(fact: FactSpec, keys: Keys): WarehouseTable {
  return {
    name: fact.name,
    columns: factColumns(fact, keys),
    identity: fact.recordKey,
    primaryKey: fact.recordKey,
    unique: [fact.key, BATCH_ID],
  };
}

function currentTable(fact: FactSpec, keys: Keys): WarehouseTable {
  return {
    name: currentName(fact),
    columns: factColumns(fact, keys),
    identity: null,
    primaryKey: fact.key,
    unique: null,
  };
}

function factColumns(fact: FactSpec, keys: Keys): readonly WarehouseColumn[] {
  const batch: WarehouseColumn = { name: BATCH_ID, type: { kind: 'bigint' }, nullable: false, references: null };
  return [...fact.columns.map((column) => warehouseColumn(column, keys)), batch];
}

function warehouseColumn({ name, type, nullable, references }: OutputColumn, keys: Keys): WarehouseColumn {
  const column = references === null ? undefined : keys.get(references);
  const target = references === null || column === undefined ? null : { table: references, column };
  return { name, type, nullable, references: target };
}

/** The type as PostgreSQL's catalogue names it (`format_type`). */
export function sqlType(type: ColumnType): string {
  switch (type.kind) {
    case 'int':
      return 'integer';
    case 'double':
      return 'double precision';
    case 'text':
      return 'character varying';
    case 'time':
      return 'time without time zone';
    case 'timestamp':
      return 'timestamp without time zone';
    case 'timestamptz':
      return 'timestamp with time zone';
    case 'numeric':
      return type.digits ? `numeric(${type.digits.precision},${type.digits.scale})` : 'numeric';
    case 'bigint':
    case 'boolean':
    case 'date':
      return type.kind;
  }
}

/** Servers that know `NOT ENFORCED` (PostgreSQL 18) show the star to BI tools at no cost in loading. */
export const NOT_ENFORCED_SINCE = 180_000;

export function createTable(schema: string, table: WarehouseTable, serverVersion: number): string {
  const lines = [
    ...(table.identity === null ? [] : [`${identifier(table.identity)} bigint generated always as identity`]),
    ...table.columns.map(
      ({ name, type, nullable }) => `${identifier(name)} ${sqlType(type)}${nullable ? '' : ' not null'}`,
    ),
    `primary key (${identifier(table.primaryKey)})`,
    ...(table.unique ? [`unique (${table.unique.map(identifier).join(', ')})`] : []),
    ...(serverVersion < NOT_ENFORCED_SINCE ? [] : table.columns.flatMap((column) => foreignKey(schema, column))),
  ];
  return `create table if not exists ${qualified(schema, table.name)} (\n  ${lines.join(',\n  ')}\n)`;
}

function foreignKey(schema: string, { name, references }: WarehouseColumn): string[] {
  if (!references) return [];
  const target = `${qualified(schema, references.table)} (${identifier(references.column)})`;
  return [`foreign key (${identifier(name)}) references ${target} not enforced`];
}

/** Versions from before the column was declared do not know it, so that it has to be nullable. */
export function addColumn(schema: string, table: string, column: WarehouseColumn, serverVersion: number): string {
  const alter = `alter table ${qualified(schema, table)}`;
  const constraint = serverVersion < NOT_ENFORCED_SINCE ? [] : foreignKey(schema, column).map((key) => `, add ${key}`);
  return `${alter} add column ${identifier(column.name)} ${sqlType(column.type)}${constraint.join('')}`;
}
