import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { PipelineError } from '../../src/shared/errors.ts';
import { decodeCsv } from '../../src/transform/csv.ts';
import { chunked, type CsvCell, csvText } from '../support/csv.ts';
import { recordsIn } from './records.ts';

const KEY = 'data/staff/00000000000000000001/a/part-0.csv';

async function decoded(bytes: Uint8Array, sizes: readonly number[]): Promise<readonly (readonly CsvCell[])[]> {
  const records: (readonly CsvCell[])[] = [];
  let header: readonly CsvCell[] | null = null;
  for await (const block of decodeCsv(KEY, chunked(bytes, sizes))) {
    header = block.header;
    records.push(...recordsIn(block));
  }
  return header === null ? records : [header, ...records];
}

async function refusal(text: string | Uint8Array, sizes: readonly number[] = [7]): Promise<PipelineError> {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  const error: unknown = await decoded(bytes, sizes).then(
    () => 'it was accepted',
    (reason: unknown) => reason,
  );
  if (error instanceof PipelineError) return error;
  throw error;
}

const nasty = fc.string({
  maxLength: 6,
  unit: fc.constantFrom('"', ',', '\n', '\r', '\\', '.', 'a', 'é', '日', '🧵', '\ufeff', ' '),
});
const cell = fc.oneof(
  { weight: 1, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.constant('') },
  { weight: 4, arbitrary: nasty },
);
const tables = fc
  .integer({ min: 1, max: 4 })
  .chain((width) => fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 12 }));
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 });

describe('records', () => {
  test('come back as they were, wherever the chunks are cut', async () => {
    await fc.assert(
      fc.asyncProperty(tables, sizes, async (rows, cuts) => {
        const header = (rows[0] ?? []).map((_, at) => `c${at}`);
        const read = await decoded(Buffer.from(csvText(header, rows)), cuts);
        expect(read).toEqual([header, ...rows]);
      }),
      { numRuns: 500 },
    );
  });

  test('keep NULL and the empty string apart at every place', async () => {
    const text = 'a,b,c\n,"",\n"",,""\n"","",""\n,,\n';
    const rows = [
      [null, '', null],
      ['', null, ''],
      ['', '', ''],
      [null, null, null],
    ];
    for (const size of [1, 2, 3, 100])
      expect(await decoded(Buffer.from(text), [size])).toEqual([['a', 'b', 'c'], ...rows]);
    expect(await decoded(Buffer.from('a\n\n""\n\n'), [1])).toEqual([['a'], [null], [''], [null]]);
  });

  test('keep white space, quotes in quotes, line ends and a byte order mark', async () => {
    const text = '\ufeffa,b\n x ,"""\r\n"""\n"\\.",\\N\n';
    expect(await decoded(Buffer.from(text), [1])).toEqual([
      ['\ufeffa', 'b'],
      [' x ', '"\r\n"'],
      ['\\.', '\\N'],
    ]);
  });

  test('may have names with commas and line ends in their header', async () => {
    expect(await decoded(Buffer.from('"a,b","c\nd"\n1,2\n'), [2])).toEqual([
      ['a,b', 'c\nd'],
      ['1', '2'],
    ]);
  });

  test('are none where there is nothing, or a header alone', async () => {
    expect(await decoded(Buffer.from(''), [1])).toEqual([]);
    expect(await decoded(Buffer.from('a,b\n'), [1])).toEqual([]);
  });
});

async function* broken(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('a\n1\n');
  throw new PipelineError('lake_unavailable', 'gone');
}

