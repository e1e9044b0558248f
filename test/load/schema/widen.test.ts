import { expect, test } from 'vitest';
import { isWider } from '../../../src/load/schema/widen.ts';
import type { ColumnType } from '../../../src/shared/types/type.ts';

const bigint: ColumnType = { kind: 'bigint' };
const any: ColumnType = { kind: 'numeric', digits: null };
const numeric = (precision: number, scale: number): ColumnType => ({ kind: 'numeric', digits: { precision, scale } });

test.each([
  ['integer', bigint],
  ['numeric(10,2)', numeric(12, 4)],
  ['numeric(10,2)', numeric(11, 2)],
  ['numeric(10,0)', numeric(10, 0)],
  ['numeric(10,2)', any],
  ['integer', any],
  ['bigint', any],
  ['integer', numeric(12, 2)],
  ['bigint', numeric(19, 0)],
] as const)('every %s is a value of the wider type', (existing, declared) => {
  expect(isWider(existing, declared)).toBe(true);
});

test.each([
  ['bigint', { kind: 'int' }],
  ['numeric', bigint],
  ['numeric', numeric(38, 2)],
  ['numeric(10,2)', numeric(10, 4)],
  ['numeric(10,2)', numeric(12, 1)],
  ['integer', numeric(11, 2)],
  ['bigint', numeric(20, 2)],
  ['character varying', any],
  ['date', { kind: 'timestamp' }],
  ['integer', { kind: 'text' }],
  ['timestamp without time zone', { kind: 'timestamptz' }],
] as const)('not every %s is a value of another type', (existing, declared) => {
  expect(isWider(existing, declared)).toBe(false);
});
