import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FileColumn } from '../../../src/shared/parquet/arrow.ts';
import { typeName } from '../../../src/shared/types/codecs.ts';
import type { Cell, ColumnType } from '../../../src/shared/types/type.ts';
import { cellsOf, TYPES } from '../../support/cells.ts';
import { literal, openDuck, quoted } from '../../support/duckdb.ts';
import { temporaryDirectory } from '../../support/postgres.ts';
import { encodeCells } from '../../support/parquet.ts';

const DUCK_TYPES = [
  'INTEGER',
  'BIGINT',
  'DOUBLE',
  'VARCHAR',
  'BOOLEAN',
  'DATE',
  'TIME',
  'TIMESTAMP',
  'TIMESTAMP WITH TIME ZONE',
  'VARCHAR',
  'DECIMAL(10,2)',
  'DECIMAL(38,0)',
  'DECIMAL(38,38)',
];

const COLUMNS: readonly FileColumn[] = TYPES.map((type) => ({ name: typeName(type), type, nullable: true }));

/** DuckDB's text of what a cell counts: its own spelling of far dates is not PostgreSQL's. */
function counted({ name, type }: FileColumn): string {
  const column = quoted(name);
  if (type.kind === 'date') return `(${column} - date '1970-01-01')`;
  const micros = type.kind === 'time' || type.kind === 'timestamp' || type.kind === 'timestamptz';
  return micros ? `epoch_us(${column})` : column;
}

const SPECIAL = new Map([
  ['nan', 'NaN'],
  ['inf', 'Infinity'],
  ['-inf', '-Infinity'],
]);

function textOf(type: ColumnType, text: string | null): string | null {
  // A decimal without digits before its point has no zero there either.
  if (type.kind === 'numeric') return text?.replace(/^(-?)\./, '$10.') ?? null;
  if (text === null || type.kind !== 'double') return text;
  return String(Number(SPECIAL.get(text) ?? text));
}

/** DuckDB takes the largest and the smallest instants for infinity. */
function isInfinity(cell: Cell): boolean {
  return typeof cell === 'bigint' && (cell > 2n ** 63n - 3n || cell < 3n - 2n ** 63n);
}

function duckCells({ type }: FileColumn): fc.Arbitrary<Cell> {
  const cell = type.kind === 'text' ? fc.string({ unit: 'grapheme' }) : cellsOf(type);
  return fc.option(
    cell.filter((value) => type.kind === 'bigint' || !isInfinity(value)),
    { freq: 5 },
  );
}

const row = fc.tuple(...COLUMNS.map(duckCells));

test('DuckDB finds the types that the columns have, and the same values', async () => {
  const duck = await openDuck();
  const directory = await temporaryDirectory();
  let files = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 30 }), async (rows) => {
      // DuckDB may keep what it has read of a path.
      const path = join(directory, `${(files += 1)}.parquet`);
      const cells = COLUMNS.map((_, at) => rows.map((each) => each[at] ?? null));
      await writeFile(path, await encodeCells(COLUMNS, cells, rows.length));
      const described = await duck.rows(`select column_type from (describe select * from ${literal(path)})`);
      expect(described.map(([type]) => type)).toEqual(DUCK_TYPES);
      const read = await duck.rows(
        `select ${COLUMNS.map(counted)
          .map((what, at) => `${what} as c${at}`)
          .join(', ')} from ${literal(path)}`,
      );
      const expected = rows.map((each) => each.map((cell) => (cell === null ? null : String(cell))));
      expect(read.map((each) => each.map((text, at) => textOf(TYPES[at] ?? { kind: 'text' }, text)))).toEqual(expected);
    }),
    { numRuns: 25 },
  );
});
