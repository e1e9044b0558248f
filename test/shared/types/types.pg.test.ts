import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sqlType } from '../../../src/load/schema/ddl.ts';
import { formatCell, parseCell, typeName } from '../../../src/shared/types/codecs.ts';
import { type Cell, type ColumnType, Unfit } from '../../../src/shared/types/type.ts';
import { cellsOf, TYPES } from '../../support/cells.ts';
import { connectTo, testServer } from '../../support/postgres.ts';

const SETTINGS = `set timezone = 'UTC'; set datestyle = 'ISO'; set extra_float_digits = 1`;

async function session() {
  const client = await connectTo(testServer.superuserUrl('postgres'));
  await client.query(SETTINGS);
  return client;
}

/** What PostgreSQL writes when it has read these texts as values of a type; null where it refuses. */
async function throughPostgres(type: ColumnType, texts: readonly string[]): Promise<readonly (string | null)[]> {
  const client = await session();
  const { rows } = await client.query<{ text: string | null }>(
    `select case when pg_input_is_valid(t, $2) then (t::${sqlType(type)})::text end as text
     from unnest($1::text[]) with ordinality u (t, at) order by at`,
    [texts, sqlType(type)],
  );
  return rows.map((row) => row.text);
}

const part = (min: number, max: number, width: number): fc.Arbitrary<string> =>
  fc.integer({ min, max }).map((value) => String(value).padStart(width, '0'));

const daysOrNot = fc
  .tuple(part(0, 5_000, 4), part(1, 12, 2), part(1, 31, 2), fc.constantFrom('', ' BC'))
  .map(([year, month, day, era]) => `${year}-${month}-${day}${era}`);

/** Doubles and booleans have several spellings each; the session's settings leave one of all others. */
const SPELT_ALIKE = TYPES.filter(({ kind }) => kind !== 'double' && kind !== 'boolean');

describe('PostgreSQL', () => {
  it.each(TYPES)('reads what $kind writes, and writes it so that it is read as the same', async (type) => {
    const cells = fc.sample(cellsOf(type), 400);
    const texts = cells.map((cell) => formatCell(type, cell) ?? '');
    const answers = await throughPostgres(type, texts);
    expect(answers.map((text) => parseCell(type, text))).toEqual(cells);
  });

  it.each(SPELT_ALIKE)('writes $kind as it is written here', async (type) => {
    const texts = fc.sample(cellsOf(type), 400).map((cell) => formatCell(type, cell) ?? '');
    expect(await throughPostgres(type, texts)).toEqual(texts);
  });

  it('has the same days before Christ and long after us', async () => {
    const client = await session();
    const days = fc.sample(cellsOf({ kind: 'date' }), 1_000).map(Number);
    const { rows } = await client.query<{ text: string }>(
      `select (date '1970-01-01' + d)::text as text from unnest($1::int[]) with ordinality u (d, at) order by at`,
      [days],
    );
    expect(rows.map((row) => row.text)).toEqual(days.map((day) => formatCell({ kind: 'date' }, day)));
  });

  it('refuses the days that are refused here', async () => {
    const type: ColumnType = { kind: 'date' };
    const texts = [...fc.sample(daysOrNot, 1_000), '0000-01-01', '4714-11-23 BC', '5874898-01-01', '2023-02-29'];
    const answers = await throughPostgres(type, texts);
    expect(answers.map((answer) => answer === null)).toEqual(
      texts.map((each) => parseCell(type, each) instanceof Unfit),
    );
  });

  it('says of a decimal that it does not fit exactly where that is said here, but for rounding', async () => {
    const type: ColumnType = { kind: 'numeric', digits: { precision: 6, scale: 2 } };
    const texts = fc
      .sample(fc.tuple(fc.integer({ min: -100_000, max: 100_000 }), fc.nat(3)), 500)
      .map(([value, decimals]) => (value / 10 ** decimals).toFixed(decimals));
    const client = await session();
    const { rows } = await client.query<{ same: boolean; text: string }>(
      `select t::numeric = round(t::numeric, 2) and abs(t::numeric) < 10000 as same, round(t::numeric, 2)::text as text
       from unnest($1::text[]) with ordinality u (t, at) order by at`,
      [texts],
    );
    const expected: readonly Cell[] = rows.map(({ same, text }) => (same ? text : null));
    const cells = texts.map((text) => parseCell(type, text));
    expect(cells.map((cell) => (cell instanceof Unfit ? null : cell))).toEqual(expected);
    expect(typeName(type)).toBe('numeric(6,2)');
  });
});
