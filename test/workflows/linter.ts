import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { lint } from './language-service.ts';

/**
 * GitHub's language service imports JSON in a way that bundlers understand and Node refuses, so it is bundled.
 * (The other linters on npm are builds of 2022 that do not know `vars` or ubuntu-24.04, or do not look into expressions.)
 */
export async function openLinter(): Promise<typeof lint> {
  const directory = await mkdtemp(join(tmpdir(), 'starling-test-linter-'));
  try {
    const outfile = join(directory, 'language-service.cjs');
    await build({
      entryPoints: [fileURLToPath(new URL('language-service.ts', import.meta.url))],
      bundle: true,
      platform: 'node',
      format: 'cjs',
      outfile,
      logLevel: 'error',
    });
    const service: { lint: typeof lint } = createRequire(import.meta.url)(outfile);
    return service.lint;
  } finally {
    await rm(directory, { recursive: true });
  }
}
