import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatCell, isUnfit, parseCell, parserOf, typeName } from '../../../src/shared/types/codecs.ts';
import { type ColumnType, type TypeKind, Unfit } from '../../../src/shared/types/type.ts';
import { cellsOf, TYPES } from '../../support/cells.ts';

const unbounded: ColumnType = { kind: 'numeric', digits: null };

function reasonOf(type: ColumnType, text: string): string {
  const cell = parseCell(type, text);
  return cell instanceof Unfit ? cell.reason : `fits as ${String(cell)}`;
}

describe('every type', () => {
  test.each(TYPES)('$kind reads back what it wrote', (type) => {
    fc.assert(
      fc.property(cellsOf(type), (cell) => {
        expect(parseCell(type, formatCell(type, cell))).toEqual(cell);
      }),
    );
  });

  test.each(TYPES)('$kind keeps null', (type) => {
    expect(parseCell(type, null)).toBeNull();
    expect(formatCell(type, null)).toBeNull();
  });

  test.each(TYPES.filter(({ kind }) => kind !== 'text'))(
    '$kind refuses what is not its own, and does not repeat it',
    (type) => {
      fc.assert(
        fc.property(fc.string({ minLength: 4 }), (secret) => {
          const text = `#${secret}`;
          const cell = parserOf(type)(text);
          expect(isUnfit(cell)).toBe(true);
          expect(cell instanceof Unfit && cell.reason.includes(secret)).toBe(false);
        }),
      );
      for (const text of ['', ' ', '1 ', ' 1', '\u0661', '1\n', 'null', '--1', '1e', '0x10', '1,000']) {
        expect([text, isUnfit(parserOf(type)(text))]).toEqual([text, true]);
      }
    },
  );

  test('text keeps every character', () => {
    for (const text of ['', ' ', '\r\n', '"', '\\.', 'Ž日本🧵', '\u{10ffff}', '\ufeff']) {
      expect(parseCell({ kind: 'text' }, text)).toBe(text);
      expect(formatCell({ kind: 'text' }, text)).toBe(text);
    }
  });

  test('booleans are read in PostgreSQL’s two spellings only', () => {
    const type: ColumnType = { kind: 'boolean' };
    expect(['t', 'true', 'f', 'false'].map((text) => parseCell(type, text))).toEqual([true, true, false, false]);
    for (const text of ['T', 'TRUE', '1', '0', 'yes', 'on']) expect(isUnfit(parserOf(type)(text))).toBe(true);
    expect([formatCell(type, true), formatCell(type, false)]).toEqual(['t', 'f']);
  });

  test('are named as the warehouse’s DDL names them', () => {
    expect(TYPES.map(typeName)).toEqual([
      'int',
      'bigint',
      'double',
      'text',
      'boolean',
      'date',
      'time',
      'timestamp',
      'timestamptz',
      'numeric',
      'numeric(10,2)',
      'numeric(38,0)',
      'numeric(38,38)',
    ]);
  });
});

describe('reasons', () => {
  const wrong: readonly (readonly [TypeKind, string])[] = [
    ['int', 'is not a 32-bit integer'],
    ['bigint', 'is not a 64-bit integer'],
    ['double', 'is not a double precision number'],
    ['boolean', 'is not a boolean'],
    ['date', 'is not a date (YYYY-MM-DD)'],
    ['time', 'is not a time (HH:MM:SS)'],
    ['timestamp', 'is not a timestamp (YYYY-MM-DD HH:MM:SS)'],
    ['timestamptz', 'is not a timestamp (YYYY-MM-DD HH:MM:SS)'],
  ];

  test.each(wrong)('of %s say what was expected', (kind, reason) => {
    const type: ColumnType = kind === 'numeric' ? unbounded : { kind };
    expect(reasonOf(type, 'Jane Doe, 42')).toBe(reason);
  });

  test('of numeric say what was expected', () => {
    expect(reasonOf(unbounded, 'Jane Doe, 42')).toBe('is not a decimal number');
  });
});
