import type pg from 'pg';
import type { ProcessedEntry, TransformedOutput } from '../shared/lake/entries.ts';
import type { Lake } from '../shared/lake/lake.ts';
import { readSkips } from '../shared/lake/skips.ts';
import { type Model, QUARANTINE } from '../shared/model/model.ts';
import { inTransaction } from '../shared/postgres/client.ts';
import { loadDimension, type Target } from './dimension.ts';
import { loadFact } from './fact.ts';
import { AnotherLoader, claim, type Counts, recordCounts, type TableCounts } from './ledger.ts';
import { loadRejects } from './quarantine.ts';
import { releaseFact } from './release.ts';
import { dropLeftOver, lookForStaged, stagedTable, type StagedTables } from './staged.ts';

export interface BatchInput {
  readonly client: pg.Client;
  readonly lake: Lake;
  readonly schema: string;
  readonly model: Model;
  readonly entry: ProcessedEntry;
  /** Load's model, or transform's, differs from the one of the batch before. */
  readonly mended: boolean;
  readonly now: () => Date;
  readonly waitForLoader: string;
}

/**
 * Loads one batch, in one transaction: ledger row, dimensions, what quarantine gives back, facts, what goes into
 * quarantine.
 * @returns `lost` when the batch was loaded already, `busy` when somebody else has been at it for `waitForLoader`.
 */
export async function loadBatch(input: BatchInput): Promise<Counts | 'lost' | 'busy'> {
  const { client, entry, model } = input;
  let leftOver: StagedTables = new Map();
  const loading = inTransaction(client, 'begin', async () => {
    const claimed = await claim(client, entry, { model: model.hash, at: input.now(), wait: input.waitForLoader });
    if (!claimed) return 'lost';
    const target: Target = { client, lake: input.lake, schema: input.schema, batch: entry.batch };
    const counts = new Map<string, TableCounts>();
    // Now, and not before: whoever skips keeps loaders from claiming a batch meanwhile.
    const isSkipped = await skippedOf(input);
    const staged = await lookForStaged(client, entry, model);
    for (const [table, skipped] of Object.entries(entry.skipped ?? {})) add(counts, table, { skipped });
    await loadDimensions(target, input, isSkipped, counts);
    for (const fact of model.facts) {
      const released = await releaseFact(target, model, fact, { mended: input.mended });
      if (released > 0) add(counts, fact.name, { released });
    }
    await loadFacts(target, input, isSkipped, counts, staged.facts);
    await loadRejected(target, input, isSkipped, counts);
    const all = Object.fromEntries(counts);
    await recordCounts(client, entry.batch, all);
    leftOver = staged.tables;
    return all;
  });
  const outcome = await loading.catch((error: unknown) => {
    if (error instanceof AnotherLoader) return 'busy' as const;
    throw error;
  });
  // Not before: whoever reads one of them, a backup or a worker that is still at it, must not hold up the batch.
  if (leftOver.size > 0) await dropLeftOver(client, leftOver);
  return outcome;
}

export type IsSkipped = (table: string) => boolean;
type AllCounts = Map<string, TableCounts>;

/** Which of its tables a batch is to do without. */
export async function skippedOf({ lake, entry }: Pick<BatchInput, 'lake' | 'entry'>): Promise<IsSkipped> {
  const { batch, ingested: attempt } = entry;
  if (attempt === undefined) return () => false;
  const skips = await readSkips(lake);
  return (table) => skips.has({ batch, attempt }, table);
}

async function loadDimensions(target: Target, input: BatchInput, isSkipped: IsSkipped, counts: AllCounts): Promise<void> {
  const { model } = input;
  for (const dimension of model.dimensions) {
    const output = outputOf(input, dimension.name, isSkipped, counts);
    if (output) add(counts, dimension.name, await loadDimension(target, model, dimension, output));
  }
}

async function loadFacts(
  target: Target,
  input: BatchInput,
  isSkipped: IsSkipped,
  counts: AllCounts,
  staged: ReadonlySet<string>,
): Promise<void> {
  const { model } = input;
  for (const fact of model.facts) {
    const output = outputOf(input, fact.name, isSkipped, counts);
    const from = staged.has(fact.name) ? stagedTable(fact) : null;
    if (output) add(counts, fact.name, await loadFact(target, model, fact, output, from));
  }
}

async function loadRejected(target: Target, input: BatchInput, isSkipped: IsSkipped, counts: AllCounts): Promise<void> {
  const output = outputOf(input, QUARANTINE, isSkipped, counts);
  if (!output) return;
  for (const [table, rows] of await loadRejects(target, input.model, output, isSkipped)) {
    add(counts, table, isSkipped(table) ? { skipped: rows } : { quarantined: rows });
  }
}

/** What the batch brings of an output; null where that is nothing, or skipped. */
function outputOf({ entry }: BatchInput, name: string, isSkipped: IsSkipped, counts: AllCounts): TransformedOutput | null {
  const output = entry.outputs[name];
  if (!output || output.rows === 0) return null;
  if (!isSkipped(name)) return output;
  add(counts, name, { skipped: output.rows });
  return null;
}

const NOTHING: TableCounts = { staged: 0, written: 0, quarantined: 0, released: 0 };

function add(counts: Map<string, TableCounts>, table: string, more: Partial<TableCounts>): void {
  const sum = { ...(counts.get(table) ?? NOTHING) };
  const skipped = more.skipped === undefined ? sum.skipped : (sum.skipped ?? 0) + more.skipped;
  counts.set(table, {
    staged: sum.staged + (more.staged ?? 0),
    written: sum.written + (more.written ?? 0),
    quarantined: sum.quarantined + (more.quarantined ?? 0),
    released: sum.released + (more.released ?? 0),
    ...(skipped === undefined ? {} : { skipped }),
  });
}
