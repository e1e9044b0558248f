import { describe, expect, test } from 'vitest';
import { PipelineError } from '../../../src/shared/errors.ts';
import {
  bigint,
  boolean,
  type Column,
  date,
  double,
  int,
  numeric,
  text,
  timestamp,
} from '../../../src/shared/model/column.ts';
import {
  type Dimension,
  dimDate,
  dimension,
  type DimensionRef,
  type Expressions,
} from '../../../src/shared/model/dimension.ts';
import {
  column,
  currencyName,
  date as dateOf,
  datePart,
  key,
  lookup,
  timePart,
} from '../../../src/shared/model/expression.ts';
import { type Fact, fact } from '../../../src/shared/model/fact.ts';
import { type Declarations, model } from '../../../src/shared/model/model.ts';
import { type Strategy, table, type Table } from '../../../src/shared/model/table.ts';

/** Declared loosely: what the compiler would refuse has to be refused by the program too. */
type Loose = Readonly<Record<string, Column>>;
const looseTable = (name: string, columns: Loose, strategy?: Strategy): Table => table(name, columns, strategy);
const dim = (columns: Expressions, name = 'dim_team'): Dimension => dimension(name, team, columns);
const sale = (columns: Expressions, options = {}, name = 'fact_sale'): Fact =>
  fact(name, person, { recordKey: 'sale_record_id', ...options }, columns);

const team: Table = looseTable('team', { team_id: int().key(), name: text(), born: timestamp() });
const person: Table = looseTable('person', {
  person_id: int().key(),
  name: text(),
  team_id: int().nullable(),
  team_name: text(),
  price: numeric(),
  paid: boolean(),
  ratio: double(),
  born: timestamp(),
  last_seen: timestamp(),
  big: bigint(),
  day: date(),
});

