import type { TextCodec } from './type.ts';

export const textCodec: TextCodec<string> = { parse: (text) => text, format: (value) => value };
