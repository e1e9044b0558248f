/**
 * Random models and rows for them. A plan says what a model is about; the model language makes a model of it, and the
 * oracle makes SQL of the same plan without asking the model anything.
 */

import fc from 'fast-check';
import * as columns from '../../src/shared/model/column.ts';
import { dimension } from '../../src/shared/model/dimension.ts';
import { column, date, datePart, type Expression, key, lookup, timePart } from '../../src/shared/model/expression.ts';
import { fact } from '../../src/shared/model/fact.ts';
import { type Model, model } from '../../src/shared/model/model.ts';
import { type Table, table } from '../../src/shared/model/table.ts';
import type { CsvCell } from './csv.ts';

/** `dated` is a text that holds a date. */
export const KINDS = [
  'int',
  'bigint',
  'double',
  'text',
  'boolean',
  'numeric',
  'numeric(6,2)',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'dated',
] as const;
export type Kind = (typeof KINDS)[number];
export type KeyKind = 'int' | 'bigint' | 'text';
export type Target = Kind | 'numeric(12,3)' | 'numeric(20,0)';

export interface PlannedColumn {
  readonly name: string;
  readonly kind: Kind;
  readonly nullable: boolean;
  /** The table whose key the column holds. */
  readonly to?: string;
}

export interface PlannedTable {
  readonly name: string;
  readonly key: KeyKind;
  readonly columns: readonly PlannedColumn[];
}

export interface PlannedOutput {
  readonly name: string;
  readonly what: 'column' | 'day' | 'clock' | 'date' | 'lookup';
  readonly from: PlannedColumn;
  readonly shows?: PlannedColumn;
  readonly as: Target | null;
}

export interface Plan {
  /** The first is the one that dimension and fact are made of. */
  readonly tables: readonly PlannedTable[];
  readonly dimension: readonly PlannedOutput[];
  readonly fact: readonly PlannedOutput[];
}

const MAKERS: Readonly<Record<Target, () => columns.Column>> = {
  int: columns.int,
  bigint: columns.bigint,
  double: columns.double,
  text: columns.text,
  boolean: columns.boolean,
  numeric: () => columns.numeric(),
  'numeric(6,2)': () => columns.numeric(6, 2),
  'numeric(12,3)': () => columns.numeric(12, 3),
  'numeric(20,0)': () => columns.numeric(20, 0),
  date: columns.date,
  time: columns.time,
  timestamp: columns.timestamp,
  timestamptz: columns.timestamptz,
  dated: columns.text,
};

/** What a kind can be turned into. */
const WIDER: Readonly<Partial<Record<Kind, readonly Target[]>>> = {
  int: ['bigint', 'numeric(6,2)', 'text'],
  bigint: ['numeric(20,0)', 'text'],
  numeric: ['numeric(6,2)', 'numeric(12,3)', 'text'],
  'numeric(6,2)': ['numeric(12,3)', 'text'],
  boolean: ['text'],
  time: ['text'],
  timestamp: ['text'],
};

function declaredColumn({ kind, nullable }: PlannedColumn): columns.Column {
  const made = MAKERS[kind]();
  return nullable ? made.nullable() : made;
}

function declaredTable(planned: PlannedTable): Table {
  const declared = planned.columns.map((each) => [each.name, declaredColumn(each)] as const);
  return table(planned.name, { id: MAKERS[planned.key]().key(), ...Object.fromEntries(declared) });
}

function expressionOf(output: PlannedOutput, tables: readonly Table[]): Expression {
  const made = originOf(output, tables);
  return output.as === null ? made : made.as(MAKERS[output.as]());
}

function originOf({ what, from, shows }: PlannedOutput, tables: readonly Table[]): Expression {
  const target = tables.find(({ spec }) => spec.name === from.to);
  if (what === 'lookup' && target && shows) return lookup(from.name, target, shows.name);
  if (what === 'day') return datePart(from.name);
  if (what === 'clock') return timePart(from.name);
  return what === 'date' ? date(from.name) : column(from.name);
}

export function modelOf(plan: Plan): Model {
  const tables = plan.tables.map(declaredTable);
  const [main] = tables;
  if (!main) throw new Error('no tables');
  const all = (outputs: readonly PlannedOutput[]): Record<string, Expression> => ({
    id: key(),
    ...Object.fromEntries(outputs.map((output) => [output.name, expressionOf(output, tables)])),
  });
  const dimensions = [dimension('dim_main', main, all(plan.dimension))];
  return model({ tables, dimensions, facts: [fact('fact_main', main, { recordKey: 'record_id' }, all(plan.fact))] });
}

const keyKind = fc.constantFrom<KeyKind>('int', 'bigint', 'text');

const plainColumns = (prefix: string): fc.Arbitrary<readonly PlannedColumn[]> =>
  fc
    .array(fc.record({ kind: fc.constantFrom(...KINDS), nullable: fc.boolean() }), { minLength: 1, maxLength: 4 })
    .map((all) => all.map((each, at) => ({ ...each, name: `${prefix}${at}` })));

const looked = (name: string): fc.Arbitrary<PlannedTable> =>
  fc.record({ name: fc.constant(name), key: keyKind, columns: plainColumns('c') });

/** Tables that refer to each other: the main one to the others, and to itself. */
const tables = fc
  .tuple(looked('main'), looked('ref_a'), looked('Ref "B"'), fc.boolean(), fc.boolean())
  .map(([main, a, b, one, two]) => {
    const references = [main, a, b].map((to, at): PlannedColumn => ({
      name: `r${at}`,
      kind: to.key,
      nullable: at === 1 ? one : two,
      to: to.name,
    }));
    return [{ ...main, columns: [...main.columns, ...references] }, a, b] as const;
  });

