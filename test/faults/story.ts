import type pg from 'pg';
import { type IngestionEntry, ingestionEntrySchema, processedEntrySchema } from '../../src/shared/lake/entries.ts';
import type { Lake } from '../../src/shared/lake/lake.ts';
import { Log } from '../../src/shared/lake/log.ts';
import { earlierMarket, market } from './market.ts';

/** What logs and ledger say of a batch. */
export interface Batch {
  readonly batch: number;
  /** `pg_current_snapshot()` under which it was read. */
  readonly snapshot: string;
  /** The models of the stages that have done it, in their order. */
  readonly models: readonly string[];
  /** All three knew all that the later model declares. */
  readonly isLater: boolean;
  /** The tables that were read whole, and why. */
  readonly whole: readonly string[];
}

export async function batchesOf(ingestion: Lake, processed: Lake, warehouse: pg.Client): Promise<readonly Batch[]> {
  const [read, transformed] = [new Log(ingestion, ingestionEntrySchema), new Log(processed, processedEntrySchema)];
  const ledger = await warehouse.query<{ batch_id: string; model_hash: string }>('select batch_id, model_hash from pipeline.ledger');
  const loaded = new Map(ledger.rows.map((row) => [Number(row.batch_id), row.model_hash]));
  const [head, made] = [await read.head(), await transformed.head()];
  const batches: Batch[] = [];
  for (let batch = 1; batch <= head; batch += 1) {
    const entry = await read.read(batch);
    const models = [entry.model, ...(batch <= made ? [(await transformed.read(batch)).model] : []), loaded.get(batch) ?? ''];
    batches.push({ batch, snapshot: entry.snapshot, models, isLater: models.every((model) => model === market.hash), whole: wholeIn(entry) });
  }
  return batches;
}

function wholeIn({ tables }: IngestionEntry): readonly string[] {
  return Object.entries(tables).flatMap(([name, { whole }]) => (whole === null ? [] : [`${name} (${whole})`]));
}

/** For whoever looks for the cause of what was found. */
export function storyOf({ batch, models, whole }: Batch): string {
  const by = models.map((model) => (model === earlierMarket.hash ? 'earlier' : model === market.hash ? 'later' : 'no'));
  return `batch ${batch}, by the ${by.join(', ')} model${whole.length > 0 ? `; whole: ${whole.join(', ')}` : ''}`;
}
