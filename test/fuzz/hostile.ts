/** Values, keys and texts that a document from outside may hold where something else should be. */

import fc from 'fast-check';

const KEYS = [
  '', '.', '..', '../', '../bait.csv', '../../bait.csv', '/etc/passwd', '//', '\\..\\bait.csv', 'data/../../bait.csv', 'data//x',
  'data/./x', 'data\0', 'data/x\n', '.hidden', 'data/.hidden', 'log/00000000000000000001.json', 's3://other/data/x', 'C:\\x',
  'data/team/00000000000000000001/a/part-0.csv', 'dаta/team', 'data/ｔeam', 'data∕team', 'x'.repeat(300), 'x/'.repeat(2000), '%2e%2e/bait.csv',
];

const NAMES = [
  '__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', 'length', '', ' ', '"', "'", ';', '--', '\0',
  'team', 'TEAM', 'téam', '0', '-1', 'then', 'toJSON',
];

const TEXTS = ['', '0', '-1', '1e3', 'null', 'NaN', '\0', '\ud800', '\ufeff', "'; drop table canary; --", '$$', '2024-02-31T00:00:00.000Z', '0x10', '9'.repeat(40)];

const NUMBERS = [0, -0, 1, -1, 2, 3, 0.5, 1e21, 1e308, 2 ** 53, 2 ** 53 - 1, 2 ** 63, -(2 ** 53)];

/** Any JSON value, more often one that looks like what is meant to be there. */
export const hostileValues: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<unknown>(...KEYS, ...NAMES, ...TEXTS) },
  { weight: 3, arbitrary: fc.constantFrom<unknown>(...NUMBERS) },
  { weight: 2, arbitrary: fc.constantFrom<unknown>(null, true, false, [], {}, [[]], [null], [{}], { '': {} }) },
  { weight: 1, arbitrary: fc.jsonValue() },
  { weight: 1, arbitrary: fc.constantFrom(20, 40, 400).map(nested) },
);

export const hostileNames: fc.Arbitrary<string> = fc.constantFrom(...NAMES, ...KEYS);

export const hostileTexts: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...KEYS, ...NAMES, ...TEXTS),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.string({ unit: 'grapheme-ascii', maxLength: 60 }),
);

function nested(depth: number): unknown {
  let value: unknown = 'deep';
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { value };
  return value;
}
