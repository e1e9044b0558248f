import type pg from 'pg';
import type { ProcessedEntry } from '../shared/lake/entries.ts';
import type { Log } from '../shared/lake/log.ts';
import { checkComplete, checkModel, checkSameLog } from '../shared/lake/skew.ts';
import type { Splitting } from '../shared/lake/split.ts';
import { type Model, outputsOf, QUARANTINE } from '../shared/model/model.ts';
import { fromPostgres } from '../shared/postgres/errors.ts';
import type { Report } from '../shared/report.ts';
import { loadBatch } from './batch.ts';
import type { Counts, LedgerHead } from './ledger.ts';
import type { LoadContext } from './load.ts';
import { WAIT_FOR_LOADER } from './session.ts';
import { handOut } from './split.ts';

/**
 * Loads the batch behind the ledger's head.
 * @param split How it is to be staged by several, where it is large and is not staged already.
 */
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
