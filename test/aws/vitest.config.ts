import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** `make test-aws`: a whole deployment on moto, which takes minutes; so it is no part of `make test`. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/aws/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 600_000,
  },
});
