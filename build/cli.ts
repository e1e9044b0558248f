/** Builds `dist/starling.js`. */

import { mkdir, writeFile } from 'node:fs/promises';
import { bundle, COMMAND_LINE } from './bundle.ts';

const [, , output = 'dist'] = process.argv;

await mkdir(output, { recursive: true });
for (const [name, entry] of Object.entries(COMMAND_LINE)) {
  const { outputFiles } = await bundle(entry, `${output}/${name}`);
  for (const { path, contents } of outputFiles) await writeFile(path, contents, { mode: 0o755 });
}
