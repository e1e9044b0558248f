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
  ingest: ['index.mjs'],
  transform: ['index.mjs', 'parquet-worker.mjs', 'parquet_wasm_bg.wasm.br'],
  load: ['index.mjs', 'parquet_wasm_bg.wasm.br'],
};

/** What is imported when it is needed, by hash. */
const CHUNK = /^[\w-]+-[A-Z0-9]{8}\.mjs$/;

describe('the bundle of a function', () => {
  test.each(STAGES)('%s is small, and holds all that it needs', async (stage) => {
    const bytes = await readFile(zipOf(root, stage));
    expect(bytes.byteLength).toBeLessThanOrEqual(ZIP_MAX_BYTES);
    const names = Object.keys(unzipSync(bytes));
    const code = names.filter((name) => !name.endsWith('.map'));
    expect(code.filter((name) => !CHUNK.test(name))).toEqual(FILES[stage]);
    expect(names).toEqual(code.flatMap((name) => (name.endsWith('.mjs') ? [name, `${name}.map`] : [name])));
  });

  test.each(STAGES)('%s starts without what it needs for a batch, an alert or a queue', async (stage) => {
    const files = unzipSync(await readFile(zipOf(root, stage)));
    const text = new TextDecoder();
    const imported = new Set<string>();
    const visit = (name: string) => {
      if (imported.has(name)) return;
      imported.add(name);
      for (const [, other = ''] of text.decode(files[name]).matchAll(/(?:from|import)"\.\/([\w.-]+)"/g)) visit(other);
    };
    visit('index.mjs');
    const left = Object.keys(files).filter((name) => name.endsWith('.mjs') && !imported.has(name));
    const lazily = ['cloudwatch', 'sns', 'sqs', ...(stage === 'ingest' ? [] : ['wasm', 'range'])];
    for (const part of lazily) expect(left.filter((name) => name.startsWith(`${part}-`))).toHaveLength(1);
    for (const name of imported) expect(text.decode(files[name])).not.toContain('flatbuffers');
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
