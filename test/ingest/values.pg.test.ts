import { beforeAll, describe, expect, test } from 'vitest';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import { bigint, boolean, date, double, int, numeric, text, time, timestamp } from '../../src/shared/model/column.ts';
import { timestamptz } from '../../src/shared/model/column.ts';
import { table } from '../../src/shared/model/table.ts';
import { harness, sourceServer } from './harness.ts';
import { roleUrl } from './roles.ts';

let server: Cluster;
beforeAll(async () => {
  server = await sourceServer();
});

const WORDS = [
  `null`, `''`, `' '`, `'"'`, `'""'`, `','`, `E'\\n'`, `E'\\r\\n'`, `E'a\\nb'`, `E'\\t'`, `'\\.'`, `'\\N'`, `'NULL'`,
  `'a,"b"'`, `E'"\\n"'`, `'O''Brien, "Bob"'`, `'žluťoučký kůň'`, `'日本語'`, `'👩‍👩‍👧'`, `U&'\\FEFFbom'`,
  `E'\\x01'`, `repeat('x', 100000)`, `repeat('"', 70000)`, `repeat(E'\\n', 70000)`, `'=1+1'`, `'00123'`,
];

const VALUES = {
  small: ['-2147483648', '2147483647', '0'],
  big: ['-9223372036854775808', '9223372036854775807', '9007199254740993'],
  exact: [
    `'1234567890123456789012345678901234567890.000000000000000000000000000001'`,
    `'-0.10'`, `'NaN'`, `'Infinity'`, '1e-20',
  ],
  ratio: [`'0.1'::float8 + 0.2`, `'-0'`, `'NaN'`, `'-Infinity'`, '5e-324', '1.7976931348623157e308'],
  yes: ['true', 'false'],
  day: [`'0044-03-15 BC'`, `'4713-01-01 BC'`, `'5874897-12-31'`, `'infinity'`, `'-infinity'`, `'2024-02-29'`],
  clock: [`'00:00'`, `'24:00'`, `'23:59:59.999999'`],
  naive: [`'2024-08-07 12:00:00.000001'`, `'0001-01-01 00:00:00.5 BC'`, `'infinity'`, `'294276-12-31 23:59:59.999999'`],
  moment: [`'2024-08-07 12:00:00.123456+05:45'`, `'0044-03-15 12:00:00+00 BC'`, `'-infinity'`],
} as const;

const everything = table('everything', {
  id: int().key(),
  word: text().nullable(),
  small: int().nullable(),
  big: bigint().nullable(),
  exact: numeric().nullable(),
  ratio: double().nullable(),
  yes: boolean().nullable(),
  day: date().nullable(),
  clock: time().nullable(),
  naive: timestamp().nullable(),
  moment: timestamptz().nullable(),
  raw: text().nullable(),
  span: text().nullable(),
  list: text().nullable(),
  json: text().nullable(),
});

const SCHEMA = `create table everything (id int generated always as identity, word text, small int, big bigint,
  exact numeric, ratio float8, yes boolean, day date, clock time, naive timestamp, moment timestamptz, raw bytea,
  span interval, list text[], json jsonb)`;

const UTC = `set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres'`;

describe('a value', () => {
  test('of any type is in the CSV exactly as PostgreSQL writes it, and null is not the empty string', async () => {
    const source = await harness(server, SCHEMA, everything);
    for (const word of WORDS) await source.sql.query(`insert into everything (word) values (${word})`);
    for (const [column, literals] of Object.entries(VALUES)) {
      for (const literal of literals) await source.sql.query(`insert into everything (${column}) values (${literal})`);
    }
    await source.sql.query(`insert into everything (raw, span, list, json)
      values ('\\x000102ff', '-1 year 2 days -03:04:05.000006', array['a,b', null, '"', ''],
        '{"a": [1, "\\"", null]}')`);
    await source.sql.query(UTC);
    const columns = everything.spec.columns;
    const select = Object.keys(columns).map((column) => `${column}::text`).join(', ');
    const { rows } = await source.sql.query(`select ${select} from everything order by everything.id`);
    await source.rows();
    const records = (await source.records(1, 'everything')).toSorted((a, b) => Number(a['id']) - Number(b['id']));
    expect(rows.length).toBeGreaterThan(50);
    expect(records).toEqual(rows.map((row: object) => ({ ...row, ...yesOf(row) })));
  });
});