describe('what no COPY has written', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['cut off inside a field', 'a,b\n1,2\n3,se', `record 2 of ${KEY} is cut off`],
    ['cut off inside a quoted field', 'a,b\n1,"se\n', `record 1 of ${KEY} is cut off`],
    ['cut off behind a closing quote', 'a,b\n1,"secret"', `record 1 of ${KEY} is cut off`],
    ['cut off behind a comma', 'a,b\n1,2\n3,', `record 2 of ${KEY} is cut off`],
    ['cut off before the last line end', 'a,b\n1,2\n3,4', `record 2 of ${KEY} is cut off`],
    ['cut off inside the header', 'a,sec', `the header of ${KEY} is cut off`],
    ['too narrow', 'a,b\n1,2\nsecret\n', `record 2 of ${KEY} has 1 fields, the header has 2`],
    ['too wide', 'a,b\n1,2,secret\n', `record 1 of ${KEY} has 3 fields, the header has 2`],
    ['blank', 'a,b\n1,2\n\n', `record 2 of ${KEY} has 1 fields, the header has 2`],
    ['quoted in the middle of a field', 'a,b\n1,2\n3,se"cret"\n', `record 2 of ${KEY} has a quote out of place`],
    ['going on behind a closing quote', 'a,b\n"1"secret,2\n', `record 1 of ${KEY} has a quote out of place`],
    ['with a carriage return behind a quote', 'a,b\n"1","2"\r\n', `record 1 of ${KEY} has a quote out of place`],
    ['with line ends of another system', 'a,b\r\n1,2\r\n', `the header of ${KEY} has a carriage return outside quotes`],
    ['with a carriage return in a field', 'a,b\n1,se\rcret\n', `record 1 of ${KEY} has a carriage return outside quotes`],
    ['quoted in the middle of the header', 'a"secret\n', `the header of ${KEY} has a quote out of place`],
  ];

  test.each(cases)('is corrupt: %s', async (_what, text, message) => {
    for (const size of [1, 2, 5, 1_000]) {
      const error = await refusal(text, [size]);
      expect([error.kind, error.message, error.context]).toEqual(['lake_corrupt', message, { key: KEY }]);
      expect(error.message).not.toContain('se');
    }
  });

  test.each([
    ['a stray byte', [0x61, 0x0a, 0xff, 0x0a]],
    ['half a character', [0x61, 0x0a, 0xe6, 0x97]],
    ['an encoded surrogate', [0x61, 0x0a, 0xed, 0xa0, 0x80, 0x0a]],
  ])('is corrupt: not UTF-8 for %s', async (_what, bytes) => {
    for (const size of [1, 100]) {
      expect(await refusal(Uint8Array.from(bytes), [size])).toMatchObject({
        kind: 'lake_corrupt',
        message: `${KEY} is not UTF-8`,
      });
    }
  });

  test('is corrupt: a NUL, which no text of PostgreSQL holds, in quotes or out of them', async () => {
    for (const text of ['a\nse\0cret\n', 'a\n"\0"\n', 'a\n1\n\0\0\0', '\0']) {
      expect(await refusal(text, [1])).toMatchObject({ kind: 'lake_corrupt', message: `${KEY} holds a NUL` });
    }
  });

  test('fails with the error of the stream that it reads', async () => {
    await expect(decodeCsv(KEY, broken()).next()).rejects.toMatchObject({ kind: 'lake_unavailable' });
  });
});

/** What makes the cost of a long field quadratic is to put together anew, for every chunk, what was there before. */
test('a field of 20 MB is put together a few times, not once a chunk', async () => {
  const long = '0123456789"\n'.repeat(1_700_000);
  const bytes = Buffer.from(
    csvText(
      ['a', 'b'],
      [
        ['1', long],
        ['2', null],
      ],
    ),
  );
  const join = vi.spyOn(Array.prototype, 'join');
  const records = await decoded(bytes, [65_536]);
  const joined = join.mock.calls.length;
  join.mockRestore();
  expect(records.map((record) => record.map((field) => field?.length))).toEqual([
    [1, 1],
    [1, long.length],
    [1, undefined],
  ]);
  expect(records[1]?.[1] === long).toBe(true);
  expect(bytes.length / 65_536).toBeGreaterThan(300);
  expect(joined).toBeLessThan(30);
});

test('behind a long record blocks are short again', async () => {
  const rows = Array.from({ length: 4_000 }, (_, id) => [String(id), 'y'.repeat(1_000)] as const);
  const bytes = Buffer.from(csvText(['a', 'b'], [['0', 'x'.repeat(5_000_000)], ...rows]));
  const sizes: number[] = [];
  for await (const block of decodeCsv(KEY, chunked(bytes, [65_536]))) {
    sizes.push(block.bytes.length);
    recordsIn(block);
  }
  expect(Math.max(...sizes)).toBe(8 * 1024 * 1024);
  expect(sizes.at(-1)).toBe(1024 * 1024);
});
