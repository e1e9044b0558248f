import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** `make test-aws`: Terraform's configuration, and a whole deployment on moto: minutes, and so no part of `make test`. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/aws/**/*.test.ts', 'test/terraform/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    // A transaction that is open in one test's database is waited for by the ingest of another's.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 600_000,
  },
});
