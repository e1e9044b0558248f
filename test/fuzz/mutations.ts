/** A valid document of JSON with one thing wrong in it. */

import fc from 'fast-check';
import { hostileNames, hostileValues } from './hostile.ts';

/** What is put into a lake in place of a document. */
export interface Mutated {
  /** What was done to it, and where. */
  readonly what: string;
  readonly path: readonly string[];
  readonly bytes: Buffer;
}

type Path = readonly string[];
type Member = readonly [key: string, json: string];
/** What becomes of a member: nothing, another one, two of them. */
type Change = (key: string, value: unknown) => readonly Member[];

const json = (value: unknown): string => JSON.stringify(value) ?? 'null';

/** Of everything in a document: members of objects and elements of arrays. */
function pathsOf(value: unknown, path: Path = []): readonly Path[] {
  if (typeof value !== 'object' || value === null) return path.length === 0 ? [] : [path];
  const inner = Object.entries(value).flatMap(([key, held]: [string, unknown]) => pathsOf(held, [...path, key]));
  return path.length === 0 ? inner : [path, ...inner];
}

/** As text: no JavaScript object has a key twice. */
function edited(value: unknown, [key, ...rest]: Path, change: Change): string {
  if (typeof value !== 'object' || value === null || key === undefined) return json(value);
  const members = Object.entries(value).flatMap(([name, held]: [string, unknown]): readonly Member[] => {
    if (name !== key) return [[name, json(held)]];
    return rest.length === 0 ? change(name, held) : [[name, edited(held, rest, change)]];
  });
  if (Array.isArray(value)) return `[${members.map(([, held]) => held).join(',')}]`;
  return `{${members.map(([name, held]) => `${json(name)}:${held}`).join(',')}}`;
}

interface NamedChange {
  readonly what: string;
  readonly change: Change;
}

const became = (by: unknown): NamedChange => ({ what: `became ${json(by).slice(0, 90)}`, change: (key) => [[key, json(by)]] });

const changes: fc.Arbitrary<NamedChange> = fc.oneof(
  { weight: 6, arbitrary: hostileValues.map(became) },
  { weight: 2, arbitrary: fc.constant({ what: 'is gone', change: () => [] }) },
  { weight: 2, arbitrary: fc.constant({ what: 'is there twice', change: (key: string, value: unknown) => [[key, json(value)] as const, [key, json(value)] as const] }) },
  { weight: 1, arbitrary: hostileValues.map((by) => ({ what: `is there again as ${json(by).slice(0, 80)}`, change: (key: string, value: unknown) => [[key, json(value)] as const, [key, json(by)] as const] })) },
  { weight: 2, arbitrary: hostileNames.map((name) => ({ what: `is called ${json(name).slice(0, 80)}`, change: (_key: string, value: unknown) => [[name, json(value)] as const] })) },
  { weight: 1, arbitrary: hostileNames.map((name) => ({ what: `has ${json(name).slice(0, 80)} beside it`, change: (key: string, value: unknown) => [[key, json(value)] as const, [name, json(value)] as const] })) },
  { weight: 3, arbitrary: fc.integer({ min: -2, max: 2 }).map((by) => ({ what: `is off by ${by}`, change: (key: string, value: unknown) => [[key, json(offBy(value, by))] as const] })) },
);

/** A number, the last digit of a text, the case of its letters. */
function offBy(value: unknown, by: number): unknown {
  if (typeof value === 'number') return value + by;
  if (typeof value === 'boolean') return !value;
  if (typeof value !== 'string') return null;
  if (by === 0) return value.toUpperCase();
  return value.replace(/\d(?=\D*$)/, (digit) => String((Number(digit) + 10 + by) % 10));
}

type Rough = (bytes: Buffer) => Buffer;

/** Of the bytes, whatever they say. */
const rough: fc.Arbitrary<readonly [string, Rough]> = fc.oneof(
  fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }).map((where) => ['was cut off', (bytes: Buffer) => bytes.subarray(0, where * bytes.length)] as const),
  fc.constantFrom(
    ['has a byte order mark', (bytes: Buffer) => Buffer.concat([Buffer.from('\ufeff'), bytes])] as const,
    ['is UTF-16', (bytes: Buffer) => Buffer.from(bytes.toString(), 'utf16le')] as const,
    ['is there twice', (bytes: Buffer) => Buffer.concat([bytes, bytes])] as const,
    ['has a stray byte', (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -3), Buffer.from([0xff]), bytes.subarray(-3)])] as const,
    ['ends in NULs', (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(100)])] as const,
    ['is empty', () => Buffer.alloc(0)] as const,
    ['is an array of itself', (bytes: Buffer) => Buffer.from(`[${bytes.toString()}]`)] as const,
    ['is nested a million deep', () => Buffer.alloc(1_000_000, '[')] as const,
    ['is nested in a member', (bytes: Buffer) => Buffer.from(bytes.toString().replace(/}\s*$/, `,"x":${'{"x":'.repeat(5000)}1${'}'.repeat(5001)}`))] as const,
  ),
);

/** A document that says nothing of one thing. */
export function without(document: unknown, path: Path): Mutated {
  return { what: `${path.join('.')} is gone`, path, bytes: Buffer.from(edited(document, path, () => [])) };
}

/** A document with one thing wrong. @param keys Of objects that are there, and may be named in the wrong place. */
export function mutationsOf(document: unknown, keys: Iterable<string> = []): fc.Arbitrary<Mutated> {
  const bytes = Buffer.from(json(document));
  const paths = pathsOf(document);
  const at = ([path, { what, change }]: readonly [Path, NamedChange]): Mutated => {
    return { what: `${path.join('.')} ${what}`, path, bytes: Buffer.from(edited(document, path, change)) };
  };
  // Most of what there is lies deep: tables and outputs as such would hardly be tried.
  const shallow = paths.filter((path) => path.length <= 2);
  const one = fc.tuple(fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...paths) }, { weight: 1, arbitrary: fc.constantFrom(...shallow) }), changes).map(at);
  const named = paths.filter((path) => path.at(-1) === 'key').flatMap((path) => [...keys].map((key) => at([path, became(key)])));
  const whole = rough.map(([what, damage]) => ({ what, path: [], bytes: damage(bytes) }));
  const other = hostileValues.map((value) => ({ what: `is ${json(value).slice(0, 80)}`, path: [], bytes: Buffer.from(json(value)) }));
  const misnamed = named.length === 0 ? [] : [{ weight: 2, arbitrary: fc.constantFrom(...named) }];
  return fc.oneof(...misnamed, { weight: 20, arbitrary: one }, { weight: 3, arbitrary: whole }, { weight: 1, arbitrary: other });
}
