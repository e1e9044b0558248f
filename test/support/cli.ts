/** The command line in tests: in this process, or as users have it, as a process of its own. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readdir, rename, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { inject } from 'vitest';
import { bundle, COMMAND_LINE } from '../../build/bundle.ts';
import { main } from '../../src/cli/main.ts';

/** One object of `--json`. */
export type Event = Readonly<Record<string, unknown>>;

export type Environment = Readonly<Record<string, string>>;

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const BUNDLE = join(ROOT, 'dist', 'starling.js');

/** Keeps what is written to it. */
export class Capture extends Writable {
  text = '';
  readonly isTTY: boolean;

  constructor(isTTY = false) {
    super({ decodeStrings: false });
    this.isTTY = isTTY;
  }

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** Runs one command in this process. */
export async function runMain(
  argv: readonly string[],
  environment: Environment = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<Ran> {
  const [stdout, stderr] = [new Capture(), new Capture()];
  const status = await main(argv, { stdout, stderr, environment, signal, version: '1.2.3' });
  return { status, stdout: stdout.text, stderr: stderr.text };
}

const event = v.record(v.string(), v.unknown());

/** The objects of `--json`; an error where a line is anything else. */
export function eventsOf(output: string): readonly Event[] {
  const lines = output.split('\n').filter((line) => line !== '');
  return lines.map((line) => v.parse(event, JSON.parse(line)));
}

/** `dist/starling.js` at work. */
export interface Spawned {
  readonly child: ChildProcess;
  /** What it has written so far. */
  readonly output: () => { readonly stdout: string; readonly stderr: string };
  /** Resolves when it has ended and its pipes are closed. The status of a signal is 128 plus its number. */
  readonly ended: Promise<Ran>;
  /** Resolves once its output is such; an error where it ends before. */
  readonly until: (isSuch: (output: { readonly stdout: string; readonly stderr: string }) => boolean) => Promise<void>;
}

export interface SpawnOptions {
  readonly environment?: Environment;
  readonly cwd: string;
  /** Default true. A process that is killed leaves nothing to count. */
  readonly measured?: boolean;
}

export async function spawnStarling(argv: readonly string[], options: SpawnOptions): Promise<Spawned> {
  await built();
  const directory = options.measured === false ? '' : inject('processCoverage');
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, [BUNDLE, ...argv], {
    cwd: options.cwd,
    env: { PATH, HOME, ...(directory ? { NODE_V8_COVERAGE: directory } : {}), ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return watched(child);
}

const SIGNALS: Readonly<Record<string, number>> = { SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

function watched(child: ChildProcess): Spawned {
  let [stdout, stderr] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  let isOver = false;
  const ended = new Promise<Ran>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      isOver = true;
      resolve({ status: code ?? 128 + (SIGNALS[signal ?? ''] ?? 0), stdout, stderr });
    });
  });
  const output = () => ({ stdout, stderr });
  const until: Spawned['until'] = async (isSuch) => {
    while (!isSuch(output())) {
      if (isOver) throw new Error(`it ended before:\n${stdout}\n${stderr}`);
      await sleep(10);
    }
  };
  return { child, output, ended, until };
}

/** Runs `dist/starling.js` to its end. */
export async function runStarling(argv: readonly string[], options: SpawnOptions): Promise<Ran> {
  return (await spawnStarling(argv, options)).ended;
}

let building: Promise<void> | undefined;

/** Builds `dist/starling.js` as `make build` does, where it is missing or older than its sources. */
async function built(): Promise<void> {
  building ??= (await isCurrent()) ? Promise.resolve() : bundleAll();
  return building;
}

async function isCurrent(): Promise<boolean> {
  const at = await stat(BUNDLE).then(({ mtimeMs }) => mtimeMs, () => 0);
  const names = await readdir(join(ROOT, 'src'), { recursive: true });
  const times = await Promise.all(names.map(async (name) => (await stat(join(ROOT, 'src', name))).mtimeMs));
  return at > Math.max(...times);
}

/** Aside first: other test files may be running it. */
async function bundleAll(): Promise<void> {
  await mkdir(dirname(BUNDLE), { recursive: true });
  for (const [name, entry] of Object.entries(COMMAND_LINE)) {
    const { outputFiles } = await bundle(join(ROOT, entry), join(dirname(BUNDLE), name));
    for (const { path, contents } of outputFiles) {
      const aside = join(dirname(path), `.${process.pid}-${basename(path)}`);
      await writeFile(aside, contents, { mode: 0o755 });
      await rename(aside, path);
    }
  }
}
