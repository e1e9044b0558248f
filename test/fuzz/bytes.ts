/** CSV as no COPY would write it, and as it would, with damage. */

import fc from 'fast-check';
import { chunked, type CsvCell } from '../support/csv.ts';

/** An object of bytes, and the columns that it is read into: `c0`, `c1` … */
export interface CsvBytes {
  readonly bytes: Buffer;
  readonly columns: readonly string[];
}

const utf8 = (text: string): Buffer => Buffer.from(text, 'utf8');

/** What a CSV parser may stumble over. */
const TOKENS: readonly Buffer[] = [
  ...['"', '""', '"""', ',', '\n', '\r', '\r\n', '\n\r', '\\.', '\n\\.\n', '\\N', 'NULL', ' ', '\t', 'a', '0', "'", ';'].map(utf8),
  ...['é', '日', '🧵', '\ufeff', '\u2028', '\u0085', '\u0001', '\u007f', '\uffff', '\0', '"a"', ',"",', '"\n"'].map(utf8),
  // Stray and missing continuations, overlong forms, surrogates, what is above Unicode, UTF-16's own mark.
  ...[[0x80], [0xff], [0xc3], [0xe6, 0x97], [0xf0, 0x9f, 0xa7], [0xc0, 0x80], [0xc0, 0xaf], [0xe0, 0x80, 0xaf]].map((bytes) => Buffer.from(bytes)),
  ...[[0xed, 0xa0, 0x80], [0xed, 0xbf, 0xbf], [0xf4, 0x90, 0x80, 0x80], [0xfe, 0xff], [0xff, 0xfe]].map((bytes) => Buffer.from(bytes)),
];

const headerOf = (width: number): string[] => Array.from({ length: width }, (_, at) => `c${at}`);

const plain = fc.string({ maxLength: 6, unit: fc.constantFrom('"', ',', '\n', '\r', '\\', '.', 'a', 'é', '日', '🧵', ' ') });
/** Not made smaller when it fails: that would be tried a thousand times. */
const long = fc.noShrink(
  fc.tuple(fc.constantFrom('x', 'é', '"', '\n', '🧵', '",'), fc.constantFrom(70, 3000, 70_000)),
).map(([unit, times]) => unit.repeat(times));

export const cells: fc.Arbitrary<CsvCell> = fc.oneof(
  { weight: 20, arbitrary: plain },
  { weight: 4, arbitrary: fc.constant(null) },
  { weight: 3, arbitrary: fc.constantFrom('', '\\.', '\\N', 'NULL', '\ufeff') },
  { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 4 }).map((text) => text.replaceAll('\0', '')) },
);

/** Now and then a field of some hundred kilobytes. */
const rowsOf = (width: number): fc.Arbitrary<CsvCell[][]> =>
  fc
    .tuple(
      fc.array(fc.array(cells, { minLength: width, maxLength: width }), { maxLength: 6 }),
      fc.option(long, { freq: 80 }),
    )
    .map(([rows, huge]) => (huge === null ? rows : [...rows, Array.from({ length: width }, (_, at) => (at === 0 ? huge : 'x'))]));

/** PostgreSQL's dialect, with quotes also where it would set none: `quoted` says of which fields. */
function csvWith(header: readonly string[], rows: readonly (readonly CsvCell[])[], quoted: readonly boolean[]): string {
  let at = 0;
  const field = (cell: CsvCell): string => {
    at += 1;
    if (cell === null) return '';
    const must = cell === '' || /[",\r\n]/.test(cell) || cell === '\\.';
    return must || quoted[at % quoted.length] === true ? `"${cell.replaceAll('"', '""')}"` : cell;
  };
  return [header, ...rows].map((row) => `${row.map(field).join(',')}\n`).join('');
}

export interface Table {
  readonly bytes: Buffer;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly CsvCell[])[];
}

const quotings = fc.array(fc.boolean(), { minLength: 1, maxLength: 7 });
const widths = fc.integer({ min: 1, max: 4 });

/** Whole and right. */
export const tables: fc.Arbitrary<Table> = widths.chain((width) =>
  fc.tuple(rowsOf(width), quotings).map(([rows, quoted]) => {
    const columns = headerOf(width);
    return { bytes: utf8(csvWith(columns, rows, quoted)), columns, rows };
  }),
);