function outputsOf(all: readonly [PlannedTable, ...PlannedTable[]]): fc.Arbitrary<Plan> {
  const plain = fc.constantFrom(...all[0].columns).chain(plainOutput);
  const references = all[0].columns.filter(({ to }) => to !== undefined);
  const through = fc.constantFrom(...references).chain((from) => {
    const shown = all.find(({ name }) => name === from.to)?.columns ?? [];
    return fc
      .constantFrom(...shown)
      .chain((shows) => asOf(shows.kind).map((as) => ({ what: 'lookup' as const, from, shows, as })));
  });
  return fc.record({ tables: fc.constant(all), dimension: named(fc.oneof(plain, through)), fact: named(plain) });
}

function named(each: fc.Arbitrary<Omit<PlannedOutput, 'name'>>): fc.Arbitrary<readonly PlannedOutput[]> {
  return fc.array(each, { maxLength: 5 }).map((list) => list.map((output, at) => ({ ...output, name: `o${at}` })));
}

function plainOutput(from: PlannedColumn): fc.Arbitrary<Omit<PlannedOutput, 'name'>> {
  const as = (what: PlannedOutput['what'], targets: readonly Target[]): fc.Arbitrary<Omit<PlannedOutput, 'name'>> =>
    fc.option(fc.constantFrom(...targets), { freq: 2 }).map((target) => ({ what, from, as: target }));
  if (from.kind === 'dated') return as('date', ['text', 'date']);
  const whole = asOf(from.kind).map((target) => ({ what: 'column' as const, from, as: target }));
  if (from.kind !== 'timestamp' && from.kind !== 'timestamptz') return whole;
  return fc.oneof(whole, as('day', ['text']), as('clock', ['time']));
}

function asOf(kind: Kind): fc.Arbitrary<Target | null> {
  const targets = WIDER[kind];
  return targets ? fc.option(fc.constantFrom(...targets), { freq: 2 }) : fc.constant(null);
}

export const plans: fc.Arbitrary<Plan> = tables.chain((all) => outputsOf([...all]));

const digits = (max: number): fc.Arbitrary<string> => fc.integer({ min: -max, max }).map(String);
const instants = fc
  .date({ min: new Date('0101-01-01'), max: new Date('9998-01-01'), noInvalidDate: true })
  .map((at) => at.toISOString().slice(0, 19).replace('T', ' '));
const decimals = fc
  .tuple(digits(20_000_000), fc.nat(4))
  .map(([text, scale]) => (Number(text) / 10 ** scale).toFixed(scale))
  .filter((text) => !/^-0*\.?0*$/.test(text));
const days = instants.map((at) => at.slice(0, 10));

/** Texts as PostgreSQL writes them, and some that the kind cannot hold. */
const TEXTS: Readonly<Record<Kind, readonly [fits: fc.Arbitrary<string>, not: readonly string[]]>> = {
  int: [digits(2 ** 31 - 1), ['2147483648', 'x']],
  bigint: [fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(String), ['9223372036854775808', 'x']],
  double: [
    fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc.constantFrom('NaN', 'Infinity', '-Infinity', '-0'),
    ),
    ['x'],
  ],
  text: [fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', '0', 'é', '🧵'), maxLength: 4 }), []],
  boolean: [fc.constantFrom('t', 'f'), ['maybe']],
  numeric: [decimals, ['x']],
  'numeric(6,2)': [decimals, ['x']],
  date: [days, ['2023-02-29', 'infinity', 'x']],
  time: [instants.map((at) => at.slice(11)), ['25:00:00', 'x']],
  timestamp: [
    fc.tuple(instants, fc.constantFrom('', '.5', '.000001')).map((each) => each.join('')),
    ['2023-02-29 00:00:00', 'infinity', 'x'],
  ],
  timestamptz: [instants.map((at) => `${at}+00`), ['-infinity', 'x']],
  dated: [days, ['2023-02-29', '', 'soon']],
};

/** Few keys, so that references often lead somewhere. */
export const keyTexts = (kind: KeyKind): readonly string[] =>
  kind === 'text' ? ['', 'a,b', '"', '007', 'é'] : ['-1', '0', '7', '42', '100000'];

function cells(planned: PlannedColumn, all: readonly PlannedTable[]): fc.Arbitrary<CsvCell> {
  const target = all.find(({ name }) => name === planned.to);
  if (target)
    return fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom(...keyTexts(target.key)) },
      fc.constant(null),
      fc.constant('99'),
    );
  const [fits, not] = TEXTS[planned.kind];
  const wrong = not.length > 0 ? [fc.constantFrom(...not)] : [];
  return fc.oneof(
    { weight: 15, arbitrary: fits },
    { weight: planned.nullable ? 3 : 1, arbitrary: fc.constant(null) },
    ...wrong,
  );
}

/** Rows of one table, of every key at most one. */
export function rowsOf(
  planned: PlannedTable,
  all: readonly PlannedTable[],
): fc.Arbitrary<readonly (readonly CsvCell[])[]> {
  const row = fc.tuple(fc.constantFrom(...keyTexts(planned.key)), ...planned.columns.map((each) => cells(each, all)));
  return fc.uniqueArray(row, { selector: ([id]) => id, minLength: 2, maxLength: 5 });
}
