import { assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';

import {
  batchOfLogKey, checkKey, dataKey, isKey, logKey, mirrorKey, stateKey,
} from '../../../src/shared/lake/key.ts';

const ATTEMPT = '0b9c7a52-6f0e-4a55-9d0a-0d5d6f1f7a10';

const tableOf = (key: string): string => key.split('/')[1] ?? '';

function decoded(segment: string): string {
  return decodeURIComponent(segment.replaceAll('-', '%'));
}

test('keys have the names that other people rely on', () => {
  expect(logKey(42)).toBe('log/00000000000000000042.json');
  expect(dataKey('sales_order', 7, ATTEMPT, 0, 'csv'))
    .toBe(`data/sales_order/00000000000000000007/${ATTEMPT}/part-0.csv`);
  expect(mirrorKey('staff', 7, ATTEMPT, 12)).toBe(`mirror/staff/00000000000000000007/${ATTEMPT}/part-12.parquet`);
  expect(stateKey('ingest')).toBe('state/ingest.json');
});

test('a log key tells its batch, any other key none', () => {
  expect(batchOfLogKey(logKey(9_007_199_254_740_991))).toBe(9_007_199_254_740_991);
  const others = [
    'log/1.json', `${logKey(1)}.bak`, `x${logKey(1)}`, 'log/00000000000000000000.json', 'log/99999999999999999999.json',
  ];
  expect(others.filter((key) => batchOfLogKey(key) !== null)).toEqual([]);
});

test('log keys are in byte order where batches are in order', () => {
  const batches = [1, 9, 10, 99, 100, 12_345, 9_007_199_254_740_991];
  expect(batches.map(logKey).toSorted()).toEqual(batches.map(logKey));
});

test('any identifier of PostgreSQL makes a key, and can be read from it', () => {
  const identifier = string({ unit: 'binary', minLength: 1, maxLength: 15 });
  assert(property(identifier, (table) => {
    const key = dataKey(table, 1, ATTEMPT, 0, 'parquet');
    expect(isKey(key)).toBe(true);
    expect(decoded(tableOf(key))).toBe(table);
  }));
});

test('names that differ in case, escapes or dots only do not meet, even where case does not count', () => {
  const names = ['staff', 'Staff', 'order items', 'order-20items', 'order%20items', '..', '.', 'a/b', 'a\\b', 'ü', '"'];
  const segments = names.map((name) => tableOf(mirrorKey(name, 1, ATTEMPT, 0)).toLowerCase());
  expect(new Set(segments).size).toBe(names.length);
  expect(segments.slice(0, 3)).toEqual(['staff', '-53taff', 'order-20items']);
});

test('a table without a name, or with half a character, is an error of the model', () => {
  for (const table of ['', 'a\ud800']) {
    expect(() => dataKey(table, 1, ATTEMPT, 0, 'csv')).toThrow(expect.objectContaining({ kind: 'model' }));
  }
});

test('numbers that are none are bugs', () => {
  for (const batch of [0, -1, 1.5, Number.NaN, 2 ** 53]) expect(() => logKey(batch)).toThrow(RangeError);
  expect(() => dataKey('t', 1, ATTEMPT, -1, 'csv')).toThrow(RangeError);
});

test('a hostile attempt or stage makes no key, and is not quoted', () => {
  for (const part of ['../..', '', '.x', 'a b', 'a//b']) {
    expect(() => dataKey('t', 1, part, 0, 'csv')).toThrow('not one that Starling writes');
    expect(() => stateKey(`../${part}`)).toThrow('an object key is not one that Starling writes');
  }
  expect(() => checkKey('')).toThrow(expect.objectContaining({ kind: 'lake_corrupt' }));
});
