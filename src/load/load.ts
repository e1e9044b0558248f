import type pg from 'pg';
import { PipelineError } from '../shared/errors.ts';
import { type ProcessedEntry, processedEntrySchema } from '../shared/lake/entries.ts';
import type { Lake } from '../shared/lake/lake.ts';
import { Log } from '../shared/lake/log.ts';
import { checkComplete, checkModel, checkSameLog } from '../shared/lake/skew.ts';
import type { Splitting } from '../shared/lake/split.ts';
import { type Model, outputsOf, QUARANTINE } from '../shared/model/model.ts';
import { close, connect } from '../shared/postgres/client.ts';
import { fromPostgres } from '../shared/postgres/errors.ts';
import type { Report, StageResult } from '../shared/report.ts';
import { loadBatch } from './batch.ts';
import { type Counts, type LedgerHead, ledgerHead } from './ledger.ts';
import { migrate } from './schema/migrate.ts';
import { WAIT_FOR_LOADER, WAREHOUSE_SETTINGS } from './session.ts';
import { handOut } from './split.ts';

export interface LoadContext {
  readonly model: Model;
  readonly warehouseUrl: string;
  readonly warehouseSchema: string;
  readonly processed: Lake;
  readonly report: Report;
  /** Starling's clock. */
  readonly now: () => Date;
  /** When aborted, the batch in hand is finished and no other begun. */
  readonly signal?: AbortSignal;
  /** How long to wait for another loader at the same batch, as PostgreSQL takes it: `10s`; 15 minutes by default. */
  readonly waitForLoader?: string;
  /** How large batches are staged by several workers; without it, each is loaded by one. */
  readonly split?: Splitting;
}

export type WarehouseContext = Pick<LoadContext, 'model' | 'warehouseUrl' | 'warehouseSchema'>;

/** Makes the warehouse's schema, or what the model has grown by; the statements that it took. */
export async function initialise(context: WarehouseContext): Promise<readonly string[]> {
  return inWarehouse(context, (client) => migrate(client, context.warehouseSchema, context.model));
}

/**
 * Loads every batch that transform has committed and the warehouse does not hold, oldest first. May be called at any
 * time, by anybody, and by several at once.
 * @throws PipelineError; the batch it names and those behind it stay pending.
 */
export async function load(context: LoadContext): Promise<StageResult> {
  const log = new Log(context.processed, processedEntrySchema);
  return inWarehouse(context, async (client) => {
    await migrate(client, context.warehouseSchema, context.model);
    let ledger = await ledgerHead(client);
    let until = await log.head(ledger?.batch);
    await checkFollows(log, ledger, until);
    let [head, batches] = [ledger?.batch ?? 0, 0];
    while (head < until && context.signal?.aborted !== true) {
      const outcome = await loadNext(context, client, log, ledger, context.split);
      // Batches behind it wait for it.
      if (outcome === 'handed_out') return { stage: 'load', batches, head, isUpToDate: false };
      if (outcome === 'busy') {
        if (context.waitForLoader !== undefined) break;
        throw new PipelineError('warehouse_locked', `another loader has been at it for ${WAIT_FOR_LOADER}`, { batch: head + 1 });
      }
      if (outcome === 'loaded') batches += 1;
      ledger = await ledgerHead(client);
      head = ledger?.batch ?? 0;
      // What has come in the meantime is done too.
      if (head >= until) until = await log.head(head);
    }
    if (batches === 0 && head >= until) context.report({ event: 'nothing_new', stage: 'load', batch: head });
    return { stage: 'load', batches, head, isUpToDate: head >= until };
  });
}

export async function inWarehouse<T>(
  context: Pick<WarehouseContext, 'warehouseUrl'>,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = await connect('warehouse', context.warehouseUrl, WAREHOUSE_SETTINGS);
  try {
    return await work(client);
  } catch (error) {
    throw fromPostgres('warehouse', error, { stage: 'load' });
  } finally {
    await close(client);
  }
}

/** A lake that is not the one this warehouse was loaded from is refused before anything is done. */
async function checkFollows(log: Log<ProcessedEntry>, ledger: LedgerHead | null, head: number): Promise<void> {
  if (!ledger) return;
  if (head > 0) checkSameLog(await log.read(Math.min(head, ledger.batch)), ledger.log_id, 'the warehouse');
  if (head >= ledger.batch) return;
  const message = `the warehouse holds batch ${ledger.batch}, but the processed bucket ends at batch ${head}`;
  throw new PipelineError('lake_foreign', message, { batch: ledger.batch });
}

/** @param split How it is to be staged by several, where it is large and is not staged already. */
export async function loadNext(
  context: LoadContext,
  client: pg.Client,
  log: Log<ProcessedEntry>,
  ledger: LedgerHead | null,
  split?: Splitting,
): Promise<'loaded' | 'lost' | 'busy' | 'handed_out'> {
  const { model, report, now, processed: lake, warehouseSchema: schema, waitForLoader = WAIT_FOR_LOADER } = context;
  const started = performance.now();
  const batch = (ledger?.batch ?? 0) + 1;
  const entry = await log.read(batch);
  checkSameLog(entry, ledger?.log_id ?? null, 'the warehouse');
  await checkModel(log, entry, model.hash);
  checkComplete(entry, model.hash, entry.outputs, [...outputsOf(model).map(({ name }) => name), QUARANTINE]);
  if (split && (await handOut({ client, lake, entry, model }, split))) {
    report({ event: 'busy', stage: 'load', batch });
    return 'handed_out';
  }
  const mended = ledger !== null && (await isMended(log, ledger, entry, model));
  const input = { client, lake, schema, model, entry, mended, now, waitForLoader };
  const outcome = await loadBatch(input).catch((error: unknown) => {
    throw fromPostgres('warehouse', error, { batch });
  });
  if (outcome === 'lost' || outcome === 'busy') {
    report({ event: outcome, stage: 'load', batch });
    return outcome;
  }
  reportCounts(report, entry, outcome, (performance.now() - started) / 1000);
  return 'loaded';
}

/**
 * Rows that the batches up to `ledger` rejected may fit by now: another model reads them, or another one wrote them.
 */
async function isMended(
  log: Log<ProcessedEntry>,
  ledger: LedgerHead,
  entry: ProcessedEntry,
  model: Model,
): Promise<boolean> {
  return ledger.model_hash !== model.hash || (await log.read(ledger.batch)).model !== entry.model;
}

function reportCounts(report: Report, entry: ProcessedEntry, counts: Counts, seconds: number): void {
  const { batch } = entry;
  const common = { stage: 'load', batch } as const;
  let [rows, quarantined, released] = [0, 0, 0];
  for (const [table, count] of Object.entries(counts)) {
    rows += count.written;
    quarantined += count.quarantined;
    released += count.released;
    const bytes = entry.outputs[table]?.parts.reduce((sum, part) => sum + part.bytes, 0) ?? 0;
    if (count.skipped !== undefined) {
      report({ ...common, event: 'warning', table, message: `${table} is skipped, as was asked for: ${count.skipped} rows` });
      if (count.staged + count.quarantined + count.released === 0) continue;
    }
    report({ ...common, event: 'table', table, rows: count.written, bytes, ...nonZero(count) });
  }
  report({ ...common, event: 'batch', rows, ...nonZero({ quarantined, released }), seconds });
}

/** Counts that are usually zero are told only when they are not. */
function nonZero(counts: { readonly quarantined: number; readonly released: number }): Partial<typeof counts> {
  return {
    ...(counts.quarantined > 0 ? { quarantined: counts.quarantined } : {}),
    ...(counts.released > 0 ? { released: counts.released } : {}),
  };
}
