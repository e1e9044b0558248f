import { makeData } from 'apache-arrow';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { arrowColumn, cellColumn, constantColumn } from '../../src/load/binary-columns.ts';
import { encodeBinary } from '../../src/load/binary-copy.ts';
import type { BinaryColumn } from '../../src/load/binary-rows.ts';
import { arrowType } from '../../src/shared/parquet/arrow.ts';
import { columnBuffer } from '../../src/shared/parquet/columns.ts';
import { typeName } from '../../src/shared/types/codecs.ts';
import type { Cell, ColumnType } from '../../src/shared/types/type.ts';
import { cellsOf, TYPES } from '../support/cells.ts';

async function chunksOf(columns: readonly BinaryColumn[], rows: number): Promise<readonly Buffer[]> {
  const chunks: Buffer[] = [];
  const batches = (async function* () {
    yield { columns, rows };
  })();
  for await (const chunk of encodeBinary(batches, () => false)) chunks.push(chunk);
  return chunks;
}

async function bytesOf(columns: readonly BinaryColumn[], rows: number): Promise<Buffer> {
  return Buffer.concat(await chunksOf(columns, rows));
}

/** As Parquet would hold it. */
function held(type: ColumnType, cells: readonly Cell[]): BinaryColumn {
  const buffer = columnBuffer(type);
  buffer.grow(cells.length);
  for (const [row, cell] of cells.entries()) buffer.set(row, cell);
  const data = makeData({ type: arrowType(type), ...buffer.take(cells.length) });
  return arrowColumn(data, type) ?? cellColumn(type, cells);
}

const scaled = (precision: number, scale: number): ColumnType => ({ kind: 'numeric', digits: { precision, scale } });
const ALL: readonly ColumnType[] = [...TYPES, scaled(4, 4), scaled(9, 0), scaled(15, 3), scaled(18, 8), scaled(20, 9)];

test.each(ALL.map((type) => [typeName(type), type] as const))(
  'a column of %s has the same bytes column-wise as cell by cell, with nulls and without',
  async (_name, type) => {
    const cell = fc.option(cellsOf(type), { freq: 6 });
    const columns = fc.oneof(fc.array(cell, { maxLength: 40 }), fc.array(cellsOf(type), { maxLength: 40 }));
    await fc.assert(
      fc.asyncProperty(columns, async (cells) => {
        const beside = cellColumn({ kind: 'text' }, cells.map((_, at) => 'x'.repeat(at % 5)));
        const plain = await bytesOf([beside, cellColumn(type, cells)], cells.length);
        expect(await bytesOf([beside, held(type, cells)], cells.length)).toEqual(plain);
      }),
      { numRuns: 200 },
    );
  },
);

test('values next to where numbers stop to be exact, and decimals to have another group, are no other', async () => {
  for (const scale of [0, 1, 2, 3, 4, 5, 8]) {
    const type = scaled(38, scale);
    const whole = [0n, 1n, 9_999n, 10_000n, 99_999_999n, 100_000_000n, 10n ** 12n, 10n ** 15n, 2n ** 53n, 2n ** 64n, 10n ** 30n];
    const cells = whole.flatMap((value) => [value - 1n, value, value + 1n]).flatMap((value) => [value, -value]).map((value) => decimal(value, scale));
    expect(await bytesOf([held(type, cells)], cells.length)).toEqual(await bytesOf([cellColumn(type, cells)], cells.length));
  }
});

function decimal(unscaled: bigint, scale: number): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return unscaled < 0n ? `-${text}` : text;
}

test('a chunk has no more than half a megabyte, unless a single row does', async () => {
  const text = { kind: 'text' } as const;
  const longest = 1_000_000;
  const cells = Array.from({ length: 5_000 }, (_, at) => String(at % 10).repeat(at === 3_000 ? longest : at));
  const lengths: number[][] = [];
  for (const column of [held(text, cells), cellColumn(text, cells)]) {
    const chunks = await chunksOf([column, constantColumn(7n)], cells.length);
    lengths.push(chunks.map(({ length }) => length));
    const [all, one] = [Buffer.concat(chunks), await Promise.all(cells.map(async (cell) => rowOf(cellColumn(text, [cell]))))];
    expect(all.subarray(HEADER_BYTES, -TRAILER_BYTES).equals(Buffer.concat(one))).toBe(true);
  }
  expect(lengths[0]).toEqual(lengths[1]);
  expect(lengths[0]?.filter((length) => length > 512 * 1024)).toEqual([longest + 18]);
});

const [HEADER_BYTES, TRAILER_BYTES] = [19, 2];

async function rowOf(column: BinaryColumn): Promise<Buffer> {
  return (await bytesOf([column, constantColumn(7n)], 1)).subarray(HEADER_BYTES, -TRAILER_BYTES);
}

test('a constant is the same in every row, over several chunks', async () => {
  for (const value of [0n, 1n, -1n, 2n ** 40n, -(2n ** 40n)]) {
    const rows = 5_000;
    const cells = Array.from({ length: rows }, () => value);
    expect(await bytesOf([constantColumn(value)], rows)).toEqual(await bytesOf([cellColumn({ kind: 'bigint' }, cells)], rows));
  }
});
