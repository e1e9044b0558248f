/** Models, sources and warehouses whose names are as bad as PostgreSQL lets names be. */

import fc from 'fast-check';
import * as columns from '../../src/shared/model/column.ts';
import { dimDate, dimension } from '../../src/shared/model/dimension.ts';
import { column, datePart, key, lookup, timePart } from '../../src/shared/model/expression.ts';
import { fact } from '../../src/shared/model/fact.ts';
import { type Model, model } from '../../src/shared/model/model.ts';
import { table } from '../../src/shared/model/table.ts';

/** Each of what may go wrong with a name: quotes of all kinds, comments, ends of statements, patterns, escapes, paths, words. */
const NAMES = [
  'a"b', '"', '""', `it's`, `'`, `''`, `"; drop table canary; --`, `'; drop table canary; --`, `x"; drop table canary cascade; --`, `\\'; drop table canary; --`,
  '$$', '$1', '$tag$ drop table canary; $tag$', '--', '/*', '*/', ';', 'a;b', ',', '(', ')', '.', '..', '../..', '/', '\\', '\\.', '\\N', 'a\\b', `\\"`,
  '%', '%s', '%I', '%20', '_', '*', '?', ':x', '@', '#', '{}', '{a,b}', '[0]', '<b>', '&', '|', '=', '~', '`', '\t', '\n', 'a\nb', '\r', 'a\r\nb', ' ', ' a ', 'a b',
  'select', 'SELECT', 'table', 'from', 'user', 'all', 'null', 'NULL', 'true', 'default', 'Capital', 'CAPITAL', 'öäü', '日本語', '🧵', 'é', 'e\u0301', '\u200b', '\u202e', 'a\ufeff', 'a\ufeffb', 'ｓelect',
  'toString', 'valueOf', 'hasOwnProperty', 'isPrototypeOf', '__defineGetter__', 'length', 'name', 'then', 'toJSON',
  'id', 'row', 'fact', 'ledger', 'history', 'current', 'staged', 'place', 'changed', 'latest', 'excluded', 'public', 'pipeline', 'pg_temp', 'oid2', 'c', 'f', 'm', 'q', 'r', 's', 't', 'v', 'w', 'd',
  'x'.repeat(50), 'ž'.repeat(25), `"`.repeat(50), '1e5', '-', 'day', 'reason', 'counts', 'stamped', 'dated', 'line', 'appended',
] as const;

const name = fc.constantFrom<string>(...NAMES);

/** What is named, each name once among those that meet. */
export interface HostileNames {
  readonly sourceSchema: string;
  readonly warehouseSchema: string;
  /** People, places and what happened; places and people differ only in case now and then. */
  readonly tables: readonly [string, string, string];
  /** Columns of every table: a key, a text, a reference, a time, a number, and one more that is declared later. */
  readonly columns: readonly [string, string, string, string, string, string];
  /** What the warehouse calls them. */
  readonly outputs: readonly [string, string, string, string, string, string];
  readonly recordKey: string;
}

/** Starling puts `current_` and `history_` before the names of facts. */
const MAX_FACT_BYTES = 63 - 'history_'.length;

const distinct = (length: number): fc.Arbitrary<readonly string[]> => fc.uniqueArray(name, { minLength: length, maxLength: length });

export const hostileNames: fc.Arbitrary<HostileNames> = fc
  .tuple(distinct(2), distinct(3), distinct(6), distinct(7), fc.boolean())
  .map(([schemas, tables, own, outputs, cased]) => {
    const [first = '', second = '', third = ''] = tables;
    const other = cased && third.toUpperCase() !== third && !tables.includes(third.toUpperCase()) ? third.toUpperCase() : second;
    return {
      sourceSchema: `s${schemas[0] ?? ''}`,
      // PostgreSQL keeps names that start so for itself.
      warehouseSchema: (schemas[1] ?? '').replace(/^pg_/, 'PG_'),
      tables: [first, other, third] as const,
      columns: six(own),
      outputs: six(outputs),
      recordKey: outputs[6] ?? '',
    };
  });

function six(all: readonly string[]): readonly [string, string, string, string, string, string] {
  const [a = '', b = '', c = '', d = '', e = '', f = ''] = all;
  return [a, b, c, d, e, f];
}

