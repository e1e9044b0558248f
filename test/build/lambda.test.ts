import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unzipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { STAGES, type Stage } from '../../src/shared/report.ts';
import { temporaryDirectory } from '../support/postgres.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const zipOf = (directory: string, stage: Stage) => join(directory, 'dist/lambda', `${stage}.zip`);
const hashOf = async (path: string) => createHash('sha256').update(await readFile(path)).digest('hex');

/** What AWS takes within a second at a cold start; `make build` says what is in it. */
const ZIP_MAX_BYTES = 2 * 1024 * 1024;

const FILES: Readonly<Record<Stage, readonly string[]>> = {
  ingest: ['index.mjs', 'index.mjs.map'],
  transform: ['index.mjs', 'index.mjs.map', 'parquet-worker.mjs', 'parquet-worker.mjs.map', 'parquet_wasm_bg.wasm.br'],
  load: ['index.mjs', 'index.mjs.map', 'parquet_wasm_bg.wasm.br'],
};

describe('the bundle of a function', () => {
  test.each(STAGES)('%s is small, and holds all that it needs', async (stage) => {
    const bytes = await readFile(zipOf(root, stage));
    expect(bytes.byteLength).toBeLessThanOrEqual(ZIP_MAX_BYTES);
    expect(Object.keys(unzipSync(bytes))).toEqual(FILES[stage]);
  });

  test.each(STAGES)('%s runs from a directory with nothing else in it, and its errors name lines of the source', async (stage) => {
    const directory = await temporaryDirectory();
    for (const [name, content] of Object.entries(unzipSync(await readFile(zipOf(root, stage))))) {
      await writeFile(join(directory, name), content);
    }
    const call = "import('./index.mjs').then(({ handler }) => handler({}, { getRemainingTimeInMillis: () => 60000 })).catch((e) => console.log(e.stack))";
    const options = { cwd: directory, env: { PATH: process.env['PATH'] }, encoding: 'utf8' } as const;
    const { stdout } = spawnSync(process.execPath, ['--enable-source-maps', '--eval', call], options);
    expect(stdout).toContain('the environment of the function does not do: INGESTION_BUCKET is missing');
    expect(stdout).toMatch(/src\/shared\/lambda\/deployment\.ts:\d+/);
  });

  test('has the same bytes whoever builds it, where and when', async () => {
    const builder = join(root, 'dist/build-lambda.js');
    const before = await Promise.all(STAGES.map((stage) => hashOf(zipOf(root, stage))));
    const elsewhere = join(await temporaryDirectory(), 'out');
    const env = { ...process.env, TZ: 'Pacific/Auckland', LC_ALL: 'C' };
    expect(spawnSync(process.execPath, [builder, elsewhere], { cwd: root, env }).status).toBe(0);
    expect(await Promise.all(STAGES.map((stage) => hashOf(join(elsewhere, `${stage}.zip`))))).toEqual(before);
  });
});
