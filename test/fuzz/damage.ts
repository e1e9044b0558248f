import fc from 'fast-check';
import { flipped } from './bytes.ts';

export interface StoredObject {
  readonly key: string;
  readonly bytes: Buffer;
  /** How many of its first bytes name its columns: nothing in them can change unnoticed. */
  readonly head?: number;
}

export interface DamagedObject extends StoredObject {
  readonly what: string;
  /** As it was. */
  readonly whole: Buffer;
  /** Nothing in an object says that a bit within a value was another: that is for the store, which keeps sums of what it stores. */
  readonly isNoticed: boolean;
}

/** An object cut off, with bits turned over, with other bytes in it, or replaced by something else. */
export function damagedObjects({ key, bytes: whole, head = 0 }: StoredObject, others: readonly StoredObject[]): fc.Arbitrary<DamagedObject> {
  const place = fc.integer({ min: 0, max: whole.length - 1 });
  const strangers = others.filter((other) => other.key !== key);
  const isRenamed = (bytes: Buffer): boolean => !bytes.subarray(0, head).equals(whole.subarray(0, head));
  const damaged = (what: string, bytes: Buffer, isNoticed = isRenamed(bytes)): DamagedObject => ({ key, what, bytes, whole, isNoticed });
  const foreign = ['', '\0', 'PAR1', 'PAR1PAR1', 'id,name\n', '<?xml version="1.0"?><Error/>', '{}'].map((text) => Buffer.from(text));
  return fc.oneof(
    place.map((at) => damaged(`was cut off at ${at}`, whole.subarray(0, at), true)),
    fc.tuple(place, fc.nat(7)).map(([at, bit]) => damaged(`has another bit ${bit} at ${at}`, flipped(whole, at, bit))),
    fc.tuple(place, fc.uint8Array({ minLength: 1, maxLength: 8 })).map(([at, bytes]) =>
      damaged(`has other bytes at ${at}`, Buffer.concat([whole.subarray(0, at), bytes, whole.subarray(at + bytes.length)])),
    ),
    place.map((at) => damaged(`lacks a byte at ${at}`, Buffer.concat([whole.subarray(0, at), whole.subarray(at + 1)]))),
    fc.constantFrom(...foreign).map((bytes) => damaged('is something else', bytes, true)),
    // Of the same table, another part may be as long and named the same.
    ...(strangers.length === 0 ? [] : [fc.constantFrom(...strangers).map((other) => damaged(`is ${other.key}`, other.bytes, tableOf(other.key) !== tableOf(key)))]),
    ...(head === 0 ? [] : [fc.constantFrom(...renamed(whole, head)).map((bytes) => damaged('has other columns', bytes, true))]),
  );
}

function tableOf(key: string): string {
  return key.split('/')[1] ?? '';
}

/** CSV of as many rows, whose header names something else; the last of them one column, with line ends in its name. */
function renamed(whole: Buffer, head: number): readonly Buffer[] {
  const names = whole.toString('utf8', 0, head - 1).split(',');
  const rows = whole.subarray(head);
  const headers = [names.toReversed(), names.map((name) => name.toUpperCase()), names.map((_, at) => names[at - 1] ?? 'id'), ['\ufeff', ...names.slice(1)]];
  const one = [`"${names.join('\n')}"\n`, ...rows.toString('utf8').trimEnd().split('\n').map((_, at) => `${at + 1}\n`)];
  return [...headers.map((header) => Buffer.concat([Buffer.from(`${header.join(',')}\n`), rows])), Buffer.from(one.join(''))];
}
