import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { bytesOf } from '../../src/shared/lake/read.ts';
import { columnCells } from '../../src/shared/parquet/cells.ts';
import { decodeParquet } from '../../src/shared/parquet/parquet.ts';
import { PartWriter, rowsOf } from '../../src/transform/parts.ts';
import { rejectCells } from '../../src/transform/reject.ts';
import { freshLakes, type Lakes } from '../support/batches.ts';
import { heapMegabytes } from '../support/heap.ts';

const TEXT = { kind: 'text' } as const;
const COLUMNS = [
  { name: 'id', type: { kind: 'int' }, nullable: false },
  { name: 'note', type: TEXT, nullable: true },
] as const;

async function written(lakes: Lakes, rows: number, note: string): Promise<readonly (readonly [number, number])[]> {
  const writer = new PartWriter(lakes.processed, COLUMNS, (part) => `data/p/${rows}/part-${part}.parquet`);
  for (let id = 0; id < rows; id += 1) {
    writer.add([id, note]);
    if (writer.full) await writer.flush();
  }
  const parts = await writer.close();
  expect(rowsOf(parts)).toBe(rows);
  const sizes: (readonly [number, number])[] = [];
  for (const part of parts) {
    const bytes = await bytesOf(lakes.processed, part.key);
    expect([part.key, bytes.length]).toEqual([`data/p/${rows}/part-${sizes.length}.parquet`, part.bytes]);
    const ids = columnCells(await decodeParquet(part.key, bytes, part.rows), 'id', { kind: 'int' });
    sizes.push([Number(ids?.[0]), Number(ids?.at(-1))]);
  }
  return sizes;
}

test('rows are cut into parts of 65,536, in their order', async () => {
  const lakes = await freshLakes();
  expect(await written(lakes, 65_536, '')).toEqual([[0, 65_535]]);
  expect(await written(lakes, 131_073, 'x')).toEqual([
    [0, 65_535],
    [65_536, 131_071],
    [131_072, 131_072],
  ]);
});

test('long texts make a part full sooner: at 32 Mi characters', async () => {
  const lakes = await freshLakes();
  expect(await written(lakes, 10, 'x'.repeat(8 * 2 ** 20))).toEqual([
    [0, 3],
    [4, 7],
    [8, 9],
  ]);
});

test('no rows are no part', async () => {
  const lakes = await freshLakes();
  expect(await written(lakes, 0, '')).toEqual([]);
});

test('a cell that a row lacks is null', async () => {
  const { processed } = await freshLakes();
  const writer = new PartWriter(processed, COLUMNS, () => 'data/p/short.parquet');
  writer.add([1]);
  const [part] = await writer.close();
  const table = await decodeParquet('k', await bytesOf(processed, part?.key ?? ''), 1);
  expect(columnCells(table, 'note', TEXT)).toEqual([null]);
});

test('a rejected row keeps its source row as JSON', () => {
  const row = { a: 'it is "so"', b: null };
  expect(rejectCells({ table: 'fact_sale', key: null, column: 'price', reason: 'is null', row })).toEqual([
    'fact_sale',
    null,
    'price',
    'is null',
    '{"a":"it is \\"so\\"","b":null}',
  ]);
});

test('a part does not keep the chunks that its texts came in', async () => {
  const lakes = await freshLakes();
  const writer = new PartWriter(lakes.processed, COLUMNS, (part) => `data/p/0/part-${part}.parquet`);
  const before = heapMegabytes();
  for (let id = 0; id < 200; id += 1) {
    const chunk = `a text of some length ${id}|${'x'.repeat(250_000)}`.toUpperCase();
    writer.add([id, chunk.slice(0, chunk.indexOf('|'))]);
  }
  // 50 MB went through.
  expect(heapMegabytes() - before).toBeLessThan(10);
  expect(rowsOf(await writer.close())).toBe(200);
});

test('when one part cannot be written, the others have come to their end before anybody hears of it', async () => {
  const open = new Set<string>();
  const put = async (key: string): Promise<number> => {
    if (key.endsWith('-0')) throw new Error('the disk is full');
    open.add(key);
    await sleep(50);
    open.delete(key);
    return 1;
  };
  const writer = new PartWriter({ put }, COLUMNS, (part) => `part-${part}`);
  const all = async (): Promise<void> => {
    for (let part = 0; part < 4; part += 1) {
      writer.add([part, 'note']);
      await writer.flush();
    }
  };
  await expect(all()).rejects.toThrow('the disk is full');
  expect([...open]).toEqual([]);
  await expect(writer.close()).rejects.toThrow('the disk is full');
});
