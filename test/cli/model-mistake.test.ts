import { spawnSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { beforeAll, expect, test } from 'vitest';
import { BUNDLE, eventsOf } from '../support/cli.ts';
import { afterwards } from '../support/postgres.ts';

/** Beside the real one: it reads the same package.json. */
const mistaken = join(dirname(BUNDLE), `.mistaken-${process.pid}.js`);

const MISTAKE = "table('staff', { staff_id: int() })";

beforeAll(async () => {
  await build({
    entryPoints: [join(dirname(BUNDLE), '../src/cli/starling.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    outfile: mistaken,
    plugins: [{
      name: 'a table without a key',
      setup: (hooks) => hooks.onLoad({ filter: /models\/totesys\/model\.ts$/ }, ({ path }) => ({
        resolveDir: dirname(path),
        contents: `import { int } from '../../shared/model/column.ts';
          import { table } from '../../shared/model/table.ts';
          export const totesys = ${MISTAKE};`,
      })),
    }],
  });
  afterwards(async () => rm(mistaken));
});

function run(...argv: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [mistaken, ...argv], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

test('a mistake in the model is told with what to do, and without a stack', () => {
  const { status, stdout, stderr } = run('run');
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toMatch(/^\S+ ERROR: .*staff.*\n\s+kind: "model"/);
  expect(stderr).toContain('hint: "Correct the declaration');
  expect(stderr).not.toContain('    at ');
});

test('with --json it is one object', () => {
  const { status, stderr } = run('status', '--json');
  expect(status).toBe(1);
  expect(eventsOf(stderr)).toMatchObject([{ level: 50, kind: 'model', msg: expect.stringContaining('staff') }]);
});
