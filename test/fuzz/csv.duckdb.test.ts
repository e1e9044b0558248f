import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DirectoryLake } from '../../src/local/directory-lake.ts';
import { decodeCsv } from '../../src/transform/csv.ts';
import type { CsvCell } from '../support/csv.ts';
import { csvOf, openDuck } from '../support/duckdb.ts';
import { temporaryDirectory } from '../support/postgres.ts';
import { cut, cuts, tables } from './bytes.ts';
import { fuzz, FUZZ_TIMEOUT_MS } from './fuzzing.ts';
import { recordsIn } from '../transform/records.ts';

/** DuckDB's client for Node takes a byte order mark off the front of every value, and a line has at most 2 MB. */
const comparable = tables.filter(({ bytes }) => bytes.length < 1_000_000 && !bytes.includes('\ufeff'));

test('whole tables are read as DuckDB reads them, quoted where they need not be, and cut anywhere', { timeout: FUZZ_TIMEOUT_MS }, async () => {
  const directory = await temporaryDirectory();
  const lake = new DirectoryLake(directory);
  const duck = await openDuck();
  await fuzz('csv: DuckDB', fc.tuple(comparable, cuts), async ([{ bytes, columns }, sizes]) => {
    await writeFile(join(directory, 'f.csv'), bytes);
    const theirs = await duck.rows(`select * from ${csvOf(lake, [{ key: 'f.csv', rows: 0, bytes: bytes.length }], columns)}`);
    const ours: (readonly CsvCell[])[] = [];
    for await (const block of decodeCsv('f.csv', cut(bytes, sizes))) ours.push(...recordsIn(block));
    expect(ours).toEqual(theirs);
  });
});
