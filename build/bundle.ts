import { build, type BuildResult, type Plugin } from 'esbuild';
import { ownSourcesOnly } from './own-sources.ts';

/** The command line, behind what it starts beside itself: who finds it finds all. */
export const COMMAND_LINE: Readonly<Record<string, string>> = {
  'parquet-worker.mjs': 'src/shared/parquet/parquet-worker.ts',
  'starling.js': 'src/cli/starling.ts',
};

/** Of its hundred modules we need a fifth: importing them one by one takes 100 ms, in each thread. */
const BUNDLED = 'apache-arrow';

/** Packages stay packages, but that one and what it imports itself. */
const packagesButArrow: Plugin = {
  name: 'packages-but-arrow',
  setup: (build) => {
    build.onResolve({ filter: /^[^./]/ }, ({ path, importer }) => {
      const isBundled = path === BUNDLED || importer.includes(`node_modules/${BUNDLED}/`);
      return isBundled || path.startsWith('/') ? null : { path, external: true };
    });
  },
};

/** One ESM file for Node, to be run where the packages are found. */
export async function bundle(entry: string, outfile: string): Promise<BuildResult<{ write: false }>> {
  return build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    write: false,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    mainFields: ['module', 'main'],
    sourcemap: true,
    logLevel: 'warning',
    plugins: [packagesButArrow, ownSourcesOnly],
  });
}
