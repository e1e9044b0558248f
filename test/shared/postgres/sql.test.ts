import { expect, test } from 'vitest';
import { identifier, identifiers, literal, qualified } from '../../../src/shared/postgres/sql.ts';

test('names are quoted, whatever is in them', () => {
  expect(identifier('a"b')).toBe('"a""b"');
  expect(qualified('public', 'Größe')).toBe('"public"."Größe"');
  expect(identifiers(['a', 'b c'])).toBe('"a", "b c"');
  expect(identifiers(['a', 'b'], 't.')).toBe('t."a", t."b"');
});

test('values are quoted, whatever is in them', () => {
  expect(literal(`it's`)).toBe(`'it''s'`);
  expect(literal('a\\b').trim()).toBe(String.raw`E'a\\b'`);
});
