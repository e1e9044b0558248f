import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { boolean, type Column, bigint, date as dateColumn, double, int, numeric, text, time, timestamp, timestamptz } from '../../src/shared/model/column.ts';
import { column, date, datePart, type Expression, key, timePart } from '../../src/shared/model/expression.ts';
import { fact } from '../../src/shared/model/fact.ts';
import { table, type TableSpec } from '../../src/shared/model/table.ts';
import type { FactSpec } from '../../src/shared/model/fact.ts';
import { arrowTable } from '../../src/shared/parquet/arrow.ts';
import { columnCells } from '../../src/shared/parquet/cells.ts';
import type { ColumnBuffer } from '../../src/shared/parquet/column-buffer.ts';
import { columnBuffer } from '../../src/shared/parquet/columns.ts';
import { formatCell } from '../../src/shared/types/codecs.ts';
import type { Cell } from '../../src/shared/types/type.ts';
import { type CsvBlock, decodeCsv } from '../../src/transform/csv.ts';
import { FactMaker } from '../../src/transform/fact.ts';
import type { Reject } from '../../src/transform/reject.ts';
import { cellsOf } from '../support/cells.ts';
import { chunked, type CsvCell, csvText } from '../support/csv.ts';
import { factSale, sale } from '../support/teams.ts';

type Rows = readonly (readonly CsvCell[])[];

async function blockOf(header: readonly string[], rows: Rows): Promise<CsvBlock> {
  const blocks = decodeCsv('k', chunked(Buffer.from(csvText(header, rows)), [1 << 20]));
  for await (const block of blocks) return block;
  throw new Error('no records');
}

/** A maker and the columns that it fills. */
function making({ spec }: { spec: FactSpec }, source: TableSpec, header: readonly string[], rows: number) {
  const buffers = spec.columns.map(({ type }) => columnBuffer(type));
  for (const buffer of buffers) buffer.grow(rows);
  return { maker: new FactMaker(spec, source, header, buffers), cells: (made: number) => cellsIn(spec, buffers, made) };
}

function cellsIn(spec: FactSpec, buffers: readonly ColumnBuffer[], rows: number): readonly (readonly Cell[])[] {
  const whole = arrowTable(
    spec.columns.flatMap((column, at) => {
      const values = buffers[at]?.take(rows);
      return values ? [{ ...column, values }] : [];
    }),
  );
  const columns = spec.columns.map(({ name, type }) => columnCells(whole, name, type) ?? []);
  return Array.from({ length: rows }, (_, row) => columns.map((cells) => cells[row] ?? null));
}

/** What becomes of one record, by itself. */
async function made(record: readonly CsvCell[], header: readonly string[] = HEADER): Promise<readonly Cell[] | Reject> {
  const { maker, cells } = making(factSale, sale.spec, header, 1);
  const block = await blockOf(header, [record]);
  block.next();
  return maker.make(block, 0) ?? cells(1)[0] ?? [];
}

const HEADER = Object.keys(sale.spec.columns);
const SOLD_AT = '2024-08-07 12:30:00.5';

describe('a fact row', () => {
  test('has the cells of its declared columns, in their order', async () => {
    expect(await made(['1', '2', '3.5', 't', SOLD_AT])).toEqual([1, 2, '3.50', true, 19_942, 45_000_500_000]);
    expect(await made(['1', '2', '3.5', null, SOLD_AT])).toEqual([1, 2, '3.50', null, 19_942, 45_000_500_000]);
  });

  test('is read by the header, wherever the columns stand in it', async () => {
    const mixed = ['sold_at', 'unknown', 'price', 'sale_id', 'paid', 'person_id'];
    expect(await made([SOLD_AT, '?', '3.5', '1', 'f', '2'], mixed)).toEqual([1, 2, '3.50', false, 19_942, 45_000_500_000]);
  });

  test('has null for a column that was declared after the batch was read, even if it may not be null', async () => {
    const old = ['sale_id', 'paid', 'sold_at'];
    expect(await made(['1', 't', SOLD_AT], old)).toEqual([1, null, null, true, 19_942, 45_000_500_000]);
  });
});

describe('a row that does not fit', () => {
  test.each([
    ['price', '3.999', 'does not fit numeric(10,2): it has more than 2 decimals'],
    ['price', null, 'is null'],
    ['person_id', 'x', 'is not a 32-bit integer'],
    ['sale_id', null, 'is null'],
  ])('because of %s is kept whole, as it was read', async (name, value, reason) => {
    const record = ['1', '2', '3.5', null, SOLD_AT];
    record[HEADER.indexOf(name)] = value;
    const row = Object.fromEntries(HEADER.map((each, at) => [each, record[at]]));
    expect(await made(record)).toEqual({ table: 'fact_sale', key: record[0], column: name, reason, row });
  });

  test('because of its time names the column that shows it', async () => {
    expect(await made(['1', '2', '3.5', null, 'infinity'])).toMatchObject({ column: 'sold_date', reason: 'is infinite' });
  });

  test('has no key where the batch has none', async () => {
    expect(await made(['x'], ['price'])).toMatchObject({ key: null, column: 'price', row: { price: 'x' } });
  });
});

test('a table that lacks what the model has checked is a bug', () => {
  expect(() => making(factSale, { ...sale.spec, columns: {} }, HEADER, 1)).toThrow('passed the checks of the model');
});

