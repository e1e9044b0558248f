/** Terraform for tests: finds it and its provider, and runs it in a copy of the configuration. */

import { spawn, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { zipSync } from 'fflate';
import * as v from 'valibot';
import { skipLoudly } from '../support/skip.ts';

type Environment = Readonly<Record<string, string>>;

/** Values of variables: lists, objects and nulls too. */
export type Variables = Readonly<Record<string, unknown>>;

export interface Terraform {
  readonly directory: string;
  readonly init: () => Promise<string>;
  readonly apply: (variables?: Variables) => Promise<string>;
  readonly destroy: (variables?: Variables) => Promise<string>;
  /** Whether an apply would change anything. */
  readonly plan: (variables?: Variables) => Promise<'empty' | 'changes'>;
  readonly outputs: () => Promise<Readonly<Record<string, unknown>>>;
  /** Addresses in the state. */
  readonly stateList: () => Promise<readonly string[]>;
  /** What `terraform show -json` says of the state. */
  readonly show: () => Promise<unknown>;
  /** Any other command. Rejects where its exit status is not 0. */
  readonly run: (...argv: readonly string[]) => Promise<string>;
}

/** From the PATH. */
const PROGRAM = 'terraform';
const CONFIGURATION = fileURLToPath(new URL('../../terraform', import.meta.url));
/** What people have beside the configuration: state, settings, providers. */
const LOCAL = /^(\.terraform.*|.*\.tfstate.*|backend\.tf|.*\.auto\.tfvars|terraform\.tfvars)$/;
const STAGES = ['ingest', 'transform', 'load'];

/** Where packages and people put mirrors; a mirror is `<host>/hashicorp/aws/<version>`. */
const MIRROR_PLACES = [
  join(homedir(), '.terraform.d', 'plugins'), join(homedir(), '.local', 'share', 'terraform', 'plugins'),
  '/usr/local/share/terraform/plugins', '/usr/share/terraform/plugins',
  '/usr/local/share/terraform', '/usr/share/terraform', '/opt',
];

const TESTS = 'all tests that need Terraform';

/** The environment in which Terraform finds its provider, or null, loudly, where there is no Terraform or no provider. */
export async function findTerraform(): Promise<Environment | null> {
  if (spawnSync(PROGRAM, ['version']).status !== 0) return skipLoudly(TESTS, 'terraform is not installed');
  const base = { TF_IN_AUTOMATION: '1', TF_INPUT: '0', CHECKPOINT_DISABLE: '1' };
  const mirror = process.env['TF_PLUGIN_DIR'] ?? (await findMirror());
  if (mirror !== undefined) {
    return { ...base, TF_CLI_CONFIG_FILE: '/dev/null', TF_CLI_ARGS_init: `-plugin-dir=${mirror}` };
  }
  // From the network, and once for all tests.
  const cache = join(tmpdir(), 'starling-terraform-providers');
  await mkdir(cache, { recursive: true });
  const online = { ...base, TF_PLUGIN_CACHE_DIR: cache, TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE: '1' };
  const trial = await copyOfConfiguration('.');
  const isThere = await terraformIn(trial, online).init().then(() => true, () => false);
  return isThere ? online : skipLoudly(TESTS, "terraform's provider hashicorp/aws is neither in a mirror (TF_PLUGIN_DIR) nor to be downloaded");
}

/** In the place itself, or one folder further down. */
async function findMirror(): Promise<string | undefined> {
  for (const place of MIRROR_PLACES) {
    const below = (await directoriesIn(place)).map((name) => join(place, name));
    for (const root of [place, ...below]) {
      for (const host of await directoriesIn(root)) {
        if ((await directoriesIn(join(root, host, 'hashicorp', 'aws'))).length > 0) return root;
      }
    }
  }
  return undefined;
}

async function directoriesIn(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink()).map(({ name }) => name);
}

/** Those of this process; state is in them. */
const temporary: string[] = [];

export async function scratchDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'starling-terraform-'));
  if (temporary.push(directory) === 1) process.once('exit', () => removeTemporary());
  return directory;
}

/** At once, since it also happens at the process' end. */
export function removeTemporary(): void {
  for (const directory of temporary.splice(0)) rmSync(directory, { recursive: true, force: true });
}

/** A copy, so that no test meets another's state or anybody's settings. `part`: `.` or `bootstrap`. */
export async function copyOfConfiguration(part: string): Promise<string> {
  const directory = await scratchDirectory();
  await cp(join(CONFIGURATION, part), directory, { recursive: true, filter: (path) => !LOCAL.test(basename(path)) });
  return directory;
}

/** Bundles that Lambda would take, and that do nothing. */
export async function emptyBundles(): Promise<string> {
  const directory = await scratchDirectory();
  const zip = zipSync({ 'index.mjs': new TextEncoder().encode('export const handler = async () => ({});\n') });
  for (const stage of STAGES) await writeFile(join(directory, `${stage}.zip`), zip);
  return directory;
}

export function terraformIn(directory: string, environment: Environment): Terraform {
  const { PATH = '', HOME = '', TMPDIR = tmpdir() } = process.env;
  const env = { PATH, HOME, TMPDIR, ...environment };
  const run = async (...argv: readonly string[]): Promise<string> => succeeded(argv, await ended(argv, directory, env));
  const changing = ['-input=false', '-no-color', '-auto-approve'];
  return {
    directory,
    run,
    init: () => run('init', '-input=false', '-no-color'),
    apply: async (variables = {}) => run('apply', ...changing, await variableFile(directory, variables)),
    destroy: async (variables = {}) => run('destroy', ...changing, await variableFile(directory, variables)),
    plan: async (variables = {}) => {
      const argv = ['plan', '-input=false', '-no-color', '-detailed-exitcode', await variableFile(directory, variables)];
      const plan = await ended(argv, directory, env);
      if (plan.status === 2) return 'changes';
      succeeded(argv, plan);
      return 'empty';
    },
    outputs: async () => {
      const outputs = v.parse(outputsSchema, JSON.parse(await run('output', '-json')));
      return Object.fromEntries(Object.entries(outputs).map(([name, { value }]) => [name, value]));
    },
    stateList: async () => (await run('state', 'list')).split('\n').filter((line) => line !== ''),
    show: async () => JSON.parse(await run('show', '-json')) as unknown,
  };
}

const outputsSchema = v.record(v.string(), v.object({ value: v.unknown() }));

/** As a file, since a command line has no lists; beside the configuration, which is a copy. */
async function variableFile(directory: string, variables: Variables): Promise<string> {
  const path = join(directory, 'test.tfvars.json');
  await writeFile(path, JSON.stringify(variables));
  return `-var-file=${path}`;
}

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Not in this process' way while it runs: others of this test are at work meanwhile. */
async function ended(argv: readonly string[], cwd: string, env: Environment): Promise<Ended> {
  const child = spawn(PROGRAM, argv, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = (): boolean => child.kill('SIGKILL');
  process.once('exit', kill);
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  process.off('exit', kill);
  return { status, stdout, stderr };
}

function succeeded(argv: readonly string[], { status, stdout, stderr }: Ended): string {
  if (status === 0) return stdout;
  throw new Error(`terraform ${argv.join(' ')} ended with ${status}:\n${stdout.slice(-4000)}\n${stderr}`);
}
