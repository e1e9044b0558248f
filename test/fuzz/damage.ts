import fc from 'fast-check';
import { flipped } from './bytes.ts';

export interface StoredObject {
  readonly key: string;
  readonly bytes: Buffer;
  /** Where damage may begin: 0 unless told otherwise. */
  readonly from?: number;
}

export interface DamagedObject extends StoredObject {
  readonly what: string;
  /** As it was. */
  readonly whole: Buffer;
  /** Nothing in an object says that a bit within a value was another: that is for the store, which keeps sums of what it stores. */
  readonly isNoticed: boolean;
}

/** An object cut off, with bits turned over, with other bytes in it, or replaced by something else. */
export function damagedObjects({ key, bytes: whole, from = 0 }: StoredObject, others: readonly StoredObject[]): fc.Arbitrary<DamagedObject> {
  const place = fc.integer({ min: from, max: whole.length - 1 });
  const strangers = others.filter((other) => other.key !== key);
  const damaged = (what: string, bytes: Buffer, isNoticed = false): DamagedObject => ({ key, what, bytes, whole, isNoticed });
  const foreign = ['', '\0', 'PAR1', 'PAR1PAR1', 'id,name\n', '<?xml version="1.0"?><Error/>', '{}'].map((text) => Buffer.from(text));
  return fc.oneof(
    place.map((at) => damaged(`was cut off at ${at}`, whole.subarray(0, at), true)),
    fc.tuple(place, fc.nat(7)).map(([at, bit]) => damaged(`has another bit ${bit} at ${at}`, flipped(whole, at, bit))),
    fc.tuple(place, fc.uint8Array({ minLength: 1, maxLength: 8 })).map(([at, bytes]) =>
      damaged(`has other bytes at ${at}`, Buffer.concat([whole.subarray(0, at), bytes, whole.subarray(at + bytes.length)])),
    ),
    place.map((at) => damaged(`lacks a byte at ${at}`, Buffer.concat([whole.subarray(0, at), whole.subarray(at + 1)]))),
    fc.constantFrom(...foreign).map((bytes) => damaged('is something else', bytes, true)),
    ...(strangers.length === 0 ? [] : [fc.constantFrom(...strangers).map((other) => damaged(`is ${other.key}`, other.bytes))]),
  );
}