function refusalOf(declare: () => unknown): PipelineError {
  try {
    declare();
  } catch (error) {
    if (error instanceof PipelineError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

type Case = readonly [what: string, declare: () => unknown, context: object, message: string];

/** Every name in the context is in the message too: a log line alone has to say where it is. */
const refuses = (cases: readonly Case[]): void => {
  test.each(cases)('%s', (_what, declare, context, message) => {
    const error = refusalOf(declare);
    expect(error.kind).toBe('model');
    expect(error.context).toEqual(context);
    expect(error.message).toContain(message);
    for (const name of Object.values(error.context)) expect(error.message).toContain(String(name).slice(0, 63));
  });
};

/** Where it is: in a table, a dimension, a fact, as a whole or in a column. */
const at = (of: string, name?: string): object => (name === undefined ? { table: of } : { table: of, column: name });
const inDim = (name?: string): object => at('dim_team', name);
const inFact = (name?: string): object => at('fact_sale', name);
const by = (name: string, overlap = 0): Strategy => ({ kind: 'cursor', column: name, overlap });

describe('a table is refused', () => {
  refuses([
    ['without a key', () => looseTable('t', { a: int() }), at('t'), 'has no key'],
    ['with two keys', () => looseTable('t', { a: int().key(), b: int().key() }), at('t', 'a'), 'two keys, a and b'],
    ['with a nullable key', () => looseTable('t', { a: int().key().nullable() }), at('t', 'a'), 'nullable'],
    ['with a key that is no identifier', () => looseTable('t', { a: double().key() }), at('t', 'a'), 'double'],
    ['without a name', () => looseTable('', { a: int().key() }), at(''), '0 bytes'],
    ['with a name over 63 bytes', () => looseTable('ä'.repeat(32), { a: int().key() }), at('ä'.repeat(32)), '64 bytes'],
    [
      'with a column’s name over 63 bytes',
      () => looseTable('t', { ['c'.repeat(64)]: int() }),
      at('t', 'c'.repeat(64)),
      '64 bytes',
    ],
    ['with no digits', () => looseTable('t', { a: int().key(), p: numeric(0, 0) }), at('t', 'p'), 'numeric(0,0)'],
    [
      'with over 38 digits',
      () => looseTable('t', { a: int().key(), p: numeric(39, 2) }),
      at('t', 'p'),
      '1 to 38 digits',
    ],
    [
      'with more decimals than digits',
      () => looseTable('t', { a: int().key(), p: numeric(2, 3) }),
      at('t', 'p'),
      'numeric(2,3)',
    ],
    [
      'with negative decimals',
      () => looseTable('t', { a: int().key(), p: numeric(5, -1) }),
      at('t', 'p'),
      'numeric(5,-1)',
    ],
    [
      'with half a digit',
      () => looseTable('t', { a: int().key(), p: numeric(5.5, 1) }),
      at('t', 'p'),
      'numeric(5.5,1)',
    ],
    ['followed by what it lacks', () => looseTable('t', { a: int().key() }, by('b')), at('t', 'b'), 'does not declare'],
    ['followed by a text', () => looseTable('t', { a: int().key(), b: text() }, by('b')), at('t', 'b'), 'text'],
    ['with a negative overlap', () => looseTable('t', { a: int().key() }, by('a', -1)), at('t', 'a'), 'overlap'],
    ['with half an overlap', () => looseTable('t', { a: int().key() }, by('a', 0.5)), at('t', 'a'), 'overlap'],
  ]);
});

test.each(['constructor', 'prototype', '__proto__'])('the name %s, which an entry of the log would lose, is refused', (name) => {
  expect(() => looseTable(name, { a: int().key() })).toThrow(`the name ${name} cannot be used`);
});

test('a name with a NUL, which PostgreSQL cannot hold, is refused', () => {
  const error = refusalOf(() => looseTable('t', { 'a\0': int().key() }));
  expect(error).toMatchObject({ kind: 'model', message: expect.stringContaining('no NUL'), context: { table: 't' } });
});

test('names of 63 bytes and all 38 digits are accepted', () => {
  const name = 'n'.repeat(63);
  expect(looseTable(name, { [name]: int().key(), p: numeric(38, 38), q: numeric(1, 0) }).spec.key).toBe(name);
});

describe('a dimension is refused', () => {
  const key0 = { team_id: key() };
  refuses([
    ['without a key', () => dim({ name: column() }), inDim(), '0 key() columns'],
    ['with two keys', () => dim({ team_id: key(), again: key('team_id') }), inDim(), '2 key() columns'],
    ['whose first column is not its key', () => dim({ name: column(), team_id: key() }), inDim(), 'first column'],
    ['whose key is not its table’s', () => dim({ name: key() }), inDim('name'), 'team.name is not'],
    ['over a column that is not there', () => dim({ ...key0, motto: column() }), inDim('motto'), 'team.motto'],
    ['over what only objects have', () => dim({ ...key0, toString: column() }), inDim('toString'), 'not declared'],
    [
      'with a lookup by a missing column',
      () => dim({ ...key0, n: lookup('boss', person, 'name') }),
      inDim('n'),
      'team.boss',
    ],
    [
      'with a lookup of a missing column',
      () => dim({ ...key0, n: lookup('team_id', person, 'x') }),
      inDim('n'),
      'person.x',
    ],
    [
      'with a lookup through another type',
      () => dim({ ...key0, n: lookup('name', person, 'name') }),
      inDim('n'),
      'cannot be its key',
    ],
    ['with the day of a text', () => dim({ ...key0, d: datePart('name') }), inDim('d'), 'timestamp or timestamptz'],
    ['with the time of a number', () => dim({ ...key0, d: timePart('team_id') }), inDim('d'), 'team.team_id is int'],
    ['with the date of a timestamp', () => dim({ ...key0, d: dateOf('born') }), inDim('d'), 'needs text'],
    ['with the currency of a number', () => dim({ ...key0, c: currencyName('team_id') }), inDim('c'), 'needs text'],
    ['that turns text into a number', () => dim({ ...key0, n: column('name').as(int()) }), inDim('n'), 'text into int'],
    [
      'that turns a time into another',
      () => dim({ ...key0, b: column('born').as(date()) }),
      inDim('b'),
      'timestamp into date',
    ],
    [
      'with digits out of range',
      () => dim({ ...key0, n: column('team_id').as(numeric(40, 0)) }),
      inDim('n'),
      'numeric(40,0)',
    ],
    [
      'with a long column name',
      () => dim({ ...key0, ['n'.repeat(64)]: column('name') }),
      inDim('n'.repeat(64)),
      '64 bytes',
    ],
    ['with a long name', () => dim(key0, 'd'.repeat(64)), { table: 'd'.repeat(64) }, '64 bytes'],
  ]);
});

describe('a fact is refused', () => {
  const key0 = { person_id: key() };
  refuses([
    ['without a key', () => sale({ name: column() }), inFact(), '0 key() columns'],
    [
      'that looks things up',
      () => sale({ ...key0, t: lookup('team_id', team, 'name') }),
      inFact('t'),
      'put it into a dimension',
    ],
    ['whose time of creation is not shown', () => sale(key0, { createdAt: 'born' }), inFact('born'), 'of born'],
    [
      'whose time of change is half shown',
      () => sale({ ...key0, d: datePart('born') }, { lastUpdated: 'born' }),
      inFact('born'),
      'timePart()',
    ],
    [
      'whose time of creation is a date',
      () => sale({ ...key0, day: column() }, { createdAt: 'day' }),
      inFact('day'),
      'a timestamp column',
    ],
  ]);
});

describe('a model is refused', () => {
  const dimTeam = dim({ team_id: key(), name: column() });
  const dimBig = dimension('dim_big', looseTable('big', { id: bigint().key() }), { id: key() });
  const of = (declarations: Partial<Declarations>) => () =>
    model({ tables: [team, person], dimensions: [dimTeam], facts: [], ...declarations });
  const withFact = (columns: Expressions, recordKey = 'sale_record_id', name = 'fact_sale') =>
    of({ facts: [fact(name, person, { recordKey }, { person_id: key(), ...columns })] });
  const to = (by: string, dimensionRef: DimensionRef) => withFact({ ref: column(by).references(dimensionRef) });
  const stray = dim({ team_id: key(), old: column('name') }, 'dim_stray');
  const renamed = looseTable('team', { team_id: int().key(), title: text(), born: timestamp() });
  const seen = dimension('dim_seen', person, { person_id: key(), n: lookup('team_id', team, 'name') });
  const long = `fact_${'n'.repeat(56)}`;
  const sales = { table: 'fact_sale' };
  refuses([
    ['with two tables of one name', of({ tables: [team, person, team] }), { table: 'team' }, 'two source tables'],
    [
      'with two dimensions of one name',
      of({ dimensions: [dimTeam, dimTeam] }),
      { table: 'dim_team' },
      'two warehouse relations',
    ],
    [
      'with a calendar of its own',
      of({ dimensions: [dim({ team_id: key() }, 'dim_date')] }),
      { table: 'dim_date' },
      'two warehouse',
    ],
    [
      'with an output named quarantine',
      of({ dimensions: [dim({ team_id: key() }, 'quarantine')] }),
      { table: 'quarantine' },
      'two',
    ],
    [
      'with a dimension named as a current table',
      of({ dimensions: [dim({ team_id: key() }, 'current_sale')], facts: [sale({ person_id: key() })] }),
      { table: 'current_sale' },
      'two',
    ],
    [
      'with facts of one subject',
      of({ facts: [sale({ person_id: key() }), sale({ person_id: key() }, {}, 'sale')] }),
      { table: 'current_sale' },
      'two',
    ],
    ['without a table that is read', of({ tables: [person] }), { table: 'dim_team' }, 'reads table team'],
    [
      'without a table that is looked up',
      of({ tables: [person], dimensions: [seen] }),
      { table: 'dim_seen' },
      'reads table team',
    ],
    [
      'with another table of that name',
      of({ tables: [renamed, person], dimensions: [stray] }),
      { table: 'dim_stray', column: 'old' },
      'team.name',
    ],
    [
      'with another looked up table of that name',
      of({ tables: [renamed, person], dimensions: [seen] }),
      { table: 'dim_seen', column: 'n' },
      'team.name',
    ],
    [
      'with a reference to no dimension of it',
      to('team_id', { name: 'dim_moon' }),
      { ...sales, column: 'ref' },
      'dim_moon, which is no dimension',
    ],
    [
      'with a reference of another type',
      to('team_name', dimTeam),
      { ...sales, column: 'ref' },
      'is text, but the key of dim_team is int',
    ],
    [
      'with a narrower reference',
      of({
        tables: [team, person, looseTable('big', { id: bigint().key() })],
        dimensions: [dimBig],
        facts: [sale({ person_id: key(), ref: column('team_id').references(dimBig) })],
      }),
      { ...sales, column: 'ref' },
      'key of dim_big is bigint',
    ],
    [
      'with a reference to the calendar of no date',
      to('team_name', dimDate),
      { ...sales, column: 'ref' },
      'key of dim_date is date',
    ],
    [
      'with a dimension that refers to another',
      of({
        dimensions: [
          dimTeam,
          dimension('dim_person', person, { person_id: key(), team_id: column().references(dimTeam) }),
        ],
      }),
      { table: 'dim_person', column: 'team_id' },
      'only facts refer to dimensions',
    ],
    [
      'with a fact’s column named as its record key',
      withFact({ name: column() }, 'name'),
      { ...sales, column: 'name' },
      'two columns named name',
    ],
    [
      'with a column that Starling adds',
      withFact({ valid_from: column('name') }),
      { ...sales, column: 'valid_from' },
      'adds a column',
    ],
    [
      'with a record key that Starling adds',
      withFact({}, 'batch_id'),
      { ...sales, column: 'batch_id' },
      'adds a column',
    ],
    ['with a long record key', withFact({}, 'r'.repeat(64)), { ...sales, column: 'r'.repeat(64) }, '64 bytes'],
    [
      'with a fact whose current table’s name is too long',
      withFact({}, 'r', long),
      { table: `current_${'n'.repeat(56)}` },
      '64 bytes',
    ],
  ]);
});
