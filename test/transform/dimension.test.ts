import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { int, text } from '../../src/shared/model/column.ts';
import { dimension } from '../../src/shared/model/dimension.ts';
import { key, lookup } from '../../src/shared/model/expression.ts';
import { model } from '../../src/shared/model/model.ts';
import { table } from '../../src/shared/model/table.ts';
import type { Cell } from '../../src/shared/types/type.ts';
import { dimensionRows } from '../../src/transform/dimension.ts';
import { Mirror, type MirrorRow } from '../../src/transform/mirror.ts';
import type { Reject } from '../../src/transform/reject.ts';
import { dimPerson, teams } from '../support/teams.ts';

const PEOPLE = ['person_id', 'name', 'team_id'];
const TEAMS = ['team_id', 'name', 'city'];

type Rows = Readonly<Record<string, readonly (string | null)[]>>;

function mirror(columns: readonly string[], rows: Rows): Mirror {
  return new Mirror(columns, new Map(Object.entries(rows).map(([id, row]) => [id, [id, ...row]])));
}

const both = (people: Mirror, teamsMirror: Mirror): ReadonlyMap<string, Mirror> =>
  new Map([
    ['person', people],
    ['team', teamsMirror],
  ]);

function changes(mirrors: ReadonlyMap<string, Mirror>, whole = false): readonly (readonly Cell[] | Reject)[] {
  return [...dimensionRows(teams, dimPerson.spec, mirrors, whole)];
}

const [people, red] = [
  { '1': ['Ann', '7'], '2': ['Bob', '8'], '3': ['Cat', '7'], '4': ['Dan', null] },
  { '7': ['Red', 'Rome'], '8': ['Blue', null] },
];

describe('a dimension changes', () => {
  test('in all rows that show a renamed team, and only those', () => {
    const mirrors = both(mirror(PEOPLE, people), mirror(TEAMS, red));
    mirrors.get('team')?.set('7', ['7', 'Crimson', 'Rome']);
    expect(changes(mirrors)).toEqual([
      [1, 'Ann', 'Crimson', 'Rome'],
      [3, 'Cat', 'Crimson', 'Rome'],
    ]);
  });

  test('in the row of a person who was renamed or moved', () => {
    const mirrors = both(mirror(PEOPLE, people), mirror(TEAMS, red));
    mirrors.get('person')?.set('2', ['2', 'Bob', '7']);
    mirrors.get('person')?.set('5', ['5', 'Eve', '8']);
    expect(changes(mirrors)).toEqual([
      [2, 'Bob', 'Red', 'Rome'],
      [5, 'Eve', 'Blue', null],
    ]);
  });

  test('not at all where nothing that it shows did', () => {
    const mirrors = both(mirror([...PEOPLE, 'nickname'], { '1': ['Ann', '7', null] }), mirror(TEAMS, red));
    mirrors.get('person')?.set('1', ['1', 'Ann', '7', 'Annie']);
    mirrors.get('team')?.set('9', ['9', 'Green', null]);
    expect(changes(mirrors)).toEqual([]);
  });

  test('not in the row of a person who was deleted: facts still refer to it', () => {
    const mirrors = both(mirror(PEOPLE, people), mirror(TEAMS, red));
    mirrors.get('person')?.remove('1');
    expect(changes(mirrors)).toEqual([]);
  });

  test('in all rows where it is to be made whole', () => {
    const mirrors = both(mirror(PEOPLE, { '1': ['Ann', '7'], '2': ['Bob', '8'] }), mirror(TEAMS, red));
    expect(changes(mirrors, true)).toEqual([
      [1, 'Ann', 'Red', 'Rome'],
      [2, 'Bob', 'Blue', null],
    ]);
  });
});