type Damage = (bytes: Buffer) => Buffer;

const place = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const at = (bytes: Buffer, where: number): number => Math.floor(where * (bytes.length + 1));
const spliced = (bytes: Buffer, from: number, to: number, by: Buffer): Buffer =>
  Buffer.concat([bytes.subarray(0, from), by, bytes.subarray(to)]);

const damages: fc.Arbitrary<Damage> = fc.oneof(
  place.map((where): Damage => (bytes) => bytes.subarray(0, at(bytes, where))),
  fc.tuple(place, fc.constantFrom(...TOKENS)).map(([where, token]): Damage => (bytes) => spliced(bytes, at(bytes, where), at(bytes, where), token)),
  fc.tuple(place, fc.constantFrom(...TOKENS)).map(([where, token]): Damage => (bytes) => spliced(bytes, at(bytes, where), at(bytes, where) + 1, token)),
  fc.tuple(place, fc.integer({ min: 1, max: 9 })).map(([where, length]): Damage => (bytes) => spliced(bytes, at(bytes, where), at(bytes, where) + length, Buffer.alloc(0))),
  fc.tuple(place, fc.integer({ min: 1, max: 7 })).map(([where, bit]): Damage => (bytes) => flipped(bytes, at(bytes, where), bit)),
  fc.tuple(place, place).map(([from, to]): Damage => (bytes) => spliced(bytes, at(bytes, from), at(bytes, from), bytes.subarray(at(bytes, to), at(bytes, to) + 12))),
);

export function flipped(bytes: Buffer, index: number, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  if (index < copy.length) copy[index] = (copy[index] ?? 0) ^ (1 << bit);
  return copy;
}

const damaged: fc.Arbitrary<CsvBytes> = fc
  .tuple(tables, fc.array(damages, { minLength: 1, maxLength: 3 }))
  .map(([{ bytes, columns }, all]) => ({ columns, bytes: all.reduce((left, damage) => damage(left), bytes) }));

/** Anything behind a right header: what is behind it is more often reached. */
const soup: fc.Arbitrary<CsvBytes> = fc
  .tuple(widths, fc.array(fc.constantFrom(...TOKENS), { maxLength: 14 }), fc.boolean())
  .map(([width, tokens, ends]) => {
    const columns = headerOf(width);
    return { columns, bytes: Buffer.concat([utf8(`${columns.join(',')}\n`), ...tokens, utf8(ends ? '\n' : '')]) };
  });

const rough: fc.Arbitrary<CsvBytes> = fc
  .tuple(widths, fc.uint8Array({ maxLength: 60 }))
  .map(([width, bytes]) => ({ columns: headerOf(width), bytes: Buffer.from(bytes) }));

/** Written by something that thinks in other encodings or line ends. */
const mistaken: fc.Arbitrary<CsvBytes> = fc.tuple(tables, fc.constantFrom('utf16le', 'latin1', 'bom', 'crlf', 'cr')).map(([{ bytes, columns }, how]) => {
  const text = bytes.toString('utf8');
  if (how === 'bom') return { columns, bytes: utf8(`\ufeff${text}`) };
  if (how === 'crlf' || how === 'cr') return { columns, bytes: utf8(text.replaceAll('\n', how === 'cr' ? '\r' : '\r\n')) };
  return { columns, bytes: Buffer.from(text, how === 'latin1' ? 'latin1' : 'utf16le') };
});

export const csvBytes: fc.Arbitrary<CsvBytes> = fc.oneof(
  { weight: 3, arbitrary: soup },
  { weight: 4, arbitrary: damaged },
  { weight: 1, arbitrary: tables },
  { weight: 1, arbitrary: mistaken },
  { weight: 1, arbitrary: rough },
);

/** How long the chunks are, one after the other. */
export const cuts = fc.oneof(
  fc.constant([1]),
  fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 6 }),
  fc.constant([65_536]),
);

/** Chunks of these lengths; of a long object a thousand times these, or there would be a million. */
export function cut(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  return chunked(bytes, bytes.length < 5000 ? sizes : sizes.map((size) => size * 1009));
}
