import fc from 'fast-check';
import type pg from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { cellColumn } from '../../src/load/binary-columns.ts';
import type { ColumnBatch } from '../../src/load/binary-copy.ts';
import { WAREHOUSE_SETTINGS } from '../../src/load/session.ts';
import { copyRows, createStaging, STAGED } from '../../src/load/staging.ts';
import { close, connect, inTransaction } from '../../src/shared/postgres/client.ts';
import { formatCell, parseCell } from '../../src/shared/types/codecs.ts';
import { type Cell, type ColumnType, Unfit } from '../../src/shared/types/type.ts';
import { afterwards, freshDatabase } from '../support/postgres.ts';

const numeric: ColumnType = { kind: 'numeric', digits: null };
const money: ColumnType = { kind: 'numeric', digits: { precision: 10, scale: 2 } };

let client: pg.Client;
beforeAll(async () => {
  client = await connect('warehouse', await freshDatabase('binary'), WAREHOUSE_SETTINGS);
  afterwards(async () => close(client));
});

interface Cells {
  /** `cells[c][r]`. */
  readonly cells: readonly (readonly Cell[])[];
  readonly rows: number;
}

async function* batchesOf(types: readonly ColumnType[], batches: readonly Cells[]): AsyncGenerator<ColumnBatch> {
  for (const { cells, rows } of batches) yield { columns: types.map((type, at) => cellColumn(type, cells[at] ?? [])), rows };
}

/** Copies columns of the given types in, batch by batch, and reads every value back as PostgreSQL's text. */
async function throughServer(
  types: readonly ColumnType[],
  batches: readonly Cells[],
): Promise<(string | null)[][]> {
  const columns = types.map((type, at) => ({ name: `c${at}`, type }));
  return inTransaction(client, 'begin', async () => {
    await createStaging(client, STAGED, columns);
    const rows = batches.reduce((sum, batch) => sum + batch.rows, 0);
    expect(await copyRows(client, STAGED, columns, batchesOf(types, batches), 'test')).toBe(rows);
    const names = columns.map(({ name }) => `${name}::text`).join(', ');
    const result = await client.query<(string | null)[]>({
      text: `select ${names} from ${STAGED} order by ctid`,
      rowMode: 'array',
    });
    return result.rows;
  });
}

async function columnThroughServer(type: ColumnType, cells: readonly Cell[]): Promise<(string | null)[]> {
  return (await throughServer([type], [{ cells: [cells], rows: cells.length }])).map((row) => row[0] ?? null);
}

function cellOf(type: ColumnType, text: string | null): Cell {
  const cell = parseCell(type, text);
  if (cell instanceof Unfit) throw new Error(`${text} ${cell.reason}`);
  return cell;
}

test.each<[string, ColumnType, readonly (string | null)[]]>([
  ['an int', { kind: 'int' }, ['0', '1', '-1', '2147483647', '-2147483648', null]],
  [
    'a bigint',
    { kind: 'bigint' },
    ['0', '-1', '9223372036854775807', '-9223372036854775808', '9007199254740993', null],
  ],
  [
    'a double',
    { kind: 'double' },
    ['0', '-0', '0.1', '-1.5', '1e+100', '5e-324', '1.7976931348623157e+308', 'NaN', 'Infinity', '-Infinity', null],
  ],
  ['a boolean', { kind: 'boolean' }, ['true', 'false', null]],
  [
    'a date',
    { kind: 'date' },
    [
      '1970-01-01',
      '1969-12-31',
      '2000-01-01',
      '1999-12-31',
      '2024-02-29',
      '0001-01-01',
      '0001-12-31 BC',
      '0044-03-15 BC',
      '4714-11-24 BC',
      '5874897-12-31',
      null,
    ],
  ],
  ['a time', { kind: 'time' }, ['00:00:00', '00:00:00.000001', '12:34:56.789', '23:59:59.999999', '24:00:00', null]],
  [
    'a timestamp',
    { kind: 'timestamp' },
    [
      '1970-01-01 00:00:00',
      '1969-12-31 23:59:59.999999',
      '2000-01-01 00:00:00',
      '1999-12-31 23:59:59.999999',
      '1900-01-01 00:00:00.5',
      '2024-08-07 12:00:00.123456',
      '0044-03-15 12:00:00 BC',
      '4714-11-24 00:00:00 BC',
      '290000-01-01 00:00:00',
      null,
    ],
  ],
  [
    'a timestamptz',
    { kind: 'timestamptz' },
    ['1969-12-31 23:59:59.999999+00', '2024-08-07 12:00:00+00', '0044-03-15 12:00:00+00 BC', null],
  ],
  [
    'a text',
    { kind: 'text' },
    [
      '',
      ' ',
      'plain',
      '\\N',
      '\\.',
      '"a","b"',
      'tab\tline\nreturn\r',
      'Ünïcode 漢字 👩‍👩‍👧 \u{10ffff}',
      '\u0001\u007f',
      null,
    ],
  ],
  [
    'a numeric',
    numeric,
    [
      '0',
      '0.00',
      '1',
      '-1',
      '9999',
      '10000',
      '10001',
      '0.1',
      '0.0001',
      '0.00001',
      '-0.00001',
      '100000000',
      '12345.6789',
      '1.50',
      '-99999999999999999999.99999999999999999999',
      `1${'0'.repeat(100)}`,
      `0.${'0'.repeat(99)}1`,
      'NaN',
      'Infinity',
      '-Infinity',
      null,
    ],
  ],
  ['a numeric(10,2)', money, ['0.00', '99999999.99', '-99999999.99', '0.01', '-0.10', '10000.00', null]],
])('%s reads back as it was', async (_, type, texts) => {
  expect(
    await columnThroughServer(
      type,
      texts.map((text) => cellOf(type, text)),
    ),
  ).toEqual(texts);
});

