import { mkdir, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

/** Some of the packages are CommonJS. */
const BANNER = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/**
 * Builds the worker, in a directory of its own below `dist`, where it finds the packages.
 * @param root The project's.
 * @returns the path of the program.
 */
export async function bundleWorker(root: string): Promise<{ readonly program: string; readonly directory: string }> {
  const dist = join(root, 'dist');
  await mkdir(dist, { recursive: true });
  const directory = await mkdtemp(join(dist, 'faults-'));
  await build({
    entryPoints: [join(root, 'test/faults/worker.ts')],
    bundle: true,
    splitting: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    // With what is from packages, in half the time that it takes Node to look for the modules.
    external: ['parquet-wasm', 'pg-native'],
    minify: true,
    banner: { js: BANNER },
    outExtension: { '.js': '.mjs' },
    outdir: directory,
    logLevel: 'error',
  });
  return { program: join(directory, 'worker.mjs'), directory };
}
