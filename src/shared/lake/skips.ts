import { SKIP_PREFIX, skipKey } from './key.ts';
import { toJson } from './json.ts';
import type { Lake } from './lake.ts';

/**
 * What an operator gave up on: in the processed bucket, an object for each table that a batch is to do without, a source
 * table, a dimension or a fact. Its key says it all. It stays: who rebuilds from the log leaves out the same.
 */
export class Skips {
  readonly keys: readonly string[];

  constructor(keys: readonly string[]) {
    this.keys = keys;
  }

  has(batch: number, table: string): boolean {
    return this.keys.includes(skipKey(batch, table));
  }
}

export async function readSkips(lake: Lake): Promise<Skips> {
  const keys: string[] = [];
  for await (const key of lake.list(SKIP_PREFIX)) keys.push(key);
  return new Skips(keys);
}

/** @returns whether it was not skipped before. */
export async function addSkip(lake: Lake, batch: number, table: string, at: Date): Promise<boolean> {
  const outcome = await lake.putIfAbsent(skipKey(batch, table), toJson({ batch, table, at: at.toISOString() }));
  return outcome === 'created';
}
