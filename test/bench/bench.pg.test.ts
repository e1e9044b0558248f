import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import * as v from 'valibot';
import { beforeAll, describe, expect, test } from 'vitest';
import { TARGETS } from '../../bench/scope.ts';
import { afterwards, temporaryDirectory } from '../support/postgres.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PROGRAM = join(ROOT, 'dist', `bench-test-${process.pid}.mjs`);

const finite = v.pipe(v.number(), v.finite());
const seconds = v.nullable(finite);
const resultsSchema = v.object({
  figures: v.array(
    v.object({
      name: v.string(), value: finite, ours: finite, yardstick: v.nullable(finite), unit: v.string(),
      reached: v.boolean(), target: v.string(), ours_cpu: seconds, yardstick_cpu: seconds,
    }),
  ),
  rows: v.number(),
  cores: v.number(),
  node: v.string(),
  postgres: v.string(),
  copy_client: v.string(),
  curve: v.optional(v.array(v.object({ rows: v.number(), load: v.object({ seconds: finite, peak_mb: finite }) }))),
});
type Results = v.InferOutput<typeof resultsSchema>;

interface Ran {
  readonly lines: readonly string[];
  readonly results: Results;
}

beforeAll(async () => {
  afterwards(async () => rm(PROGRAM, { force: true }));
  const common = { bundle: true, platform: 'node', target: 'node20', format: 'esm', packages: 'external' } as const;
  await build({ ...common, entryPoints: [join(ROOT, 'bench/main.ts')], outfile: PROGRAM });
});

/** The benchmark as a process, in a temporary directory of its own that it has to leave empty. */
async function bench(settings: Readonly<Record<string, string>>): Promise<Ran> {
  const directory = await temporaryDirectory();
  const [file, scratch] = [join(directory, 'results.json'), join(directory, 'a place with spaces')];
  await mkdir(scratch, { mode: 0o755 });
  const { PATH = '', HOME = '' } = process.env;
  const env = { PATH, HOME, TMPDIR: scratch, BENCH_ROUNDS: '1', BENCH_RESULTS: file, ...settings };
  const child = spawn(process.execPath, [PROGRAM], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  const [status] = await once(child, 'close');
  expect({ status, stderr }).toMatchObject({ status: 0 });
  expect(await readdir(scratch)).toEqual([]);
  const results = v.parse(resultsSchema, JSON.parse(await readFile(file, 'utf8')));
  return { lines: stdout.trimEnd().split('\n'), results };
}

/** The programs that a server of our own may need, and no other. */
async function withoutPsql(): Promise<string> {
  const folder = await temporaryDirectory();
  for (const program of ['sh', 'chmod']) {
    const found = (process.env['PATH'] ?? '').split(delimiter).map((path) => join(path, program)).find((path) => existsSync(path));
    if (found !== undefined) await symlink(found, join(folder, program));
  }
  return folder;
}

describe('the benchmark', { timeout: 600_000 }, () => {
  test('gives every figure as a number, in a line and in its results, and leaves nothing behind', async () => {
    const { lines, results } = await bench({ BENCH_ROWS: '2000' });
    const names = Object.keys(TARGETS);
    expect(results.figures.map(({ name }) => name)).toEqual(names);
    expect(results.figures.filter(({ value, ours }) => value <= 0 || ours <= 0)).toEqual([]);
    const told = lines.map((line) => /^(\w+) [\d.]+ \(ours [\d.]+ .*yardstick [\d–]/.exec(line)?.[1]);
    expect([lines.length, new Set(told)]).toEqual([names.length, new Set(names)]);
    expect(results).toMatchObject({ rows: 2000, node: process.version, postgres: expect.stringMatching(/^18\./) });
    expect(results.curve?.map(({ rows }) => rows)).toEqual([500, 2000]);
  });

  test('goes without psql, measures only what is asked for, and says what copied', async () => {
    const only = 'load_vs_copy,ingest_vs_copy';
    const { results } = await bench({ PATH: await withoutPsql(), BENCH_ONLY: only, BENCH_ROWS: '300' });
    expect(results.figures.map(({ name }) => name)).toEqual(['ingest_vs_copy', 'load_vs_copy']);
    expect(results.copy_client).toContain('pg-copy-streams');
    expect(results.curve).toBeUndefined();
  });
});
