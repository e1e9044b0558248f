import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { STAGES, type Stage } from '../../src/shared/report.ts';
import { inOwnProcess } from '../child.ts';
import type { ImportJob } from '../import-process.ts';
import { median } from '../measured.ts';
import type { Programs } from '../programs.ts';
import { figure, type Scope } from '../scope.ts';

/** Importing takes a tenth of a second, and varies by a tenth of that. One round of everything is only a rehearsal. */
const FEWEST_ROUNDS = 9;

function roundsOf({ rounds }: Scope): number {
  return rounds === 1 ? 1 : Math.max(FEWEST_ROUNDS, rounds);
}

/** What a function that reads and writes S3 and asks PostgreSQL cannot do without. */
const PLAIN = `
  export { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
  export { default as pg } from 'pg';`;

/** pg is CommonJS. */
const BANNER = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

type Sides = Readonly<Record<Stage | 'plain', number[]>>;

/** `cold_import`, of the stage that takes longest, and `zip_mb`, of the largest. */
export async function coldImport(scope: Scope): Promise<void> {
  const { programs } = scope.prepared;
  const lambdas = await builtLambdas(scope.root, programs);
  const plain = await buildPlain(programs.directory);
  const took: Sides = { ingest: [], transform: [], load: [], plain: [] };
  const bundles = [...STAGES.map((stage) => [stage, join(lambdas, stage, 'index.mjs')] as const), ['plain', plain] as const];
  // The first time, they come from the disk.
  for (const [, bundle] of bundles) await importMs(programs, bundle);
  for (let round = 0; round < roundsOf(scope); round += 1) {
    for (const [side, bundle] of bundles) took[side].push(await importMs(programs, bundle));
  }
  const [ingest, transform, load, yardstick] = [took.ingest, took.transform, took.load, took.plain].map(median);
  if (ingest === undefined || transform === undefined || load === undefined || yardstick === undefined) return;
  const ours = Math.max(ingest, transform, load);
  const detail = { ingest_ms: ingest, transform_ms: transform, load_ms: load };
  scope.tell(figure('cold_import', { value: ours / yardstick, ours, yardstick, unit: 'ms' }, detail));
  const zips = await Promise.all(STAGES.map(async (stage) => (await stat(join(lambdas, `${stage}.zip`))).size / 1e6));
  const largest = Math.max(...zips);
  const each = Object.fromEntries(STAGES.map((stage, at) => [`${stage}_mb`, zips[at] ?? 0]));
  scope.tell(figure('zip_mb', { value: largest, ours: largest, yardstick: null, unit: 'MB' }, each));
}

async function importMs(programs: Programs, bundle: string): Promise<number> {
  return (await inOwnProcess(programs.import, { bundle } satisfies ImportJob)).took.seconds * 1_000;
}

/** Those of `make build`; where they are not there, they are built aside. */
async function builtLambdas(root: string, programs: Programs): Promise<string> {
  const built = join(root, 'dist', 'lambda');
  if (STAGES.every((stage) => existsSync(join(built, `${stage}.zip`)) && existsSync(join(built, stage, 'index.mjs')))) return built;
  const builder = join(programs.directory, 'build-lambda.mjs');
  const output = join(programs.directory, 'lambda');
  const common = { bundle: true, platform: 'node', target: 'node20', format: 'esm', logLevel: 'error' } as const;
  await build({ ...common, entryPoints: [join(root, 'build/lambda.ts')], packages: 'external', outfile: builder });
  const { status, stderr } = spawnSync(process.execPath, [builder, output], { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the functions cannot be built: ${stderr}`);
  return output;
}

/** As build/lambda.ts builds ours. */
async function buildPlain(directory: string): Promise<string> {
  const outfile = join(directory, 'plain.mjs');
  await build({
    stdin: { contents: PLAIN, resolveDir: directory, loader: 'js' },
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    minify: true,
    external: ['pg-native'],
    banner: { js: BANNER },
    legalComments: 'none',
    logLevel: 'error',
  });
  return outfile;
}
