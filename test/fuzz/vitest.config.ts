import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { FuzzFigures } from './figures.ts';

/** `make fuzz`: the fuzzers alone, with as many cases as STARLING_FUZZ_RUNS says. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/fuzz/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    reporters: ['default', new FuzzFigures()],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