describe('a row that cannot be made', () => {
  const lost = { table: 'dim_person', key: '2', column: 'team_name', reason: 'refers to no row of team' };

  test('because what it looks up is missing is rejected with what the mirror has of it', () => {
    const mirrors = both(mirror(PEOPLE, people), mirror(TEAMS, red));
    mirrors.get('person')?.set('2', ['2', 'Bob', '99']);
    expect(changes(mirrors)).toEqual([{ ...lost, row: { person_id: '2', name: 'Bob', team_id: '99' } }]);
  });

  test('is made once the missing row arrives', () => {
    const mirrors = both(mirror(PEOPLE, { '2': ['Bob', '99'] }), mirror(TEAMS, red));
    mirrors.get('team')?.set('99', ['99', 'Green', null]);
    expect(changes(mirrors)).toEqual([[2, 'Bob', 'Green', null]]);
  });

  test('is rejected once, as long as nothing about it changes', () => {
    const mirrors = both(mirror([...PEOPLE, 'nickname'], { '2': ['Bob', '99', null] }), mirror(TEAMS, red));
    mirrors.get('team')?.set('7', ['7', 'Crimson', 'Rome']);
    expect(changes(mirrors)).toEqual([]);
    mirrors.get('person')?.set('2', ['2', 'Rob', '99', null]);
    expect(changes(mirrors)).toMatchObject([{ ...lost, row: { name: 'Rob' } }]);
  });

  test('is rejected again where it is another column that does not fit', () => {
    const group = table('team', { team_id: int().key(), name: text(), city: text() });
    const member = table('person', { person_id: int().key(), name: text(), team_id: int() });
    const shown = dimension('dim_person', member, {
      person_id: key(),
      team_name: lookup('team_id', group, 'name'),
      team_city: lookup('team_id', group, 'city'),
    });
    const strict = model({ tables: [group, member], dimensions: [shown], facts: [] });
    const mirrors = both(mirror(PEOPLE, { '2': ['Bob', '7'] }), mirror(TEAMS, { '7': [null, 'Rome'] }));
    mirrors.get('team')?.set('7', ['7', 'Red', null]);
    expect([...dimensionRows(strict, shown.spec, mirrors, false)]).toMatchObject([
      { ...lost, column: 'team_city', reason: 'is null' },
    ]);
  });

  test('because its key or a column is not as declared names that column', () => {
    const mirrors = both(mirror(PEOPLE, {}), mirror(TEAMS, red));
    mirrors.get('person')?.set('x', ['x', 'Ann', '7']);
    mirrors.get('person')?.set('2', ['2', null, '7']);
    expect(changes(mirrors)).toMatchObject([
      { key: 'x', column: 'person_id', reason: 'is not a 32-bit integer' },
      { key: '2', column: 'name', reason: 'is null' },
    ]);
  });
});

describe('a mirror that was not read', () => {
  test('is a bug, and said to be one', () => {
    expect(() => changes(new Map([['person', mirror(PEOPLE, {})]]), true)).toThrow('the mirror of team was not read');
  });
});

/** Copies: a mirror is read anew for every batch. */
const fresh = (columns: readonly string[], from: Mirror): Mirror =>
  new Mirror(columns, new Map<string, MirrorRow>(from.entries));

const isRow = (made: readonly Cell[] | Reject): made is readonly Cell[] => !('reason' in made);

describe('all the differences together', () => {
  const name = fc.constantFrom('a', 'b', 'c');
  const teamId = fc.constantFrom('7', '8', '9', null);
  const edit = fc.oneof(
    fc.record({ of: fc.constant('person'), id: fc.constantFrom('1', '2', '3'), row: fc.tuple(name, teamId) }),
    fc.record({ of: fc.constant('team'), id: fc.constantFrom('7', '8', '9'), row: fc.tuple(name, fc.option(name)) }),
  );
  const batches = fc.array(fc.array(edit, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 });

  test('are the dimension: of every key the last row that could be made', () => {
    fc.assert(
      fc.property(batches, (all) => {
        let [persons, groups] = [new Mirror(PEOPLE), new Mirror(TEAMS)];
        const warehouse = new Map<Cell | undefined, readonly Cell[]>();
        const expected = new Map<Cell | undefined, readonly Cell[]>();
        for (const batch of all) {
          [persons, groups] = [fresh(PEOPLE, persons), fresh(TEAMS, groups)];
          const mirrors = both(persons, groups);
          for (const { of, id, row } of batch) mirrors.get(of)?.set(id, [id, ...row]);
          for (const made of changes(mirrors)) if (isRow(made)) warehouse.set(made[0], made);
          for (const made of changes(mirrors, true)) if (isRow(made)) expected.set(made[0], made);
          expect(warehouse).toEqual(expected);
        }
      }),
      { numRuns: 500 },
    );
  });
});
