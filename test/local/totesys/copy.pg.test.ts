import { describe, expect, it } from 'vitest';
import { copyRows, type Row } from '../../../src/local/totesys/copy.ts';
import { createTotesys } from '../../../src/local/totesys/schema.ts';
import { count, emptySource } from './sources.ts';

const COLUMNS = 'department_id, department_name, location, manager';

function* many(from: number, to: number): Generator<Row> {
  for (let id = from; id < to; id += 1) yield [id, 'x'.repeat(100), null, null];
}

function* failing(): Generator<Row> {
  yield [1, 'one', null, null];
  throw new Error('out of names');
}

describe('copyRows', () => {
  it('brings every character across, and keeps null and the empty string apart', async () => {
    const { client } = await emptySource();
    await createTotesys(client);
    const names = ['a\tb', 'a\nb', 'a\rb', '\\', '\\N', '\\.', '"', "'", ',', '', 'Ž 日本 🧵'];
    const rows: Row[] = names.map((name, index) => [index, name, null, '']);
    expect(await copyRows(client, { table: 'department', columns: COLUMNS, rows })).toBe(names.length);
    const result = await client.query({
      text: 'select department_name, location, manager from department order by department_id', rowMode: 'array',
    });
    expect(result.rows).toEqual(names.map((name) => [name, null, '']));
  });

  it('copies no rows, and many chunks of them', async () => {
    const { client } = await emptySource();
    await createTotesys(client);
    expect(await copyRows(client, { table: 'department', columns: COLUMNS, rows: many(0, 0) })).toBe(0);
    expect(await copyRows(client, { table: 'department', columns: COLUMNS, rows: many(0, 5_000) })).toBe(5_000);
    expect(await count(client, 'from department')).toBe(5_000);
  });

  it('leaves the connection usable when the server refuses a row, or drawing one fails', async () => {
    const { client } = await emptySource();
    await createTotesys(client);
    const twice: Row[] = [[1, 'one', null, null], [1, 'one', null, null]];
    await expect(copyRows(client, { table: 'department', columns: COLUMNS, rows: twice }))
      .rejects.toMatchObject({ code: '23505' });
    await expect(copyRows(client, { table: 'department', columns: COLUMNS, rows: failing() }))
      .rejects.toThrow('out of names');
    expect(await count(client, 'from department')).toBe(0);
  });
});
