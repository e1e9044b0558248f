import type { FileColumn, FilledColumn } from '../../src/shared/parquet/arrow.ts';
import { columnBuffer } from '../../src/shared/parquet/columns.ts';
import { encodeParquet } from '../../src/shared/parquet/parquet.ts';
import type { Cell } from '../../src/shared/types/type.ts';

/** A Parquet file of cells: `cells[c][r]` is row r of column c. */
export async function encodeCells(
  columns: readonly FileColumn[],
  cells: readonly (readonly Cell[])[],
  rows: number,
): Promise<Uint8Array> {
  return encodeParquet(filled(columns, cells, rows));
}

function filled(
  columns: readonly FileColumn[],
  cells: readonly (readonly Cell[])[],
  rows: number,
): readonly FilledColumn[] {
  return columns.map(({ name, type, nullable }, column) => {
    const buffer = columnBuffer(type);
    buffer.grow(rows);
    for (let row = 0; row < rows; row += 1) buffer.set(row, cells[column]?.[row] ?? null);
    return { name, type, nullable, values: buffer.take(rows) };
  });
}
