import { PipelineError } from '../errors.ts';
import { attemptPrefixes } from './key.ts';
import type { Lake } from './lake.ts';

export interface Attempt {
  /** Those that it may have written of. */
  readonly tables: readonly string[];
  readonly batch: number;
  readonly attempt: string;
}

/**
 * Does the work of an attempt up to its commit. One that finds the disk full gives back what it took: each try again
 * would take more of it, and leave less for everybody. Nothing else is ever deleted: objects that no entry names do no
 * harm, and whose entry may exist after all are not to be touched.
 */
export async function givingBack<T>(lake: Lake, attempt: Attempt, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof PipelineError && error.kind === 'lake_full') await remove(lake, attempt).catch(() => undefined);
    throw error;
  }
}

async function remove(lake: Lake, { tables, batch, attempt }: Attempt): Promise<void> {
  for (const table of tables) {
    for (const prefix of attemptPrefixes(table, batch, attempt)) {
      for await (const key of lake.list(prefix)) await lake.delete(key);
    }
  }
}
