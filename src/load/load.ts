import type pg from 'pg';
import { PipelineError } from '../shared/errors.ts';
import { type ProcessedEntry, processedEntrySchema } from '../shared/lake/entries.ts';
import type { Lake } from '../shared/lake/lake.ts';
import { Log } from '../shared/lake/log.ts';
import { checkSameLog } from '../shared/lake/skew.ts';
import type { Splitting } from '../shared/lake/split.ts';
import type { Model } from '../shared/model/model.ts';
import { fromPostgres } from '../shared/postgres/errors.ts';
import { inSession, type Sessions } from '../shared/postgres/sessions.ts';
import type { Report, StageResult } from '../shared/report.ts';
import { type LedgerHead, ledgerHead } from './ledger.ts';
import { migrate } from './schema/migrate.ts';
import { endWithClient, WAIT_FOR_LOADER, WAREHOUSE_SETTINGS } from './session.ts';

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
  /**
   * Whether who stages the last range should load the batch as well, which may take long; else the next look does. Always,
   * where nothing is said.
   */
  readonly mayLoad?: () => boolean;
  /** Where the process looks again soon. */
  readonly sessions?: Sessions;
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
    const wasChecked = isChecked(client, context);
    if (!wasChecked) await check(client, context);
    let ledger = await ledgerHead(client);
    let until = await log.head(ledger?.batch);
    await checkFollows(log, ledger, until);
    let [head, batches] = [ledger?.batch ?? 0, 0];
    if (wasChecked && head < until) await check(client, context);
    while (head < until && context.signal?.aborted !== true) {
      // With what reads Parquet: most looks find no batch, and start without.
      const { loadNext } = await import('./next.ts');
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

/** By session, the schema and the model that the warehouse was found to fit: then only a batch is a reason to look again. */
const checked = new WeakMap<pg.Client, string>();

const modelOf = ({ warehouseSchema, model }: LoadContext): string => `${warehouseSchema} ${model.hash}`;

function isChecked(client: pg.Client, context: LoadContext): boolean {
  return checked.get(client) === modelOf(context);
}

async function check(client: pg.Client, context: LoadContext): Promise<void> {
  await migrate(client, context.warehouseSchema, context.model);
  checked.set(client, modelOf(context));
}

export async function inWarehouse<T>(
  { warehouseUrl: url, sessions }: Pick<LoadContext, 'warehouseUrl' | 'sessions'>,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  try {
    return await inSession(sessions, { side: 'warehouse', url, settings: WAREHOUSE_SETTINGS, prepare: endWithClient }, work);
  } catch (error) {
    throw fromPostgres('warehouse', error, { stage: 'load' });
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
