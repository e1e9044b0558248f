/** A lake in a directory, among files that are none of its business, and what was done to both. */

import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { DirectoryLake } from '../../src/local/directory-lake.ts';
import { PipelineError } from '../../src/shared/errors.ts';
import type { Lake } from '../../src/shared/lake/lake.ts';
import { temporaryDirectory } from '../support/postgres.ts';

/** A directory with two lakes in it, and bait beside them. */
export interface Surroundings {
  readonly root: string;
  readonly ingestion: DirectoryLake;
  readonly processed: DirectoryLake;
}

/** Right in form, so that reading it would go unnoticed. */
const BAIT = 'team_id,name,city,motto\n666,BAIT,,\n';

export async function freshSurroundings(): Promise<Surroundings> {
  const root = await temporaryDirectory();
  for (const name of ['bait.csv', 'data/team/bait.csv', 'ingestion-other/bait.csv']) await write(join(root, name), BAIT);
  const [ingestion, processed] = [new DirectoryLake(join(root, 'ingestion')), new DirectoryLake(join(root, 'processed'))];
  await write(join(ingestion.location, 'bait.csv'), BAIT);
  return { root, ingestion, processed };
}

export async function write(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

/** What a power cut would take is not what is tried here, and most of the time would go into it. */
export async function neverSync(): Promise<void> {
  const handle = await open(import.meta.filename);
  const prototype: unknown = Object.getPrototypeOf(handle);
  await handle.close();
  if (typeof prototype === 'object' && prototype !== null) Object.defineProperty(prototype, 'sync', { value: async () => undefined });
}

/** Every file below `directory`, and what is in it. */
export async function filesIn(directory: string): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(path, sha256(await readFile(path)));
  }
  return files;
}

/** Takes away what was not there before; an error where anything that was is another now. */
export async function restore(directory: string, before: ReadonlyMap<string, string>, writable: (path: string) => boolean): Promise<void> {
  const now = await filesIn(directory);
  for (const [path, was] of before) expect([path, now.get(path)]).toEqual([path, was]);
  for (const path of now.keys()) {
    if (before.has(path)) continue;
    expect(writable(path), `${path} was written`).toBe(true);
    await rm(path);
  }
}

/** Keeps which keys were read, whatever came of it. */
export function watched(lake: Lake, read: Set<string>): Lake {
  return {
    location: lake.location,
    get: async (key) => {
      const body = await lake.get(key);
      read.add(key);
      return body;
    },
    put: async (key, body) => lake.put(key, body),
    putIfAbsent: async (key, body) => lake.putIfAbsent(key, body),
    replace: async (key, body) => lake.replace(key, body),
    list: (prefix, after) => lake.list(prefix, after),
    delete: async (key) => lake.delete(key),
  };
}

export async function digestOf(lake: Lake, key: string): Promise<string> {
  return sha256(await readFile(join(lake.location, key)));
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What a stage may end with when its lake is damaged: an error that says which object, or which batch, is at fault. */
export function expectTold(error: unknown, kinds: RegExp): void {
  if (!(error instanceof PipelineError)) throw error;
  expect(error.kind).toMatch(kinds);
  const { key, batch } = error.context;
  expect(key ?? batch, `${error.message} names neither object nor batch`).toBeDefined();
}
