import { readFile } from 'node:fs/promises';
import type { Plugin } from 'esbuild';

const ONE_PLACE = Buffer.from('{"version":3,"sources":[""],"mappings":"AAAA"}').toString('base64');

/** A stack is read for the lines that are ours; those of the libraries would make half a megabyte of map. */
export const ownSourcesOnly: Plugin = {
  name: 'own-sources-only',
  setup: (build) => {
    build.onLoad({ filter: /node_modules.*\.[cm]?js$/ }, async ({ path }) => ({
      contents: withoutMap(await readFile(path, 'utf8')),
    }));
  },
};

export function withoutMap(contents: string): string {
  return `${contents}\n//# sourceMappingURL=data:application/json;base64,${ONE_PLACE}`;
}
