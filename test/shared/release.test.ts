import { expect, test } from 'vitest';
import { release } from '../../src/shared/release.ts';

test('memory is given back at once, by whoever has all of it', () => {
  const bytes = new Uint8Array(100_000);
  release(bytes);
  expect([bytes.byteLength, bytes.buffer.byteLength]).toEqual([0, 0]);
});

test('and not where it is a part of what others look at: of a larger piece, or of what Node shares out', () => {
  const piece = new Uint8Array(100_000).fill(7);
  release(piece.subarray(0, 50_000));
  const small = Buffer.from('small');
  release(small);
  expect([piece[99_999], small.toString()]).toEqual([7, 'small']);
});
