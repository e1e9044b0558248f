import { type TextCodec, Unfit } from './type.ts';

const NOT_BOOLEAN = new Unfit('is not a boolean');
const WORDS = new Map([
  ['t', true],
  ['f', false],
  ['true', true],
  ['false', false],
]);

export const booleanCodec: TextCodec<boolean> = {
  parse: (text) => WORDS.get(text) ?? NOT_BOOLEAN,
  format: (value) => (value ? 't' : 'f'),
};