/** Two dimensions, the one looking the other up, and a fact that refers to both and to the calendar. */
export function modelOf({ tables, columns: own, outputs, recordKey }: HostileNames, grown: boolean): Model {
  const [id, text, to, at, amount, later] = own;
  const more = grown ? { [later]: columns.text().nullable() } : {};
  const [place, person, event] = [
    table(tables[0], { [id]: columns.int().key(), [text]: columns.text(), ...more }),
    table(tables[1], { [id]: columns.text().key(), [text]: columns.text(), [to]: columns.int() }),
    table(tables[2], { [id]: columns.bigint().key(), [text]: columns.text().nullable(), [to]: columns.text(), [at]: columns.timestamptz(), [amount]: columns.numeric(), ...more }),
  ];
  const [oId, oText, oTo, oDay, oTime, oMore] = outputs;
  const shown = grown ? { [oMore]: column(later) } : {};
  const dimPlace = dimension(`p${tables[0]}`, place, { [oId]: key(id), [oText]: column(text), ...shown });
  const dimPerson = dimension(`d${tables[1]}`, person, { [oText]: key(id), [oTo]: column(text), [oId]: lookup(to, place, text) });
  const factEvent = fact(`fact_${tables[2]}`.slice(0, MAX_FACT_BYTES), event, { recordKey, lastUpdated: at }, {
    [oId]: key(id),
    [oTo]: column(to).references(dimPerson),
    [oText]: column(text),
    [oDay]: datePart(at).references(dimDate),
    [oTime]: timePart(at),
    [`${oMore.slice(0, 30)}2`]: column(amount).as(columns.numeric(12, 2)),
    ...shown,
  });
  return model({ tables: [place, person, event], dimensions: [dimPlace, dimPerson], facts: [factEvent] });
}

/** What no part of a model can be called, and what is said of it. */
export const REFUSED: readonly (readonly [name: string, message: RegExp])[] = [
  ['', /0 bytes/], ['a\0b', /NUL/], ['x'.repeat(64), /64 bytes/], ['ž'.repeat(32), /64 bytes/],
  ['__proto__', /cannot be used/], ['constructor', /cannot be used/], ['prototype', /cannot be used/],
  // Parquet's reader drops the mark, and the first of these would be the second's name.
  ['\ufeff', /no name in Unicode/], ['\ufeffid', /no name in Unicode/], ['\ufeff\ufeff', /no name in Unicode/],
  ['\ud800', /no name in Unicode/], ['a\udfffb', /no name in Unicode/], ['\udc00\ud800', /no name in Unicode/],
];

/** All that a name can be given to. */
export function declarationsOf(name: string): Readonly<Record<string, () => unknown>> {
  const own = table('t', { id: columns.int().key(), b: columns.int() });
  const called = <T>(what: T): Readonly<Record<string, T>> => Object.fromEntries([[name, what]]);
  const options = { recordKey: 'k' } as const;
  return {
    'a table': () => table(name, { id: columns.int().key() }),
    'a key': () => table('t', called(columns.int().key())),
    'a column': () => table('t', { id: columns.int().key(), ...called(columns.int()) }),
    'a dimension': () => dimension(name, own, { id: key() }),
    'a column of a dimension': () => dimension('d', own, { id: key(), ...called(column('b')) }),
    'a fact': () => fact(name, own, options, { id: key() }),
    'a column of a fact': () => fact('f', own, options, { id: key(), ...called(column('b')) }),
    'the key of its versions': () => model({ tables: [own], dimensions: [], facts: [fact('f', own, { recordKey: name }, { id: key() })] }),
  };
}

/** Values that would be SQL, CSV, JSON or a path, were they not just values. */
export const VALUES = [
  `'; drop table canary; --`, `"; drop table canary; --`, '$$; drop table canary; $$', `\\'; drop table canary; --`, '', 'NULL', '\\N', '\\.', 'a,b', '"', 'a\nb', 'a\r\nb', '%s', '{"a":1}', '__proto__', '../../x', '🧵', '\ufeff', "E'\\\\x'",
];
