import fc from 'fast-check';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { describe, expect, test } from 'vitest';
import { PipelineError } from '../../../src/shared/errors.ts';
import type { FileColumn } from '../../../src/shared/parquet/arrow.ts';
import { columnCells } from '../../../src/shared/parquet/cells.ts';
import { decodeParquet } from '../../../src/shared/parquet/parquet.ts';
import { typeName } from '../../../src/shared/types/codecs.ts';
import type { Cell, ColumnType } from '../../../src/shared/types/type.ts';
import { cellsOf, TYPES } from '../../support/cells.ts';
import { encodeCells } from '../../support/parquet.ts';

/** A column of every type, named after it. */
const COLUMNS: readonly FileColumn[] = TYPES.map((type) => ({ name: typeName(type), type, nullable: true }));

function columnsOfCells(): fc.Arbitrary<readonly (readonly Cell[])[]> {
  return fc
    .integer({ min: 1, max: 40 })
    .chain((length) => fc.tuple(...COLUMNS.map((column) => cellsOfLength(column, length))));
}

function cellsOfLength({ type }: FileColumn, length: number): fc.Arbitrary<Cell[]> {
  return fc.array(fc.option(cellsOf(type), { freq: 4 }), { minLength: length, maxLength: length });
}

function rowCount(cells: readonly (readonly Cell[])[]): number {
  return cells[0]?.length ?? 0;
}

async function encoded(cells: readonly (readonly Cell[])[]): Promise<Uint8Array> {
  return encodeCells(COLUMNS, cells, rowCount(cells));
}

async function refusal(bytes: Uint8Array, rows: number): Promise<PipelineError> {
  const error: unknown = await decodeParquet('data/x.parquet', bytes, rows).then(
    () => 'it was read',
    (reason: unknown) => reason,
  );
  if (error instanceof PipelineError) return error;
  throw error;
}

/** The number of rows that were read, or the kind of error. */
async function outcomeOf(bytes: Uint8Array, rows: number): Promise<unknown> {
  try {
    return (await decodeParquet('k', bytes, rows)).numRows;
  } catch (error) {
    return error instanceof PipelineError ? error.kind : error;
  }
}

function arrayBuffer(bytes: Uint8Array): ArrayBuffer {
  const copy = new ArrayBuffer(bytes.byteLength);
  new Uint8Array(copy).set(bytes);
  return copy;
}

describe('a file', () => {
  test('gives back every cell of every type exactly, and every null', async () => {
    await fc.assert(
      fc.asyncProperty(columnsOfCells(), async (cells) => {
        const table = await decodeParquet('k', await encoded(cells), rowCount(cells));
        const read = COLUMNS.map(({ name, type }) => columnCells(table, name, type));
        expect(read).toEqual(cells);
      }),
      { numRuns: 60 },
    );
  });

  test('may hold no rows, only nulls, and a column that may not be null', async () => {
    const column: FileColumn = { name: 'a', type: { kind: 'text' }, nullable: false };
    const none = await decodeParquet('k', await encodeCells([column], [[]], 0), 0);
    expect(columnCells(none, 'a', column.type) ?? []).toEqual([]);
    const nulls = COLUMNS.map(() => [null, null, null]);
    const table = await decodeParquet('k', await encoded(nulls), 3);
    expect(COLUMNS.map(({ name, type }) => columnCells(table, name, type))).toEqual(nulls);
  });

  test('lacks a column that was declared later', async () => {
    const table = await decodeParquet(
      'k',
      await encodeCells([{ name: 'a', type: { kind: 'int' }, nullable: false }], [[1]], 1),
      1,
    );
    expect(columnCells(table, 'b', { kind: 'int' })).toBeNull();
  });
});

async function reads(from: ColumnType, to: ColumnType, cells: readonly Cell[]): Promise<unknown> {
  const bytes = await encodeCells([{ name: 'a', type: from, nullable: true }], [cells], cells.length);
  return columnCells(await decodeParquet('k', bytes, cells.length), 'a', to);
}

function numeric(precision: number, scale: number): ColumnType {
  return { kind: 'numeric', digits: { precision, scale } };
}

describe('a column whose declared type has changed since the file was written', () => {
  test('is read as the type that it was written with, and then turned into the new one', async () => {
    expect(await reads({ kind: 'int' }, { kind: 'bigint' }, [1, null, -2])).toEqual([1n, null, -2n]);
    expect(await reads({ kind: 'int' }, { kind: 'text' }, [1, null])).toEqual(['1', null]);
    expect(await reads({ kind: 'date' }, { kind: 'text' }, [0])).toEqual(['1970-01-01']);
    expect(await reads({ kind: 'timestamptz' }, { kind: 'text' }, [0n])).toEqual(['1970-01-01 00:00:00+00']);
    expect(await reads({ kind: 'time' }, { kind: 'text' }, [1])).toEqual(['00:00:00.000001']);
    expect(await reads({ kind: 'boolean' }, { kind: 'text' }, [true])).toEqual(['t']);
    expect(await reads({ kind: 'double' }, { kind: 'text' }, [0.5])).toEqual(['0.5']);
    expect(await reads(numeric(10, 2), numeric(12, 4), ['1.50', null])).toEqual(['1.5000', null]);
    expect(await reads(numeric(10, 2), { kind: 'numeric', digits: null }, ['1.50'])).toEqual(['1.50']);
    expect(await reads({ kind: 'numeric', digits: null }, numeric(10, 2), ['1.5', null])).toEqual(['1.50', null]);
  });

  test('is never cut to fit, and the value is not told', async () => {
    const error: unknown = await reads(numeric(10, 2), numeric(10, 1), ['1.23']).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ kind: 'model_mismatch', context: { column: 'a' } });
    expect(String(error)).toContain('written as numeric(10,2)');
    expect(String(error)).not.toContain('1.23');
  });
});

