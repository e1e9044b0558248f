import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { DatabaseError, type Client } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { expect, test } from 'vitest';
import { PipelineError } from '../../src/shared/errors.ts';
import { decodeCsv } from '../../src/transform/csv.ts';
import type { CsvCell } from '../support/csv.ts';
import { connectTo, testServer } from '../support/postgres.ts';
import { csvBytes, cut, cuts, tables } from './bytes.ts';
import { fuzz, FUZZ_TIMEOUT_MS } from './fuzzing.ts';
import { recordsIn } from '../transform/records.ts';

type Rows = readonly (readonly CsvCell[])[];

/** What a reader made of some bytes: rows, or why there are none. */
type Read = { readonly rows: Rows } | { readonly refused: string };

const KEY = 'data/t/00000000000000000001/a/part-0.csv';

/** With the header as one of the rows. */
async function decoded(bytes: Uint8Array, sizes: readonly number[]): Promise<Read> {
  const rows: (readonly CsvCell[])[] = [];
  let header: readonly CsvCell[] | null = null;
  try {
    for await (const block of decodeCsv(KEY, cut(bytes, sizes))) {
      header = block.header;
      rows.push(...recordsIn(block));
    }
    return { rows: header === null ? rows : [header, ...rows] };
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    assert.deepEqual([error.kind, error.context], ['lake_corrupt', { key: KEY }]);
    return { refused: error.message };
  }
}

/** PostgreSQL's own reader: a table of texts for every width. */
class Oracle {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  static async open(): Promise<Oracle> {
    const client = await connectTo(testServer.superuserUrl('postgres'));
    for (const width of [1, 2, 3, 4]) {
      const columns = Array.from({ length: width }, (_, at) => `c${at} text`);
      await client.query(`create temporary table t${width} (at serial, ${columns.join(', ')})`);
    }
    return new Oracle(client);
  }

  /** Without the header, which has to name the columns. */
  async read(bytes: Buffer, columns: readonly string[]): Promise<Read> {
    const [table, names] = [`t${columns.length}`, columns.join(', ')];
    await this.#client.query('begin');
    try {
      const copy = this.#client.query(copyFrom(`copy ${table} (${names}) from stdin (format csv, header match)`));
      copy.end(bytes);
      await once(copy, 'finish');
      return { rows: (await this.#client.query<CsvCell[]>({ text: `select ${names} from ${table} order by at`, rowMode: 'array' })).rows };
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      return { refused: error.message };
    } finally {
      await turn();
      await this.#client.query('rollback');
    }
  }
}

/** Short enough to be printed, whatever is in it. */
function told(read: Read): readonly string[] {
  return 'refused' in read ? ['refused'] : read.rows.map((row) => JSON.stringify(row.map((cell) => cell && shortened(cell))));
}

function shortened(cell: string): string {
  return cell.length <= 40 ? cell : `${cell.length} characters, ${createHash('sha256').update(cell).digest('hex')}`;
}

const [QUOTE, LF, CR] = [0x22, 0x0a, 0x0d];

/**
 * What PostgreSQL reads and Starling refuses, each for what no COPY writes: to take it would be to guess what was meant.
 * A predicate on the bytes says that the refusal is for that, and not for something that a COPY could have written.
 */
const STRICTER: readonly (readonly [message: RegExp, is: (bytes: Buffer) => boolean])[] = [
  // The last record may have been longer: only its line end says that it is whole.
  [/ is cut off$/, (bytes) => bytes.at(-1) !== LF],
  // In the middle of a field, or with more of it behind the closing one.
  [/ has a quote out of place$/, (bytes) => bytes.includes(QUOTE)],
  // Line ends as they are on other systems.
  [/ has a carriage return outside quotes$/, (bytes) => bytes.includes(CR)],
];

function expectJustified(bytes: Buffer, refused: string): void {
  const reason = STRICTER.find(([message]) => message.test(refused));
  expect(reason?.[1](bytes), `refused: ${refused}`).toBe(true);
}

test('bytes are read as PostgreSQL reads them, or refused', { timeout: FUZZ_TIMEOUT_MS }, async () => {
  const oracle = await Oracle.open();
  await fuzz('csv: PostgreSQL', fc.tuple(csvBytes, cuts), async ([{ bytes, columns }, sizes]) => {
    const [ours, theirs] = [await decoded(bytes, sizes), await oracle.read(bytes, columns)];
    if ('refused' in ours) {
      if ('rows' in theirs) expectJustified(bytes, ours.refused);
      return;
    }
    const [header, ...rows] = ours.rows;
    // No bytes are no rows; another header than the table's is for whoever knows what the columns should be.
    if (bytes.length === 0 || JSON.stringify(header) !== JSON.stringify(columns)) return;
    expect(told({ rows })).toEqual(told(theirs));
  });
});

test('bytes are read the same wherever they are cut, and what is cut off is never taken for the whole', { timeout: FUZZ_TIMEOUT_MS }, async () => {
  const place = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
  await fuzz('csv: chunks', fc.tuple(csvBytes, cuts, cuts, tables, place), async ([{ bytes }, one, other, whole, where]) => {
    // Which of several faults is told of depends on which is seen first.
    expect(told(await decoded(bytes, one))).toEqual(told(await decoded(bytes, other)));
    const end = Math.floor(where * whole.bytes.length);
    const read = await decoded(whole.bytes.subarray(0, end), one);
    // Cut between two records, it is a shorter table: only the entry's count of rows tells, see the fuzzer of records.
    const length = 'rows' in read ? read.rows.length : 0;
    const expected = /is cut off$|is not UTF-8$/.test('refused' in read ? read.refused : '')
      ? read
      : { rows: [whole.columns, ...whole.rows].slice(0, length) };
    expect(told(read)).toEqual(told(expected));
  });
});
