import { toJson } from './json.ts';
import { batchOfSkipKey, SKIP_PREFIX, skipKey } from './key.ts';
import type { Lake } from './lake.ts';

/** A batch, as the attempt of ingest that committed it: one that was taken back and read again is another. */
export interface IngestedBatch {
  readonly batch: number;
  readonly attempt: string;
}

/**
 * What an operator gave up on: in the processed bucket, an object for each table that a batch is to do without. Its key
 * says it all. They stay, so that who rebuilds from the log leaves out the same.
 *
 * Of a source table: transform takes it as if it had brought nothing. Of a dimension or fact, or of the rejected rows:
 * nothing of it is loaded; what it is made of goes on.
 */
export class Skips {
  readonly keys: readonly string[];

  constructor(keys: readonly string[]) {
    this.keys = keys;
  }

  has({ batch, attempt }: IngestedBatch, table: string): boolean {
    return this.keys.includes(skipKey(batch, attempt, table));
  }

  /** Of batches before this one. */
  before(batch: number): readonly string[] {
    return this.keys.filter((key) => (batchOfSkipKey(key) ?? batch) < batch);
  }
}

export async function readSkips(lake: Lake): Promise<Skips> {
  const keys: string[] = [];
  for await (const key of lake.list(SKIP_PREFIX)) keys.push(key);
  return new Skips(keys);
}

/** @returns whether it was not skipped before. */
export async function addSkip(lake: Lake, { batch, attempt }: IngestedBatch, table: string, at: Date): Promise<boolean> {
  const outcome = await lake.putIfAbsent(skipKey(batch, attempt, table), toJson({ table, at: at.toISOString() }));
  return outcome === 'created';
}

export async function removeSkip(lake: Lake, { batch, attempt }: IngestedBatch, table: string): Promise<void> {
  await lake.delete(skipKey(batch, attempt, table));
}