describe('another reader', () => {
  test('finds the logical types, statistics of the key and of days, and one row group of SNAPPY in the footer', async () => {
    const cells = COLUMNS.map(({ type }) => fc.sample(cellsOf(type), { numRuns: 20, seed: 7 }));
    const metadata = parquetMetadata(arrayBuffer(await encoded(cells)));
    expect(metadata.num_rows).toBe(20n);
    expect(metadata.created_by).toBe('starling');
    const logical = metadata.schema.slice(1).map(({ logical_type: type }) => type?.type ?? null);
    expect(logical).toEqual([
      null,
      null,
      null,
      'STRING',
      null,
      'DATE',
      'TIME',
      'TIMESTAMP',
      'TIMESTAMP',
      'STRING',
      'DECIMAL',
      'DECIMAL',
      'DECIMAL',
    ]);
    expect(metadata.row_groups).toHaveLength(1);
    for (const { meta_data: column } of metadata.row_groups[0]?.columns ?? []) {
      const name = column?.path_in_schema.join();
      const isRanged = name === 'int' || name === 'date';
      expect([name, column?.codec, column?.statistics?.null_count]).toEqual([name, 'SNAPPY', isRanged ? 0n : undefined]);
      // Arrow keeps bounds for what has an order in both old readers and new.
      const { min_value: least, max_value: most } = column?.statistics ?? {};
      expect([name, least !== undefined, most !== undefined]).toEqual([name, isRanged, isRanged]);
    }
  });

  test('reads the same cells', async () => {
    const parsers = { timestampFromMicroseconds: (micros: bigint) => micros, dateFromDays: (days: number) => days };
    const columns = COLUMNS.filter(({ type }) => type.kind !== 'numeric' || !type.digits);
    await fc.assert(
      fc.asyncProperty(columnsOfCells(), async (cells) => {
        const file = arrayBuffer(await encoded(cells));
        const rows = await parquetReadObjects({ file, parsers, columns: columns.map(({ name }) => name) });
        for (const { name, type } of columns) {
          const expected = cells[COLUMNS.findIndex((column) => column.name === name)];
          const read = rows.map((row): unknown => row[name] ?? null);
          expect(type.kind === 'time' ? read.map((micros) => (micros === null ? null : Number(micros))) : read).toEqual(
            expected,
          );
        }
      }),
      { numRuns: 20 },
    );
  });
});

describe('bytes that are no such file', () => {
  test('are corrupt where there is another number of rows than the entry says', async () => {
    const bytes = await encodeCells([{ name: 'a', type: { kind: 'int' }, nullable: false }], [[1, 2]], 2);
    const error = await refusal(bytes, 3);
    expect([error.kind, error.message]).toEqual([
      'lake_corrupt',
      'data/x.parquet holds 2 rows, but its log entry says 3',
    ]);
  });

  test('are corrupt: nothing, garbage, half a file', async () => {
    const whole = await encoded(COLUMNS.map(({ type }) => fc.sample(cellsOf(type), { numRuns: 50, seed: 3 })));
    const broken = [
      new Uint8Array(),
      Buffer.from('PAR1'),
      Buffer.from('PAR1PAR1'),
      Buffer.from('staff_id,first_name\n1,Ann\n'),
      whole.subarray(0, whole.length / 2),
      whole.subarray(whole.length / 2),
      whole.subarray(4),
    ];
    for (const bytes of broken) {
      expect(await refusal(bytes, 50)).toMatchObject({ kind: 'lake_corrupt', context: { key: 'data/x.parquet' } });
    }
  });

  test('are corrupt where they are overwritten, or still hold all rows; the next file is read still', async () => {
    const whole = await encoded(COLUMNS.map(({ type }) => fc.sample(cellsOf(type), { numRuns: 50, seed: 3 })));
    const place = fc.integer({ min: 0, max: whole.length - 8 });
    await fc.assert(
      fc.asyncProperty(place, fc.uint8Array({ minLength: 8, maxLength: 8 }), async (at, noise) => {
        const bytes = Uint8Array.from(whole);
        bytes.set(noise, at);
        expect(await outcomeOf(bytes, 50)).toBeOneOf([50, 'lake_corrupt']);
      }),
      { numRuns: 200 },
    );
    expect((await decodeParquet('k', whole, 50)).numRows).toBe(50);
  });
});