const digits = (minLength: number, maxLength: number) =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength, maxLength }).map((all) => all.join(''));

const decimal = fc.tuple(fc.boolean(), digits(1, 60), digits(0, 60)).map(([negative, whole, fraction]) => {
  const text = `${whole.replace(/^0+(?=\d)/, '')}${fraction === '' ? '' : `.${fraction}`}`;
  return negative && /[1-9]/.test(text) ? `-${text}` : text;
});

test('every numeric of up to 120 digits reads back as it was', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(decimal, { minLength: 1, maxLength: 200 }), async (texts) => {
      expect(
        await columnThroughServer(
          numeric,
          texts.map((text) => cellOf(numeric, text)),
        ),
      ).toEqual(texts);
    }),
    { numRuns: 25 },
  );
});

test('every int, bigint, double, date, time and timestamp reads back as it was', async () => {
  const cells: readonly [ColumnType, fc.Arbitrary<Cell>][] = [
    [{ kind: 'int' }, fc.integer()],
    [{ kind: 'bigint' }, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
    [{ kind: 'double' }, fc.double().filter((value) => Math.abs(value) < 1e15 && Math.abs(value) > 1e-4)],
    [{ kind: 'date' }, fc.integer({ min: -2_440_588, max: 2_145_042_541 })],
    [{ kind: 'time' }, fc.integer({ min: 0, max: 86_400_000_000 })],
    [{ kind: 'timestamp' }, fc.bigInt({ min: -210_000_000_000_000_000n, max: 9_223_371_331_199_999_999n })],
  ];
  const types = cells.map(([type]) => type);
  const row = fc.tuple(...cells.map(([, arbitrary]) => fc.option(arbitrary, { freq: 9 })));
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 100 }), async (rows) => {
      const batch = { cells: types.map((_, column) => rows.map((each) => each[column] ?? null)), rows: rows.length };
      const expected = rows.map((each) => types.map((type, column) => formatCell(type, each[column] ?? null)));
      expect(await throughServer(types, [batch])).toEqual(expected);
    }),
    { numRuns: 25 },
  );
});

test('rows of any length arrive whole, across chunks and in rows larger than one', async () => {
  const lengths = [
    0, 1, 262_100, 262_143, 262_144, 262_145, 327_640, 327_679, 327_680, 327_681, 1_000_000, 3, 5_000_000, 0,
  ];
  const texts = lengths.map((length, at) => String.fromCodePoint(97 + at).repeat(length));
  const wide = 'é漢👍'.repeat(60_000);
  const ints = [...texts, wide].map((_, at) => at);
  const found = await throughServer(
    [{ kind: 'int' }, { kind: 'text' }],
    [{ cells: [ints, [...texts, wide]], rows: ints.length }],
  );
  expect(found.map((row) => row[1] === [...texts, wide][Number(row[0])])).toEqual(ints.map(() => true));
});

test('batches follow each other, none of them and empty ones are no matter, and a missing column is null', async () => {
  const types: readonly ColumnType[] = [{ kind: 'int' }, { kind: 'text' }];
  expect(await throughServer(types, [])).toEqual([]);
  const batches = [
    { cells: [[], []], rows: 0 },
    { cells: [[1], ['a']], rows: 1 },
    { cells: [[2, 3], []], rows: 2 },
  ];
  expect(await throughServer(types, batches)).toEqual([
    ['1', 'a'],
    ['2', null],
    ['3', null],
  ]);
});

test('a hundred thousand rows arrive, each once', async () => {
  const rows = 100_000;
  const cells = [Array.from({ length: rows }, (_, at) => at), Array.from({ length: rows }, (_, at) => `row ${at}`)];
  const found = await throughServer([{ kind: 'int' }, { kind: 'text' }], [{ cells, rows }]);
  expect(found.every((row, at) => row[0] === `${at}` && row[1] === `row ${at}`)).toBe(true);
});
