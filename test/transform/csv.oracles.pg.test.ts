import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { to as copyTo } from 'pg-copy-streams';
import { describe, expect, it } from 'vitest';
import { DirectoryLake } from '../../src/local/directory-lake.ts';
import { decodeCsv } from '../../src/transform/csv.ts';
import { recordsIn } from './records.ts';
import { chunked, type CsvCell, csvText } from '../support/csv.ts';
import { csvOf, openDuck } from '../support/duckdb.ts';
import { connectTo, temporaryDirectory, testServer } from '../support/postgres.ts';

const unit = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom('"', ',', '\n', '\r', '\\', '.', '\t', ' ', 'a', 'é', '日', '🧵', '\u0001', '\ufeff'),
  },
  {
    weight: 1,
    arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }).filter((character) => character !== '\0'),
  },
);
const cell = fc.oneof(
  fc.constant(null),
  fc.constantFrom('', '\\.', '\\N', 'NULL', '""'),
  fc.string({ unit, maxLength: 8 }),
);
const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 6 });

const tableOf = (width: number): fc.Arbitrary<CsvCell[][]> =>
  fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 60 });

async function decoded(bytes: Uint8Array, cuts: readonly number[]): Promise<readonly (readonly CsvCell[])[]> {
  const records: (readonly CsvCell[])[] = [];
  for await (const block of decodeCsv('k', chunked(bytes, cuts))) records.push(...recordsIn(block));
  return records;
}

/** The rows as the JSON of an array of objects, so that PostgreSQL itself writes all of the CSV. */
function asJson(rows: readonly (readonly CsvCell[])[]): string {
  return JSON.stringify(rows.map((row) => Object.fromEntries(row.map((value, at) => [`c${at}`, value]))));
}

describe('CSV', () => {
  it.each([1, 3])('that PostgreSQL wrote, of %i columns, is read as it was in the table', async (width) => {
    const client = await connectTo(testServer.superuserUrl('postgres'));
    const columns = Array.from({ length: width }, (_, at) => `c${at}`);
    await client.query(
      `create temporary table source (at serial, ${columns.map((name) => `${name} text`).join(', ')})`,
    );
    const select = `select ${columns.join(', ')} from source order by at`;
    await fc.assert(
      fc.asyncProperty(tableOf(width), sizes, async (rows, cuts) => {
        await client.query('truncate source');
        await client.query(
          `insert into source (${columns.join(', ')}) select ${columns.join(', ')}
         from json_populate_recordset(null::source, $1)`,
          [asJson(rows)],
        );
        const bytes = await buffer(client.query(copyTo(`copy (${select}) to stdout (format csv, header)`)));
        expect(await decoded(bytes, cuts)).toEqual(rows);
        expect(bytes.toString()).toBe(csvText(columns, rows));
      }),
      { numRuns: 60 },
    );
  });

  it('is read as DuckDB reads it', async () => {
    const directory = await temporaryDirectory();
    const lake = new DirectoryLake(directory);
    const duck = await openDuck();
    const columns = ['a', 'b', 'c'];
    await fc.assert(
      fc.asyncProperty(tableOf(3), sizes, async (generated, cuts) => {
        // DuckDB's client for Node takes a byte order mark off the front of every value.
        const rows = generated.map((row) => row.map((value) => value?.replaceAll('\ufeff', '') ?? null));
        const bytes = Buffer.from(csvText(columns, rows));
        await writeFile(join(directory, 'f.csv'), bytes);
        const read = await duck.rows(
          `select * from ${csvOf(lake, [{ key: 'f.csv', rows: rows.length, bytes: bytes.length }], columns)}`,
        );
        expect(await decoded(bytes, cuts)).toEqual(read);
      }),
      { numRuns: 60 },
    );
  });
});
