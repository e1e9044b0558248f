/**
 * `make bench`: each figure of docs/PERFORMANCE.md beside its yardstick, in the same run, in turn.
 *
 * By itself, for whoever works on one of them; it builds what it measures from what is in src now:
 *
 *   node_modules/.bin/esbuild bench/main.ts --bundle --platform=node --target=node20 --format=esm --packages=external --outfile=dist/bench.js
 *   BENCH_ONLY=transform_vs_duckdb,load_vs_copy BENCH_ROWS=200000 BENCH_ROUNDS=3 node dist/bench.js
 *
 * BENCH_ONLY     names of figures (all are in `TARGETS` of scope.ts), with commas; default all
 * BENCH_ROWS     sales orders; default 2,000,000
 * BENCH_ROUNDS   how often each is measured; default 5; 1 is a rehearsal
 * BENCH_RESULTS  where the results go; default bench/results.json
 * BENCH_DOCS     `yes`, and all figures: docs/PERFORMANCE.md and its plot are written, too
 *
 * On a machine that does other things as well, compare the processors' seconds (`ours_cpu`, `yardstick_cpu`): those of
 * the server and of all clients, from which the start of a process and the import of its modules are left out for ours.
 */

import { readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import * as v from 'valibot';
import { deltaVsScan, idleVsScan } from './figures/changes.ts';
import { coldImport } from './figures/cold-import.ts';
import { currentVsTable } from './figures/current.ts';
import { endtoend } from './figures/endtoend.ts';
import { curve, memory } from './figures/growth.ts';
import { ingestVsCopy } from './figures/ingest.ts';
import { loadVsCopy } from './figures/load.ts';
import { transformVsDuckdb } from './figures/transform.ts';
import { Ground } from './ground.ts';
import { othersShare, spent } from './others.ts';
import { fillPage } from './page.ts';
import { plot } from './plot.ts';
import { Prepared } from './prepared.ts';
import { buildPrograms, type Programs } from './programs.ts';
import { describeMachine, replaceFile, type Results } from './results.ts';
import { type Figure, type FigureName, lineOf, type Scope, TARGETS } from './scope.ts';

const whole = v.pipe(v.string(), v.regex(/^[1-9]\d*$/), v.transform(Number));
const options = v.parse(
  v.object({
    BENCH_ROWS: v.optional(whole, '2000000'),
    BENCH_ROUNDS: v.optional(whole, '5'),
    BENCH_ONLY: v.optional(v.string(), ''),
    BENCH_RESULTS: v.optional(v.string(), 'bench/results.json'),
    BENCH_DOCS: v.optional(v.picklist(['yes', 'no']), 'no'),
  }),
  process.env,
);

const MEASURED: readonly (readonly [measure: (scope: Scope) => Promise<void>, names: readonly FigureName[]])[] = [
  [ingestVsCopy, ['ingest_vs_copy']],
  [transformVsDuckdb, ['transform_vs_duckdb', 'transform_cold_vs_duckdb']],
  [loadVsCopy, ['load_vs_copy']],
  [endtoend, ['endtoend_vs_sum', 'rows_per_s_growth']],
  [deltaVsScan, ['delta_vs_scan']],
  [idleVsScan, ['idle_vs_scan']],
  [currentVsTable, ['current_vs_table']],
  [memory, ['transform_rss_growth', 'ingest_rss_mb', 'load_rss_mb']],
  [coldImport, ['cold_import', 'zip_mb']],
];

const ROOT = process.cwd();

/** Progress goes to stderr: stdout has a line a figure, and nothing else. */
function tellProgress(line: string): void {
  console.error(`${new Date().toISOString().slice(11, 19)} ${line}`);
}

/** All, in the order of the page. */
const NAMES = MEASURED.flatMap(([, names]) => names).toSorted((a, b) => placeOf(a) - placeOf(b));

function placeOf(name: FigureName): number {
  return Object.keys(TARGETS).indexOf(name);
}

function wantedFigures(): ReadonlySet<FigureName> {
  if (options.BENCH_ONLY === '') return new Set(NAMES);
  const asked = options.BENCH_ONLY.split(',');
  const unknown = asked.find((name) => !NAMES.some((known) => known === name));
  if (unknown !== undefined) throw new Error(`there is no figure ${unknown}, but ${NAMES.join(', ')}`);
  return new Set(NAMES.filter((name) => asked.includes(name)));
}

/** A figure that cannot be measured does not keep the others from it. @returns whether all could. */
async function measureAll(scope: Scope): Promise<boolean> {
  const { wanted } = scope;
  let isWhole = true;
  for (const [measure, names] of MEASURED) {
    if (!names.some((name) => wanted.has(name))) continue;
    tellProgress(names.join(', '));
    await measure(scope).catch((error: unknown) => {
      isWhole = false;
      tellProgress(`${names.join(', ')} cannot be measured: ${error instanceof Error ? String(error.stack) : String(error)}`);
    });
  }
  // The plot is on the page.
  if (!isWhole || wanted.size < NAMES.length || options.BENCH_DOCS === 'no') return isWhole;
  tellProgress('the curve');
  await curve(scope);
  return true;
}

async function writeDocs(results: Results): Promise<void> {
  const path = join(ROOT, 'docs', 'PERFORMANCE.md');
  await replaceFile(path, fillPage(await readFile(path, 'utf8'), results));
  await replaceFile(join(ROOT, 'docs', 'performance.svg'), plot(results.curve ?? []));
}

async function main(ground: Ground, programs: Programs): Promise<boolean> {
  const { BENCH_ROWS: rows, BENCH_ROUNDS: rounds } = options;
  const machine = describeMachine(new Date());
  const began = await spent(ground);
  const wanted = wantedFigures();
  const figures: Figure[] = [];
  const tell = (figure: Figure): void => {
    if (!wanted.has(figure.name)) return;
    figures.push(figure);
    console.log(lineOf(figure));
  };
  const prepared = new Prepared(ground, programs, tellProgress);
  const points: Scope['curve'] = [];
  const isWhole = await measureAll({ root: ROOT, prepared, rows, rounds, wanted, tell, curve: points });
  figures.sort((a, b) => placeOf(a.name) - placeOf(b.name));
  const others = await othersShare(ground, began);
  const isAll = isWhole && wanted.size === NAMES.length;
  const results: Results = { figures, rows, rounds, ...machine, others, postgres: ground.cluster.version, ...(points.length > 0 ? { curve: points.toSorted((a, b) => a.rows - b.rows) } : {}) };
  await replaceFile(resolve(ROOT, options.BENCH_RESULTS), `${JSON.stringify(results, null, 2)}\n`);
  if (options.BENCH_DOCS === 'yes' && isAll) await writeDocs(results);
  return isWhole;
}

wantedFigures();
const ground = await Ground.make();
const programs = await buildPrograms(ROOT);
/** Neither a server nor gigabytes are left behind, by whoever interrupts it either. */
async function clear(): Promise<void> {
  await ground.clear();
  await rm(programs.directory, { recursive: true, force: true });
}
for (const [signal, status] of [['SIGINT', 130], ['SIGTERM', 143]] as const) {
  process.once(signal, () => void clear().finally(() => process.exit(status)));
}
try {
  process.exitCode = (await main(ground, programs)) ? 0 : 1;
} finally {
  await clear();
}
