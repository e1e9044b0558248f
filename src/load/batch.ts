import type pg from 'pg';
import type { ProcessedEntry, TransformedOutput } from '../shared/lake/entries.ts';
import type { Lake } from '../shared/lake/lake.ts';
import type { Skips } from '../shared/lake/skips.ts';
import { type Model, type OutputSpec, QUARANTINE } from '../shared/model/model.ts';
import { inTransaction } from '../shared/postgres/client.ts';
import { loadDimension, type Target } from './dimension.ts';
import { loadFact } from './fact.ts';
import { AnotherLoader, claim, type Counts, recordCounts, type TableCounts } from './ledger.ts';
import { loadRejects } from './quarantine.ts';
import { releaseFact } from './release.ts';

export interface BatchInput {
  readonly client: pg.Client;
  readonly lake: Lake;
  readonly schema: string;
  readonly model: Model;
  readonly entry: ProcessedEntry;
  readonly skips: Skips;
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
  const loading = inTransaction(client, 'begin', async () => {
    const claimed = await claim(client, entry, { model: model.hash, at: input.now(), wait: input.waitForLoader });
    if (!claimed) return 'lost';
    const target: Target = { client, lake: input.lake, schema: input.schema, batch: entry.batch };
    const counts = new Map<string, TableCounts>();
    for (const [table, skipped] of Object.entries(entry.skipped ?? {})) add(counts, table, { skipped });
    await loadDimensions(target, input, counts);
    for (const fact of model.facts) {
      const released = await releaseFact(target, model, fact, { mended: input.mended });
      if (released > 0) add(counts, fact.name, { released });
    }
    await loadFacts(target, input, counts);
    await loadRejected(target, input, counts);
    const all = Object.fromEntries(counts);
    await recordCounts(client, entry.batch, all);
    return all;
  });
  return loading.catch((error: unknown) => {
    if (error instanceof AnotherLoader) return 'busy';
    throw error;
  });
}

async function loadDimensions(target: Target, input: BatchInput, counts: Map<string, TableCounts>): Promise<void> {
  const { model } = input;
  for (const dimension of model.dimensions) {
    const output = outputOf(input, dimension, counts);
    if (output) add(counts, dimension.name, await loadDimension(target, model, dimension, output));
  }
}

async function loadFacts(target: Target, input: BatchInput, counts: Map<string, TableCounts>): Promise<void> {
  const { model } = input;
  for (const fact of model.facts) {
    const output = outputOf(input, fact, counts);
    if (output) add(counts, fact.name, await loadFact(target, model, fact, output));
  }
}

/** What the batch brings of an output; null where that is nothing, or skipped, itself or with its source. */
function outputOf(
  { entry, skips }: BatchInput,
  { name, source }: OutputSpec,
  counts: Map<string, TableCounts>,
): TransformedOutput | null {
  const output = entry.outputs[name];
  if (!output || output.rows === 0) return null;
  if (!skips.has(entry.batch, name) && !skips.has(entry.batch, source)) return output;
  add(counts, name, { skipped: output.rows });
  return null;
}

async function loadRejected(
  target: Target,
  { model, entry }: BatchInput,
  counts: Map<string, TableCounts>,
): Promise<void> {
  const output = entry.outputs[QUARANTINE];
  if (!output) return;
  for (const [table, quarantined] of await loadRejects(target, model, output)) add(counts, table, { quarantined });
}

const NOTHING: TableCounts = { staged: 0, written: 0, quarantined: 0, released: 0 };

function add(counts: Map<string, TableCounts>, table: string, more: Partial<TableCounts>): void {
  const sum = { ...(counts.get(table) ?? NOTHING) };
  counts.set(table, {
    staged: sum.staged + (more.staged ?? 0),
    written: sum.written + (more.written ?? 0),
    quarantined: sum.quarantined + (more.quarantined ?? 0),
    released: sum.released + (more.released ?? 0),
    ...(more.skipped === undefined ? {} : { skipped: more.skipped }),
  });
}
