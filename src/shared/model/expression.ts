import { type ErrorContext } from '../errors.ts';
import type { Cell, ColumnType } from '../types/type.ts';
import { checkDigits, modelError } from './check.ts';
import type { Column, ColumnSpec } from './column.ts';
import type { DimensionRef } from './dimension.ts';
import type { Table, TableSpec } from './table.ts';

/** Where a column of a dimension or fact comes from, as plain data. */
export type Origin =
  | { readonly kind: 'column' | 'date_part' | 'time_part' | 'date' | 'currency_name'; readonly column: string }
  | { readonly kind: 'lookup'; readonly column: string; readonly table: string; readonly shows: string };

/** A column of a dimension or fact as plain data. */
export interface OutputColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
  readonly key: boolean;
  readonly origin: Origin;
  /** The dimension whose key this column holds. */
  readonly references: string | null;
}

/** Stands for "the source column of the same name". */
export type SameName = '=';
/** Stands for "whatever the source column holds". */
export interface AsSource {
  readonly asSource: true;
}

/** What an expression needs to know to become a column of `table`. */
interface Site {
  readonly output: string;
  readonly name: string;
  readonly source: TableSpec;
}

type Resolve = (site: Site) => Omit<OutputColumn, 'name' | 'references'>;

/** A column of a dimension or fact while it is being declared. `From` is the source column it reads, `C` its cell. */
export class Expression<out From extends string = string, out C = unknown> {
  declare readonly from: From;
  declare readonly cell: C;
  readonly #resolve: Resolve;
  readonly #dimension: DimensionRef | null;
  readonly #type: ColumnType | null;

  constructor(resolve: Resolve, dimension: DimensionRef | null = null, type: ColumnType | null = null) {
    this.#resolve = resolve;
    this.#dimension = dimension;
    this.#type = type;
  }

  /** The column holds keys of `dimension`: a row whose key is not there waits in quarantine until it is. */
  references(dimension: DimensionRef): Expression<From, C> {
    return new Expression<From, C>(this.#resolve, dimension, this.#type);
  }

  /** The column has this type in the warehouse: a value that it cannot hold exactly is quarantined. */
  as<T extends Cell>(column: Column<T>): Expression<From, T> {
    return new Expression<From, T>(this.#resolve, this.#dimension, column.spec.type);
  }

  resolve(site: Site): OutputColumn {
    const resolved = this.#resolve(site);
    const type = this.#type ?? resolved.type;
    checkDigits(type, at(site));
    checkConversion(resolved.type, type, site);
    return { ...resolved, name: site.name, type, references: this.#dimension?.name ?? null };
  }
}

/** The source column of the same name, or the one that is named. */
export function column(): Expression<SameName, AsSource>;
export function column<From extends string>(from: From): Expression<From, AsSource>;
export function column(from?: string): Expression<string, AsSource> {
  return new Expression((site) => {
    const name = from ?? site.name;
    const { type, nullable } = sourceColumn(site, name);
    return { type, nullable, key: false, origin: { kind: 'column', column: name } };
  });
}

/** The source's key, under its own name: the key of the dimension or fact. */
export function key(): Expression<SameName, AsSource>;
export function key<From extends string>(from: From): Expression<From, AsSource>;
export function key(from?: string): Expression<string, AsSource> {
  return new Expression((site) => {
    const name = from ?? site.name;
    const { type, nullable, key: isKey } = sourceColumn(site, name);
    if (!isKey) throw modelError(`${where(site)} is a key, but ${site.source.name}.${name} is not`, at(site));
    return { type, nullable, key: true, origin: { kind: 'column', column: name } };
  });
}

/** What the row of `table` shows whose key is in column `by`: `lookup('department_id', department, 'department_name')`. */
export function lookup<By extends string, T extends Table, S extends keyof T['declared'] & string>(
  by: By,
  table: T,
  shows: S,
): Expression<By, T['declared'][S]['cell']> {
  return new Expression((site) => {
    const reference = sourceColumn(site, by);
    const target = table.spec.columns[shows];
    if (!target) throw modelError(`${where(site)} looks up ${table.spec.name}.${shows}, which is not declared`, at(site));
    const keyType = table.spec.columns[table.spec.key]?.type.kind;
    if (keyType !== reference.type.kind) {
      const what = `${site.source.name}.${by} (${reference.type.kind})`;
      const problem = `through ${what}, which cannot be its key (${table.spec.key} is ${keyType})`;
      throw modelError(`${where(site)} looks up ${table.spec.name} ${problem}`, at(site));
    }
    const nullable = target.nullable || reference.nullable;
    return { type: target.type, nullable, key: false, origin: { kind: 'lookup', column: by, table: table.spec.name, shows } };
  });
}

/** The day of a timestamp, in UTC. */
export const datePart = <From extends string>(from: From) =>
  part<From>('date_part', from, { kind: 'date' }, ['timestamp', 'timestamptz']);

/** The time of day of a timestamp, in UTC, to the microsecond. */
export const timePart = <From extends string>(from: From) =>
  part<From>('time_part', from, { kind: 'time' }, ['timestamp', 'timestamptz']);

/** The date that a text holds as `YYYY-MM-DD`. */
export const date = <From extends string>(from: From) => part<From>('date', from, { kind: 'date' }, ['text']);

function part<From extends string>(
  kind: 'date_part' | 'time_part' | 'date',
  from: From,
  type: ColumnType,
  takes: readonly string[],
): Expression<From, number> {
  return new Expression((site) => {
    const source = sourceColumn(site, from);
    expectType(site, from, source, takes);
    return { type, nullable: source.nullable, key: false, origin: { kind, column: from } };
  });
}

/** The English name of an ISO 4217 currency code; a code that ISO does not know is its own name. */
export function currencyName<From extends string>(from: From): Expression<From, string> {
  return new Expression((site) => {
    const source = sourceColumn(site, from);
    expectType(site, from, source, ['text']);
    return { type: { kind: 'text' }, nullable: source.nullable, key: false, origin: { kind: 'currency_name', column: from } };
  });
}

function sourceColumn(site: Site, name: string): ColumnSpec {
  const found = Object.hasOwn(site.source.columns, name) ? site.source.columns[name] : undefined;
  if (found) return found;
  throw modelError(`${where(site)} reads ${site.source.name}.${name}, which is not declared`, at(site));
}

function expectType(site: Site, from: string, { type }: ColumnSpec, takes: readonly string[]): void {
  if (takes.includes(type.kind)) return;
  const needs = takes.join(' or ');
  throw modelError(`${where(site)} needs ${needs}, but ${site.source.name}.${from} is ${type.kind}`, at(site));
}

const WIDER = new Set(['int bigint', 'int numeric', 'bigint numeric']);

function checkConversion(from: ColumnType, to: ColumnType, site: Site): void {
  if (from.kind === to.kind || to.kind === 'text' || WIDER.has(`${from.kind} ${to.kind}`)) return;
  throw modelError(`${where(site)} turns ${from.kind} into ${to.kind}, which is not exact`, at(site));
}

function where(site: Site): string {
  return `${site.output}.${site.name}`;
}

function at(site: Site): ErrorContext {
  return { table: site.output, column: site.name };
}
