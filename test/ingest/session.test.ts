import { describe, expect, test } from 'vitest';
import { changedSince, HALF_CIRCLE, parseSnapshot } from '../../src/ingest/session.ts';

const CIRCLE = 2n ** 32n;

const FORM = /^\(xidsend\(xmin\) >= '\\x(\w{8})'::bytea (and|or) xidsend\(xmin\) < '\\x(\w{8})'::bytea\)$/;

/** Does what PostgreSQL does with the condition: compares four bytes, most significant first. */
function passes(condition: string, raw: bigint): boolean {
  const match = FORM.exec(condition);
  const [, low = '', either, high = ''] = match ?? [];
  expect(match).not.toBeNull();
  const hex = raw.toString(16).padStart(8, '0');
  return either === 'and' ? hex >= low && hex < high : hex >= low || hex < high;
}

describe('what changed since a transaction', () => {
  test('lies between two bounds where these are in the same round of the 32-bit circle', () => {
    expect(changedSince(0x1000n, 0x2000n)).toBe(
      `(xidsend(xmin) >= '\\x00001000'::bytea and xidsend(xmin) < '\\x00002000'::bytea)`,
    );
    expect(changedSince(7n * CIRCLE + 3n, 7n * CIRCLE + 0xabcdefn)).toBe(
      `(xidsend(xmin) >= '\\x00000003'::bytea and xidsend(xmin) < '\\x00abcdef'::bytea)`,
    );
  });

  test('lies outside of two bounds where the circle began anew between them', () => {
    expect(changedSince(CIRCLE - 0x10n, CIRCLE + 0x20n)).toBe(
      `(xidsend(xmin) >= '\\xfffffff0'::bytea or xidsend(xmin) < '\\x00000020'::bytea)`,
    );
    expect(changedSince(CIRCLE - 1n, CIRCLE)).toBe(
      `(xidsend(xmin) >= '\\xffffffff'::bytea or xidsend(xmin) < '\\x00000000'::bytea)`,
    );
  });

  const edges = [3n, 2n ** 31n - 2n, 2n ** 31n, CIRCLE - 2n, CIRCLE, CIRCLE + 3n, 3n * CIRCLE - 1n, 2n ** 63n - 9n];
  test.each(edges)('is never missed with the cursor at %i, whatever the gap', (cursor) => {
    for (const gap of [1n, 2n, 5n, 1_000_000n, HALF_CIRCLE - 2n, HALF_CIRCLE - 1n]) {
      const condition = changedSince(cursor, cursor + gap);
      for (const xid of [cursor, cursor + 1n, cursor + gap / 2n, cursor + gap - 1n]) {
        if (xid >= cursor + gap) continue;
        expect([gap, xid, passes(condition, BigInt.asUintN(32, xid))]).toEqual([gap, xid, true]);
      }
    }
  });

  test.each(edges)('with the cursor at %i is nothing that was written just before it, or will be after', (cursor) => {
    for (const gap of [1n, 5n, HALF_CIRCLE - 1n]) {
      const condition = changedSince(cursor, cursor + gap);
      for (const xid of [cursor - 1n, cursor - 2n, cursor + gap, cursor + gap + 1n]) {
        expect([gap, xid, passes(condition, BigInt.asUintN(32, xid))]).toEqual([gap, xid, false]);
      }
    }
  });
});

describe('a snapshot', () => {
  test('is taken apart, with transactions in flight or without', () => {
    expect(parseSnapshot('10:20:10,14,15')).toEqual({ text: '10:20:10,14,15', xmin: 10n, xmax: 20n });
    const large = { xmin: 2n ** 53n + 1n, xmax: 2n ** 53n + 3n };
    expect(parseSnapshot('9007199254740993:9007199254740995:')).toMatchObject(large);
  });

  test('that is none is a bug', () => {
    expect(() => parseSnapshot('today')).toThrow(SyntaxError);
  });
});
