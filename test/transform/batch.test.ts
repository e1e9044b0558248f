import { describe, expect, test } from 'vitest';
import { int, text } from '../../src/shared/model/column.ts';
import { dimension } from '../../src/shared/model/dimension.ts';
import { column, key } from '../../src/shared/model/expression.ts';
import { model, outputHash, QUARANTINE } from '../../src/shared/model/model.ts';
import { table } from '../../src/shared/model/table.ts';
import {
  freshLakes,
  ingested,
  type Lakes,
  outputRows,
  processedEntry,
  rejectedRows,
  transformed,
} from '../support/batches.ts';
import { team, teams, teamsWithMotto } from '../support/teams.ts';

const AT = '2024-08-07 12:30:00';
const TEAM_COLUMNS = ['team_id', 'name', 'city', 'motto'];
const [red, blue] = [
  ['7', 'Red', 'Rome', 'Go'],
  ['8', 'Blue', null, null],
];
const [ann, bob] = [
  ['1', 'Ann', '7', 's'],
  ['2', 'Bob', '8', 's'],
];

/** Batch 1: two teams, two people, one sale. */
async function first(lakes: Lakes, of = teams): Promise<void> {
  await ingested(lakes, of, {
    team: { rows: [red, blue] },
    person: { rows: [ann, bob] },
    sale: { rows: [['1', '2', '9.50', 't', AT]] },
  });
}

const facts = [[1, 2, '9.50', true, 19_942, 45_000_000_000]];

describe('the first batch', () => {
  test('makes everything whole, and a mirror of what dimensions read', async () => {
    const lakes = await freshLakes();
    await first(lakes);
    await transformed(lakes, teams);
    expect(await outputRows(lakes, teams, 1, 'dim_team')).toEqual([
      [7, 'Red'],
      [8, 'Blue'],
    ]);
    expect(await outputRows(lakes, teams, 1, 'dim_person')).toEqual([
      [1, 'Ann', 'Red', 'Rome'],
      [2, 'Bob', 'Blue', null],
    ]);
    expect(await outputRows(lakes, teams, 1, 'fact_sale')).toEqual(facts);
    const { outputs, mirrors } = await processedEntry(lakes, 1);
    expect(Object.entries(outputs).map(([name, { whole, rows }]) => [name, whole, rows])).toEqual([
      ['dim_team', true, 2],
      ['dim_person', true, 2],
      ['fact_sale', true, 1],
      [QUARANTINE, false, 0],
    ]);
    expect(Object.entries(mirrors).map(([name, { columns, rows }]) => [name, columns, rows])).toEqual([
      ['team', ['team_id', 'name', 'city'], 2],
      ['person', ['person_id', 'name', 'team_id'], 2],
    ]);
  });

  test('may bring empty tables, of which there are mirrors all the same', async () => {
    const lakes = await freshLakes();
    await ingested(lakes, teams, { team: { rows: [] }, person: { rows: [] }, sale: { rows: [] } });
    await ingested(lakes, teams, { team: { rows: [red] } });
    await transformed(lakes, teams);
    expect((await processedEntry(lakes, 1)).mirrors).toMatchObject({
      team: { rows: 0, parts: [] },
      person: { rows: 0 },
    });
    expect(await outputRows(lakes, teams, 2, 'dim_team')).toEqual([[7, 'Red']]);
    expect((await processedEntry(lakes, 2)).mirrors['team']?.columns).toEqual(['team_id', 'name', 'city']);
  });
});

