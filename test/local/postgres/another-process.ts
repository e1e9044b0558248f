/** Runs `startCluster` in a Node process of its own, from a bundle such as the one users get. */

import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import * as v from 'valibot';
import { inject } from 'vitest';
import type { Account } from '../../../src/local/postgres/account.ts';
import type { ClusterOptions } from '../../../src/local/postgres/cluster.ts';
import { temporaryDirectory } from '../../support/postgres.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

const PROGRAM = `
  import { startCluster } from './src/local/postgres/cluster.ts';
  const cluster = await startCluster(JSON.parse(process.argv[2]));
  console.log(JSON.stringify({ port: cluster.port, url: cluster.superuserUrl('postgres') }));
`;

const Started = v.object({ port: v.number(), url: v.string() });
export type Started = v.InferOutput<typeof Started>;

/** pg is CommonJS. */
const BANNER = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`;

/** The path of the bundle: with its packages, where every account can read it, whoever may read this checkout. */
export async function bundle(): Promise<string> {
  const file = join(await temporaryDirectory(), 'start.mjs');
  await build({
    stdin: { contents: PROGRAM, resolveDir: ROOT, loader: 'ts' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    external: ['pg-native'],
    banner: { js: BANNER },
    outfile: file,
    logLevel: 'error',
  });
  return file;
}

export function run(file: string, options: ClusterOptions, account?: Account): ChildProcess {
  const settings = { binariesDirectory: inject('binariesDirectory'), ...options };
  return spawn(process.execPath, [file, JSON.stringify(settings)], {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
  });
}

/** Waits for the process and for the pipes from it to end, so it fails if the server kept one. */
export async function started(child: ChildProcess): Promise<Started> {
  let output = '';
  let errors = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on('close', (status) => {
      if (status === 0) resolve(v.parse(Started, JSON.parse(output)));
      else reject(new Error(`exit status ${String(status)}: ${errors}`));
    });
  });
}
