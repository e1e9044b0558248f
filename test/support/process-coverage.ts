/**
 * Counts what spawned `dist/starling.js` processes ran into the coverage of the test run. They leave V8's counts for
 * the bundle in a directory; before the report is made they are carried over, through the source map, to files of src.
 */

import { mkdtempSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { convert } from 'ast-v8-to-istanbul';
import * as v from 'valibot';
import { parseAstAsync, type Reporter, type Vitest } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** For NODE_V8_COVERAGE of spawned processes; empty when coverage is not measured. */
    readonly processCoverage: string;
  }
}

interface Place {
  readonly start: { readonly line: number; readonly column: number };
}

/** What istanbul knows of one file, as far as it is needed here. */
interface FileCounts {
  readonly statementMap: Readonly<Record<string, Place>>;
  readonly fnMap: Readonly<Record<string, { readonly loc: Place }>>;
  readonly branchMap: Readonly<Record<string, { readonly type: string; readonly loc: Place }>>;
  readonly s: Record<string, number>;
  readonly f: Record<string, number>;
  readonly b: Record<string, number[]>;
}

interface CoverageMap {
  files(): string[];
  fileCoverageFor(file: string): FileCounts;
}

const range = v.object({ startOffset: v.number(), endOffset: v.number(), count: v.number() });
const functions = v.array(
  v.object({ functionName: v.string(), isBlockCoverage: v.boolean(), ranges: v.array(range) }),
);
type Functions = v.InferOutput<typeof functions>;
const processCounts = v.object({ result: v.array(v.looseObject({ url: v.string(), functions: v.unknown() })) });

const sourceMap = v.object({
  version: v.literal(3),
  sources: v.array(v.string()),
  sourcesContent: v.array(v.string()),
  mappings: v.string(),
  names: v.array(v.string()),
});

export class ProcessCoverage implements Reporter {
  readonly #bundle: string;
  #directory = '';

  constructor(bundle: string) {
    this.#bundle = bundle;
  }

  onInit(vitest: Vitest): void {
    if (vitest.config.coverage.enabled) this.#directory = mkdtempSync(join(tmpdir(), 'starling-coverage-'));
    vitest.provide('processCoverage', this.#directory);
  }

  /** Called before vitest reports from `coverage` and holds it against the thresholds. */
  async onCoverage(coverage: unknown): Promise<void> {
    if (this.#directory === '' || !isCoverageMap(coverage)) return;
    const code = await readFile(this.#bundle, 'utf8');
    const map = v.parse(sourceMap, JSON.parse(await readFile(`${this.#bundle}.map`, 'utf8')));
    const url = pathToFileURL(this.#bundle).href;
    for (const name of await readdir(this.#directory)) {
      const counted = await readCounts(join(this.#directory, name), url, code.length);
      if (!counted) continue;
      const ast = parseAstAsync(code);
      const files = await convert({ code, sourceMap: map, ast, coverage: { url, functions: counted } });
      for (const [file, counts] of Object.entries(files)) addCounts(coverage, file, counts);
    }
  }

  async onTestRunEnd(): Promise<void> {
    if (this.#directory !== '') await rm(this.#directory, { recursive: true, force: true });
  }
}

function isCoverageMap(value: unknown): value is CoverageMap {
  return typeof value === 'object' && value !== null && 'files' in value && 'fileCoverageFor' in value;
}

/** Null for a process that ran another build, or that was killed while it wrote. */
async function readCounts(path: string, url: string, length: number): Promise<Functions | null> {
  const content = await readFile(path, 'utf8');
  try {
    const script = v.parse(processCounts, JSON.parse(content)).result.find((candidate) => candidate.url === url);
    const counted = v.parse(functions, script?.functions);
    return counted[0]?.ranges[0]?.endOffset === length ? counted : null;
  } catch {
    return null;
  }
}

function addCounts(coverage: CoverageMap, file: string, counts: FileCounts): void {
  if (!coverage.files().includes(file)) return;
  const known = coverage.fileCoverageFor(file);
  for (const [to, from] of pairs(known.statementMap, counts.statementMap, startOf)) {
    known.s[to] = (known.s[to] ?? 0) + (counts.s[from] ?? 0);
  }
  for (const [to, from] of pairs(known.fnMap, counts.fnMap, ({ loc }) => startOf(loc))) {
    known.f[to] = (known.f[to] ?? 0) + (counts.f[from] ?? 0);
  }
  for (const [to, from] of pairs(known.branchMap, counts.branchMap, ({ type, loc }) => `${type} ${startOf(loc)}`)) {
    const ways = counts.b[from] ?? [];
    if (ways.length === known.b[to]?.length) known.b[to] = known.b[to].map((count, way) => count + (ways[way] ?? 0));
  }
}

function startOf({ start: { line, column } }: Place): string {
  return `${line}:${column}`;
}

type Places<P> = Readonly<Record<string, P>>;

/**
 * Which ids of the two mean the same place. Two compilers of one source agree on where things begin, not on where they
 * end, so istanbul's own merge would count nearly everything twice. What is in doubt is left out.
 */
function* pairs<P>(known: Places<P>, other: Places<P>, where: (place: P) => string): Generator<[string, string]> {
  const candidates = idsByStart(other, where);
  for (const [start, ids] of idsByStart(known, where)) {
    const others = candidates.get(start) ?? [];
    if (others.length !== ids.length) continue;
    for (const [at, id] of ids.entries()) yield [id, others[at] ?? ''];
  }
}

function idsByStart<P>(places: Places<P>, where: (place: P) => string): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const [id, place] of Object.entries(places)) {
    const start = where(place);
    groups.set(start, [...(groups.get(start) ?? []), id]);
  }
  return groups;
}