/** Where `::text` of a boolean spells it out, COPY writes one letter. */
function yesOf(row: object): { readonly yes: string | null } {
  const yes = 'yes' in row ? row.yes : null;
  return { yes: typeof yes === 'string' ? yes.slice(0, 1) : null };
}

describe('a name', () => {
  const HOSTILE = [
    'a b', 'a"b', `it's`, 'SELECT', 'Größe', '日本', 'a;drop table x', 'a\\b', '%s', '$1', 'a,b', 'a\nb', '--',
  ];

  test.each(HOSTILE)('such as %j is none that would be in the way, of a table or a column', async (name) => {
    const quoted = `"${name.replaceAll('"', '""')}"`;
    const declared = table(name, { [name]: int().key(), 'Other "one"': text() });
    const source = await harness(server, `
      create table ${quoted} (${quoted} int, "Other ""one""" text); insert into ${quoted} values (1, 'x')`, declared);
    expect(await source.rows()).toEqual({ [name]: 1 });
    expect(await source.records(1, name)).toEqual([{ [name]: '1', 'Other "one"': 'x' }]);
    await source.sql.query(`insert into ${quoted} values (2, 'y')`);
    expect(await source.rows()).toEqual({ [name]: 1 });
    const columns = { [name]: int().key(), 'Other "one"': text() };
    source.declare(table(name, columns, { kind: 'cursor', column: name, overlap: 0 }));
    expect(await source.rows()).toEqual({ [name]: 2 });
    expect(await source.rows()).toBeNull();
  });

  test('of a schema may be as it likes too, and 63 bytes long', async () => {
    const long = 'ž'.repeat(31) + 'x';
    const declared = table(long, { id: int().key() });
    const source = await harness(server, `create schema "O'S ""x"""; create table "O'S ""x"""."${long}" (id int);
      insert into "O'S ""x"""."${long}" values (1)`, declared);
    const sourceUrl = await roleUrl(source, `grant usage on schema "O'S ""x""" to`, `grant select on "O'S ""x"""."${long}" to`);
    expect(await source.rows({ sourceSchema: `O'S "x"`, sourceUrl })).toEqual({ [long]: 1 });
  });

  test('in capitals is another one than that in small letters', async () => {
    const [small, large] = [table('item', { id: int().key() }), table('Item', { id: int().key() })];
    const source = await harness(server, `create table item (id int); create table "Item" (id int);
      insert into item values (1); insert into "Item" values (2), (3)`, small, large);
    expect(await source.rows()).toEqual({ item: 1, Item: 2 });
    expect(await source.records(1, 'Item')).toEqual([{ id: '2' }, { id: '3' }]);
  });

  test('of each of very many columns may be long: the header is then more than one piece', async () => {
    const names = Array.from({ length: 1200 }, (_, at) => `column_${String(at).padStart(4, '0')}`.padEnd(63, '_'));
    const columns = Object.fromEntries(names.map((name, at) => [name, at === 0 ? int().key() : int()]));
    const source = await harness(server, `create table wide (${names.map((name) => `${name} int`).join(', ')})`,
      table('wide', columns));
    expect(await source.rows()).toEqual({ wide: 0 });
    expect(await source.objects()).toEqual([]);
    await source.sql.query(`insert into wide values (${names.map((_, at) => at).join(', ')})`);
    expect(await source.rows()).toEqual({ wide: 1 });
    expect((await source.records(2, 'wide'))[0]).toEqual(Object.fromEntries(names.map((name, at) => [name, `${at}`])));
  });
});