/** A source table with a column of every kind, and a fact with all that can be made of it. */
const COLUMNS: Readonly<Record<string, Column>> = {
  int: int().nullable(), bigint: bigint().nullable(), double: double().nullable(), text: text().nullable(),
  boolean: boolean().nullable(), numeric: numeric().nullable(), priced: numeric(6, 2).nullable(), date: dateColumn().nullable(),
  time: time().nullable(), at: timestamp().nullable(), zoned: timestamptz().nullable(), dated: text().nullable(),
};
const everything = table('everything', { id: int().key(), ...COLUMNS });
const EXPRESSIONS: Readonly<Record<string, Expression>> = {
  int: column(), wide: column('int').as(bigint()), bigint: column(), double: column(), text: column(),
  boolean: column(), numeric: column(), price: column('numeric').as(numeric(10, 2)), huge: column('numeric').as(numeric(38, 4)),
  whole: column('numeric').as(numeric(5, 0)), priced: column(), date: column(), time: column(), at: column(), zoned: column(),
  day: datePart('at'), clock: timePart('at'), zoned_day: datePart('zoned'), dated: date('dated'),
};
/** As PostgreSQL would write it, and now and then as it would not, or as the type cannot hold it. */
function fieldOf(name: string): fc.Arbitrary<CsvCell> {
  const spec = everything.spec.columns[name];
  if (!spec || name === 'id') return fc.integer({ min: 0, max: 2 ** 31 - 1 }).map(String);
  const written = name === 'dated' ? cellsOf({ kind: 'date' }).map((day) => formatCell({ kind: 'date' }, day)) : cellsOf(spec.type).map((cell) => formatCell(spec.type, cell));
  const nearly = fc.tuple(written, fc.nat(30), fc.constantFrom('', '0', '-', '.', ':', ' ', '9', '+', 'é', '"'));
  const damaged = nearly.map(([value, at, by]) => `${(value ?? '').slice(0, at)}${by}${(value ?? '').slice(at + 1)}`);
  const usual = fc.constantFrom('1', '-1', '0', '12.5', '-0.00', '007', 't', 'f', '2024-02-29', '2023-02-29', '0000-01-01', '12:30:00', '24:00:00',
    '2024-08-07 12:30:00', '2024-08-07 12:30:00.123456', '2024-08-07 24:00:00', '1969-12-31 23:59:59.999999', '2024-08-07 12:30:00.', 'infinity', '44-03-15 BC', '99999.99', '1e5');
  return fc.oneof({ weight: 6, arbitrary: written }, { weight: 1, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: damaged }, { weight: 2, arbitrary: usual });
}

describe('records that are read field by field', () => {
  test.each(Object.keys(EXPRESSIONS))('give what each gives by itself, up to one that gives none (%s)', async (name) => {
    const expression = EXPRESSIONS[name];
    const shown = expression === undefined ? {} : { [name]: expression };
    const one = fact('fact_one', everything, { recordKey: 'record_id' }, { id: key(), ...shown });
    const source = one.spec.columns[1]?.origin.column ?? '';
    let made = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fieldOf(source), { minLength: 1, maxLength: 8 }), fc.boolean(), async (values, isLast) => {
        const header = isLast ? ['id', source] : [source, 'id'];
        const rows = values.map((value, id) => (isLast ? [String(id), value] : [value, String(id)]));
        const [fast, plain] = [making(one, everything.spec, header, 8), making(one, everything.spec, header, 8)];
        const single = await blockOf(header, rows);
        let fitting = 0;
        while (single.next() && plain.maker.make(single, fitting) === null) fitting += 1;
        const block = await blockOf(header, rows);
        expect(fast.maker.makeAll(block, 0, 8)).toBe(fitting);
        expect(fast.cells(fitting)).toEqual(plain.cells(fitting));
        expect([block.records, block.next()]).toEqual([fitting, fitting < values.length]);
        made += fitting;
      }),
      { numRuns: 400 },
    );
    expect(made).toBeGreaterThan(100);
  });

  test('are no more than were asked for, into the rows that were said', async () => {
    const block = await blockOf(HEADER, [1, 2, 3, 4].map((id) => [String(id), '2', '3.5', null, SOLD_AT]));
    const { maker, cells } = making(factSale, sale.spec, HEADER, 4);
    expect([maker.makeAll(block, 1, 2), maker.makeAll(block, 0, 1), maker.makeAll(block, 3, 9)]).toEqual([2, 1, 1]);
    expect(cells(4).map(([id]) => id)).toEqual([3, 1, 2, 4]);
  });
});

test('a fact may show an instant in every way, and a field more than once', async () => {
  const shown = { day: datePart('at'), clock: timePart('at'), at: column(), again: datePart('at'), id_too: column('id').as(bigint()) };
  for (const names of [['day', 'clock', 'at'], ['day', 'clock', 'at', 'again'], ['clock', 'id_too'], ['at']] as const) {
    const columns = Object.fromEntries(names.map((name) => [name, shown[name]]));
    const many = fact('fact_many', everything, { recordKey: 'record_id' }, { id: key(), ...columns });
    const rows = [['7', '2024-08-07 12:30:00.5'], ['8', '1969-12-31 23:59:59.999999'], ['9', null]];
    const [fast, plain] = [making(many, everything.spec, ['id', 'at'], 3), making(many, everything.spec, ['id', 'at'], 3)];
    const block = await blockOf(['id', 'at'], rows);
    for (let row = 0; block.next(); row += 1) expect(plain.maker.make(block, row)).toBeNull();
    expect(fast.maker.makeAll(await blockOf(['id', 'at'], rows), 0, 3)).toBe(3);
    expect(fast.cells(3)).toEqual(plain.cells(3));
  }
});
