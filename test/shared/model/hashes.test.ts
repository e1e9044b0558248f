import { describe, expect, test } from 'vitest';
import { int, text } from '../../../src/shared/model/column.ts';
import { dimension } from '../../../src/shared/model/dimension.ts';
import { column, key, lookup } from '../../../src/shared/model/expression.ts';
import { fact } from '../../../src/shared/model/fact.ts';
import {
  currentName,
  declarationHash,
  historyName,
  keyColumn,
  type Model,
  mirrorColumns,
  model,
  outputHash,
  sourcesOf,
  subjectOf,
} from '../../../src/shared/model/model.ts';
import { table } from '../../../src/shared/model/table.ts';
import { totesys } from '../../../src/models/totesys/model.ts';

interface Changes {
  readonly team?: 'nullable' | 'more';
  readonly dimension?: boolean;
  readonly fact?: boolean;
  readonly thing?: boolean;
}

/** The same model over and over, but for what is asked to be different. */
function declared(change: Changes = {}): Model {
  const name = change.team === 'nullable' ? text().nullable() : text();
  const team = table('team', { team_id: int().key(), name, ...(change.team === 'more' ? { motto: text() } : {}) });
  const person = table('person', { person_id: int().key(), name: text(), team_id: int() });
  const thing = table('thing', { thing_id: int().key(), weight: change.thing ? text() : int() });
  const more = change.dimension ? { label: column('name').as(text()) } : {};
  const dimPerson = dimension('dim_person', person, {
    person_id: key(),
    team_name: lookup('team_id', team, 'name'),
    ...more,
  });
  const dimTeam = dimension('dim_team', team, { team_id: key() });
  const recordKey = change.fact ? 'other_record_id' : 'thing_record_id';
  const facts = [fact('fact_thing', thing, { recordKey }, { thing_id: key(), weight: column() })];
  return model({ tables: [team, person, thing], dimensions: [dimPerson, dimTeam], facts });
}

const hashes = (of: Model): ReadonlyMap<string, string> =>
  new Map([
    ['model', of.hash],
    ...of.tables.map((spec) => [spec.name, declarationHash(of, spec)] as const),
    ...[...of.dimensions, ...of.facts].map((output) => [output.name, outputHash(of, output)] as const),
  ]);

/** Which hashes differ between two models, by name. */
function differing(before: Model, after: Model): readonly string[] {
  const known = hashes(before);
  return [...hashes(after)].filter(([name, hash]) => known.get(name) !== hash).map(([name]) => name);
}

describe('hashes', () => {
  const cases: readonly (readonly [string, Changes, readonly string[]])[] = [
    ['nothing', {}, []],
    [
      'whether a column is null: its table, and all that reads it',
      { team: 'nullable' },
      ['model', 'team', 'person', 'dim_person', 'dim_team'],
    ],
    [
      'a column nobody reads: the table, and what is made of it',
      { team: 'more' },
      ['model', 'team', 'dim_person', 'dim_team'],
    ],
    [
      'a column of a dimension: it, and the tables it reads',
      { dimension: true },
      ['model', 'team', 'person', 'dim_person'],
    ],
    ['the record key of a fact: it, and its table', { fact: true }, ['model', 'thing', 'fact_thing']],
    ['the type of a fact’s column: it, and its table', { thing: true }, ['model', 'thing', 'fact_thing']],
  ];

  test.each(cases)('change with %s', (_what, change, expected) => {
    expect(differing(declared(), declared(change)).toSorted()).toEqual(expected.toSorted());
  });

  test('are 64 bits of hexadecimal, and survive a trip through JSON', () => {
    expect(totesys.hash).toMatch(/^[0-9a-f]{16}$/);
    const copy: Model = JSON.parse(JSON.stringify(totesys));
    expect(differing(totesys, copy)).toEqual([]);
  });
});

describe('what follows from a model', () => {
  const [dimPerson, dimTeam, factThing] = [...declared().dimensions, ...declared().facts];
  const specOf = (name: string) => declared().tables.find((spec) => spec.name === name);

  test('the tables that an output reads', () => {
    expect([dimPerson, dimTeam, factThing].map((output) => output && sourcesOf(output))).toEqual([
      ['person', 'team'],
      ['team'],
      ['thing'],
    ]);
  });

  test('the columns of mirrors: those that dimensions read, key first, none for facts', () => {
    const columns = ['team', 'person', 'thing'].map((name) =>
      mirrorColumns(declared(), specOf(name) ?? totesys.tables[0]!),
    );
    expect(columns).toEqual([['team_id', 'name'], ['person_id', 'team_id'], []]);
  });

  test('the names of a fact’s other relations', () => {
    const [sales] = totesys.facts;
    expect(sales && [subjectOf(sales), currentName(sales), historyName(sales)]).toEqual([
      'sales_order',
      'current_sales_order',
      'history_sales_order',
    ]);
    const plain = declared().facts[0];
    expect(plain && subjectOf({ ...plain, name: 'thing' })).toBe('thing');
  });

  test('the key of an output, without which it is refused', () => {
    expect(factThing && keyColumn(factThing).name).toBe('thing_id');
    expect(() => factThing && keyColumn({ ...factThing, key: 'gone' })).toThrow('fact_thing has no key');
  });
});
