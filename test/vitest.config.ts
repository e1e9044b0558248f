import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { ProcessCoverage } from './support/process-coverage.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What is skipped for want of a tool is not covered; the figure means something only where nothing may be skipped. */
const isComplete = process.env['STARLING_NO_SKIP'] === '1';

export default defineConfig({
  root,
  test: {
    include: ['test/**/*.test.ts'],
    // Those of `make test-aws`.
    exclude: ['test/aws/**', 'test/terraform/**'],
    globalSetup: ['test/support/global-setup.ts'],
    reporters: ['default', new ProcessCoverage(`${root}dist/starling.js`)],
    pool: 'forks',
    // A test server and its clients share the machine with the tests.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reportsDirectory: 'coverage',
      ...(isComplete ? { thresholds: { lines: 90, branches: 90 } } : {}),
    },
  },
});
