import { describe, expect, test } from 'vitest';
import { totesys } from '../../src/models/totesys/model.ts';
import { currentName, type Model, type OutputSpec } from '../../src/shared/model/model.ts';
import type { FactSpec } from '../../src/shared/model/fact.ts';
import type { ColumnType } from '../../src/shared/types/type.ts';
import type { TextRow } from '../support/processed.ts';
import { freshWarehouse } from './warehouse.ts';

const EXAMPLES: Readonly<Record<ColumnType['kind'], string>> = {
  int: '1',
  bigint: '1',
  double: '1',
  text: 'text',
  boolean: 'f',
  numeric: '1.50',
  date: '2024-08-07',
  time: '09:00:00',
  timestamp: '2024-08-07 09:00:00',
  timestamptz: '2024-08-07 09:00:00+00',
};

/** A row with something in every column; every number is 1. */
function exampleOf({ columns }: OutputSpec): TextRow {
  return Object.fromEntries(columns.map(({ name, type }) => [name, EXAMPLES[type.kind]]));
}

function dimensionReferences({ columns }: FactSpec): readonly { readonly column: string; readonly to: string }[] {
  return columns.flatMap(({ name, references }) =>
    references === null || references === 'dim_date' ? [] : [{ column: name, to: references }],
  );
}

function examples(outputs: Model['dimensions'] | Model['facts']): Readonly<Record<string, readonly TextRow[]>> {
  return Object.fromEntries(outputs.map((output) => [output.name, [exampleOf(output)]]));
}

test('every star takes a first load, a change, and the same again', async () => {
  const warehouse = await freshWarehouse(totesys);
  const facts = examples(totesys.facts);
  await warehouse.batch({ ...examples(totesys.dimensions), ...facts });
  const changed = Object.entries(facts).map(([name, [row]]) => [name, [{ ...row, last_updated_time: '10:00:00' }]]);
  for (let time = 1; time <= 2; time += 1) await warehouse.batch(Object.fromEntries(changed));
  for (const { name } of totesys.facts) {
    const view = name.replace('fact', 'history');
    const history = `select version::int, batch_id::int, changed_columns from ${view} order by 1`;
    expect(await warehouse.rows(history)).toEqual([
      [1, 1, null],
      [2, 2, ['last_updated_time']],
    ]);
  }
  expect(await warehouse.rows('select date_id::text, day_name from dim_date')).toEqual([['2024-08-07', 'Wednesday']]);
});

describe.each(totesys.facts)('$name', (fact) => {
  test('waits for whichever of its dimension rows is missing, and has all of them in the end', async () => {
    const warehouse = await freshWarehouse(totesys);
    const references = dimensionReferences(fact);
    expect(references.length).toBeGreaterThan(3);
    const rows = references.map(({ column }, at) => ({ ...exampleOf(fact), [fact.key]: `${at + 1}`, [column]: '2' }));
    await warehouse.batch({ ...examples(totesys.dimensions), [fact.name]: rows });
    const waiting =
      'select record_key::int, column_name, reason from pipeline.quarantine where released_at is null order by 1';
    expect(await warehouse.rows(waiting)).toEqual(
      references.map(({ column, to }, at) => [at + 1, column, `refers to no row of ${to}`]),
    );
    const seconds = totesys.dimensions.map((dimension) => [
      dimension.name,
      [{ ...exampleOf(dimension), [dimension.key]: '2' }],
    ]);
    await warehouse.batch(Object.fromEntries(seconds));
    expect(await warehouse.rows(waiting)).toEqual([]);
    const current = `select ${fact.key}, batch_id::int from ${currentName(fact)} order by 1`;
    expect(await warehouse.rows(current)).toEqual(references.map((_, at) => [at + 1, 1]));
  });
});