describe('a later batch', () => {
  test('writes what it changes: the mirror anew, of the dimensions the difference', async () => {
    const lakes = await freshLakes();
    await first(lakes);
    await ingested(lakes, teams, { team: { rows: [['7', 'Crimson', 'Rome', 'Go']] } });
    await transformed(lakes, teams);
    const [one, two] = [await processedEntry(lakes, 1), await processedEntry(lakes, 2)];
    expect(await outputRows(lakes, teams, 2, 'dim_team')).toEqual([[7, 'Crimson']]);
    expect(await outputRows(lakes, teams, 2, 'dim_person')).toEqual([[1, 'Ann', 'Crimson', 'Rome']]);
    expect(two.outputs['fact_sale']).toMatchObject({ whole: false, rows: 0, parts: [] });
    expect(two.mirrors['person']).toEqual(one.mirrors['person']);
    expect(two.mirrors['team']?.parts[0]?.key).toContain(`mirror/team/00000000000000000002/${two.attempt}/`);
  });

  test('that changes nothing a mirror holds leaves it where it is', async () => {
    const lakes = await freshLakes();
    await first(lakes);
    await ingested(lakes, teams, {
      team: { rows: [['7', 'Red', 'Rome', 'another motto']] },
      person: { rows: [ann], whole: null },
    });
    await transformed(lakes, teams);
    const [one, two] = [await processedEntry(lakes, 1), await processedEntry(lakes, 2)];
    expect(two.mirrors).toEqual(one.mirrors);
    expect(Object.values(two.outputs).map(({ rows, parts }) => [rows, parts])).toEqual(
      Array.from({ length: 4 }, () => [0, []]),
    );
  });

  test('gives each fact row as a version, and says where its table was read whole', async () => {
    const lakes = await freshLakes();
    await first(lakes);
    await ingested(lakes, teams, { sale: { rows: [['1', '2', '9.50', 'f', AT]], whole: 'asked for' } });
    await transformed(lakes, teams);
    expect(await outputRows(lakes, teams, 2, 'fact_sale')).toEqual([[1, 2, '9.50', false, 19_942, 45_000_000_000]]);
    expect((await processedEntry(lakes, 2)).outputs['fact_sale']?.whole).toBe(true);
  });

  test('sends what does not fit to quarantine, says how much, and goes on with the rest', async () => {
    const lakes = await freshLakes();
    await first(lakes);
    const wrong = { sale_id: '2', person_id: '1', price: '1.999', paid: null, sold_at: AT };
    await ingested(lakes, teams, {
      sale: { rows: [Object.values(wrong), ['3', '1', '2', null, AT]] },
      person: { rows: [['3', 'Cat', '99', 's']] },
    });
    const { events } = await transformed(lakes, teams);
    expect(await rejectedRows(lakes, 2)).toEqual([
      {
        table: 'dim_person',
        key: '3',
        column: 'team_name',
        reason: 'refers to no row of team',
        row: { person_id: '3', name: 'Cat', team_id: '99' },
      },
      {
        table: 'fact_sale',
        key: '2',
        column: 'price',
        reason: 'does not fit numeric(10,2): it has more than 2 decimals',
        row: wrong,
      },
    ]);
    expect((await outputRows(lakes, teams, 2, 'fact_sale')).map(([id]) => id)).toEqual([3]);
    expect(events.filter(({ event }) => event === 'warning')).toEqual([
      {
        event: 'warning',
        stage: 'transform',
        batch: 2,
        quarantined: 2,
        message: '2 rows do not fit the model and go to quarantine',
      },
    ]);
    await ingested(lakes, teams, { team: { rows: [['99', 'Green', null, null]] } });
    await transformed(lakes, teams);
    expect(await outputRows(lakes, teams, 3, 'dim_person')).toEqual([[3, 'Cat', 'Green', null]]);
  });
});

/** A batch read by the old declaration, then one by the new. */
async function redeclared(): Promise<Lakes> {
  const lakes = await freshLakes();
  await first(lakes);
  await transformed(lakes, teams);
  await ingested(lakes, teams, { team: { rows: [['8', 'Azure', null, 'Up']] } });
  await ingested(lakes, teamsWithMotto, { team: { rows: [red, ['8', 'Azure', null, 'Up']], whole: 'declaration' } });
  return lakes;
}

