import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** `make test-aws`: Terraform's configuration, and a whole deployment on moto: minutes, and so no part of `make test`. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/aws/**/*.test.ts', 'test/terraform/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    // Most of it is Terraform waiting for what it has made: 25 seconds for a queue.
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 600_000,
  },
});
