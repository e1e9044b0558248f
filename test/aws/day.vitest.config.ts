import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** `make cost`: measures what docs/COST.md counts with. Takes minutes and writes a file, so it is no part of any test. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/aws/day.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    testTimeout: 1_200_000,
    hookTimeout: 600_000,
  },
});