describe('a column that is declared later', () => {
  test('makes its dimension wait until a batch brings it, and whole then', async () => {
    const lakes = await redeclared();
    await transformed(lakes, teamsWithMotto);
    const entries = await Promise.all([1, 2, 3].map(async (batch) => processedEntry(lakes, batch)));
    expect(entries.map(({ mirrors }) => mirrors['team']?.columns)).toEqual([
      ['team_id', 'name', 'city'],
      ['team_id', 'name', 'city'],
      ['team_id', 'name', 'motto'],
    ]);
    const [one, two, three] = entries.map(({ outputs }) => outputs['dim_team']);
    expect([two?.hash, two?.whole, two?.rows]).toEqual([one?.hash, false, 0]);
    const spec = teamsWithMotto.dimensions[0];
    expect([three?.hash, three?.whole]).toEqual([spec && outputHash(teamsWithMotto, spec), true]);
    expect(await outputRows(lakes, teamsWithMotto, 3, 'dim_team')).toEqual([
      [7, 'Red', 'Go'],
      [8, 'Azure', 'Up'],
    ]);
    expect(await outputRows(lakes, teamsWithMotto, 3, 'dim_person')).toEqual([
      [1, 'Ann', 'Go'],
      [2, 'Bob', 'Up'],
    ]);
  });

  test('of a new table makes the dimension wait too, though it never had rows', async () => {
    const lakes = await freshLakes();
    await ingested(lakes, teams, { team: { rows: [red] }, sale: { rows: [] } });
    await ingested(lakes, teams, { person: { rows: [ann], whole: 'first read' } });
    await transformed(lakes, teams);
    const [one, two] = [await processedEntry(lakes, 1), await processedEntry(lakes, 2)];
    expect(one.outputs['dim_person']).toEqual({ hash: '', whole: false, rows: 0, parts: [] });
    expect(two.outputs['dim_person']).toMatchObject({ whole: true, rows: 1 });
  });

  test('is not taken from a batch that has a few rows only', async () => {
    const lakes = await freshLakes();
    await ingested(lakes, teams, { team: { rows: [red] }, sale: { rows: [] } });
    await ingested(lakes, teams, { person: { rows: [ann], whole: null } });
    await ingested(lakes, teams, { person: { rows: [ann, bob], whole: 'declaration' }, team: { rows: [blue] } });
    await transformed(lakes, teams);
    expect((await processedEntry(lakes, 2)).mirrors['person']).toBeUndefined();
    expect(await outputRows(lakes, teams, 3, 'dim_person')).toEqual([
      [1, 'Ann', 'Red', 'Rome'],
      [2, 'Bob', 'Blue', null],
    ]);
  });

  test('of a table that is empty by then leaves no old rows in its mirror', async () => {
    const lakes = await freshLakes();
    await first(lakes);
    await transformed(lakes, teams);
    await ingested(lakes, teamsWithMotto, { team: { rows: [], whole: 'declaration' } });
    await ingested(lakes, teamsWithMotto, { team: { rows: [blue] } });
    await transformed(lakes, teamsWithMotto);
    expect((await processedEntry(lakes, 2)).mirrors['team']).toEqual({
      columns: ['team_id', 'name', 'motto'],
      rows: 0,
      parts: [],
    });
    expect(await outputRows(lakes, teamsWithMotto, 3, 'dim_team')).toEqual([[8, 'Blue', null]]);
  });

  test('is null in the facts of a batch from before', async () => {
    const lakes = await freshLakes();
    const columns = ['sale_id', 'person_id', 'price', 'sold_at'];
    await ingested(lakes, teams, { sale: { columns, rows: [['1', '2', '9.5', AT]] } });
    await transformed(lakes, teams);
    expect(await outputRows(lakes, teams, 1, 'fact_sale')).toEqual([[1, 2, '9.50', null, 19_942, 45_000_000_000]]);
  });
});

describe('a table whose key is another one now', () => {
  const renumbered = table('team', {
    team_id: int(),
    name: text().key(),
    city: text().nullable(),
    motto: text().nullable(),
  });
  const byName = model({
    tables: [renumbered],
    dimensions: [dimension('dim_team', renumbered, { name: key(), team_id: column() })],
    facts: [],
  });
  const byId = model({
    tables: [team],
    dimensions: [dimension('dim_team', team, { team_id: key(), name: column() })],
    facts: [],
  });

  test('gets a new mirror from the batch that reads it whole; the dimension waits till then', async () => {
    const lakes = await freshLakes();
    await ingested(lakes, byId, { team: { rows: [red] } });
    await transformed(lakes, byId);
    await ingested(lakes, byId, { team: { rows: [blue] } });
    await ingested(lakes, byName, { team: { rows: [red, blue], whole: 'declaration' } });
    await transformed(lakes, byName);
    expect((await processedEntry(lakes, 2)).outputs['dim_team']).toMatchObject({ whole: false, rows: 0 });
    expect((await processedEntry(lakes, 2)).mirrors['team']).toMatchObject({ columns: ['team_id', 'name'], rows: 2 });
    expect((await processedEntry(lakes, 3)).mirrors['team']?.columns).toEqual(['name', 'team_id']);
    expect(await outputRows(lakes, byName, 3, 'dim_team')).toEqual([
      ['Red', 7],
      ['Blue', 8],
    ]);
  });

  test('has none where the batch was read before the key was declared', async () => {
    const lakes = await freshLakes();
    await ingested(lakes, byName, {
      team: { columns: TEAM_COLUMNS.filter((name) => name !== 'name'), rows: [['7', null, null]] },
    });
    await transformed(lakes, byName);
    expect((await processedEntry(lakes, 1)).mirrors).toEqual({});
  });
});

test('a fact without its table in the model, or rows of a table that no output reads, make nothing', async () => {
  const lakes = await freshLakes();
  const onlySales = model({ tables: [team], dimensions: [], facts: [] });
  await ingested(lakes, onlySales, { team: { rows: [red] } });
  await transformed(lakes, onlySales);
  const entry = await processedEntry(lakes, 1);
  expect([Object.keys(entry.outputs), entry.mirrors]).toEqual([[QUARANTINE], {}]);
});
