import type pg from 'pg';
import type { Part, ProcessedEntry } from '../shared/lake/entries.ts';
import { rangeBytesOf, type Splitting } from '../shared/lake/split.ts';
import type { Model } from '../shared/model/model.ts';
import { inTransaction } from '../shared/postgres/client.ts';
import { type BatchInput, type IsSkipped, skippedOf } from './batch.ts';
import { ledgerHead } from './ledger.ts';
import { factsOf, makeTables, missingRanges, partsOf, TRY_LOCK_TABLES } from './staged.ts';

/**
 * A batch whose facts are too large for one call is staged in ranges, runs of the parts of one fact, by several workers.
 * Who finds that none is missing loads the batch, in the one transaction that loads any: readers see all of it or
 * nothing. There is no coordinator; what is begun, sent or staged twice is work done in vain.
 */

/** The parts of one range. */
export type Range = readonly Part[];

/** None where the batch is not so large. */
export function cut(entry: Pick<ProcessedEntry, 'outputs'>, model: Model, isSkipped: IsSkipped, split: Splitting): readonly Range[] {
  const facts = factsOf(entry, model);
  const all = facts.filter(({ name }) => !isSkipped(name)).flatMap(({ name }) => partsOf(entry, name));
  const bytes = bytesIn(all);
  if (bytes <= split.thresholdBytes) return [];
  // What is skipped by now may not be so for ever: it has its place among the others.
  const ranges = facts.flatMap(({ name }) => cutFact(partsOf(entry, name), rangeBytesOf(split, bytes)));
  return ranges.length < 2 ? [] : ranges;
}

function cutFact(parts: readonly Part[], rangeBytes: number): readonly Range[] {
  const ranges: Part[][] = [];
  for (const part of parts) {
    const last = ranges.at(-1);
    if (last && bytesIn([...last, part]) <= rangeBytes) last.push(part);
    else ranges.push([part]);
  }
  return ranges;
}

function bytesIn(parts: readonly Part[]): number {
  return parts.reduce((sum, part) => sum + part.bytes, 0);
}

export interface Staging {
  readonly client: pg.Client;
  readonly entry: ProcessedEntry;
  readonly model: Model;
  readonly isSkipped: IsSkipped;
}

/**
 * Has a large batch staged, or what is missing of it.
 * @returns whether there is something to wait for: else the batch can be loaded.
 */
export async function handOut(
  { client, lake, entry, model }: Pick<BatchInput, 'client' | 'lake' | 'entry' | 'model'>,
  split: Splitting,
): Promise<boolean> {
  // Most batches are small, whatever is skipped of them.
  if (cut(entry, model, () => false, split).length === 0) return false;
  const isSkipped = await skippedOf({ lake, entry });
  const ranges = cut(entry, model, isSkipped, split);
  if (ranges.length === 0) return false;
  const staging = { client, entry, model, isSkipped };
  const begun = await begin(staging, ranges);
  if (begun !== 'begun') return begun === 'others';
  const missing = await missingOf(staging);
  if (missing.length === 0) return false;
  const { batch, attempt } = entry;
  if (!(await split.isBusy())) await split.send(missing.map((range) => ({ batch, attempt, range })));
  return true;
}

/** Ranges that are not staged, of what is not skipped: a part that cannot be read may be why it is. */
export async function missingOf({ client, entry, model, isSkipped }: Staging): Promise<readonly number[]> {
  const skipped = factsOf(entry, model).filter(({ name }) => isSkipped(name));
  return missingRanges(client, entry, skipped.flatMap(({ name }) => partsOf(entry, name).map(({ key }) => key)));
}

/** May be done by several at once, and again. `others`: somebody else is at it, or loads the batch. */
async function begin({ client, entry, model }: Staging, ranges: readonly Range[]): Promise<'begun' | 'loaded' | 'others'> {
  return inTransaction(client, 'begin', async () => {
    const { rows } = await client.query<{ taken: string }>(TRY_LOCK_TABLES);
    if (((await ledgerHead(client))?.batch ?? 0) >= entry.batch) return 'loaded';
    if (rows[0]?.taken !== 't') return 'others';
    await makeTables(client, entry, factsOf(entry, model), ranges);
    return 'begun';
  });
}
