import type pg from 'pg';
import { PipelineError } from '../shared/errors.ts';
import { type ProcessedEntry, processedEntrySchema } from '../shared/lake/entries.ts';
import { Log } from '../shared/lake/log.ts';
import type { RangeOutcome, RangeRef } from '../shared/lake/split.ts';
import type { FactSpec } from '../shared/model/fact.ts';
import { outputHash } from '../shared/model/model.ts';
import { inTransaction } from '../shared/postgres/client.ts';
import { literal } from '../shared/postgres/sql.ts';
import { skippedOf } from './batch.ts';
import type { Target } from './dimension.ts';
import { hasLedger, ledgerHead } from './ledger.ts';
import { inWarehouse, type LoadContext } from './load.ts';
import { loadNext } from './next.ts';
import { WAIT_FOR_LOADER } from './session.ts';
import { missingOf, type Staging } from './split.ts';
import { AnotherWorker, areFor, factsOf, isUndefinedTable, lockRange, markStaged, partsOf, stagedTable, stagedTables } from './staged.ts';
import { copyFact } from './staging.ts';

/**
 * Stages one range of a batch, and loads the batch if it was the last. It may be called for any range at any time, by
 * several at once, and again.
 * @returns `gone` also where another build is at the batch, or the server has crashed: the next look begins anew.
 * @throws PipelineError; the range stays missing.
 */
export async function workRange(context: LoadContext, ref: RangeRef): Promise<RangeOutcome> {
  try {
    return await work(context, ref);
  } catch (error) {
    throw error instanceof PipelineError ? error.within({ batch: ref.batch }) : error;
  }
}

async function work(context: LoadContext, ref: RangeRef): Promise<RangeOutcome> {
  const log = new Log(context.processed, processedEntrySchema);
  if ((await log.head(ref.batch - 1)) < ref.batch) return 'gone';
  const entry = await log.read(ref.batch);
  if (entry.attempt !== ref.attempt) return 'gone';
  return inWarehouse(context, async (client) => {
    if (!(await isNext(client, entry))) return 'gone';
    const isSkipped = await skippedOf({ lake: context.processed, entry });
    const staging = { client, entry, model: context.model, isSkipped };
    const staged = await stageRange(context, staging, ref.range).catch(asOutcome);
    if (staged === 'gone' || staged === 'done') return staged;
    context.report({ event: 'range', stage: 'load', batch: ref.batch, rows: staged.rows });
    if (staged.missing > 0 || context.mayLoad?.() === false) return 'done';
    return OUTCOMES[await loadNext(context, client, log, await ledgerHead(client))];
  });
}

/** Of whoever staged the last range: there may be two. */
const OUTCOMES = { loaded: 'committed', lost: 'gone', busy: 'done', handed_out: 'done' } as const;

/** Whether the warehouse holds all batches before this one, and not this one. */
async function isNext(client: pg.Client, { batch, log_id }: ProcessedEntry): Promise<boolean> {
  if (!(await hasLedger(client))) return false;
  const head = await ledgerHead(client);
  return head === null ? batch === 1 : head.batch === batch - 1 && head.log_id === log_id;
}

/** Who loads the batch drops the tables: whoever comes for them then finds none. */
function asOutcome(error: unknown): 'gone' | 'done' {
  // A message that came twice. Should the one who is at it fail, the range is missing, and sent again by the next look.
  if (error instanceof AnotherWorker) return 'done';
  if (isUndefinedTable(error)) return 'gone';
  throw error;
}

interface StagedRange {
  readonly rows: number;
  /** How many ranges are missing yet. */
  readonly missing: number;
}

/** `gone` where nobody needs it. */
async function stageRange(context: LoadContext, staging: Staging, range: number): Promise<StagedRange | 'gone'> {
  const rows = await stageRows(context, staging, range);
  return rows === null ? 'gone' : { rows, missing: (await missingOf(staging)).length };
}

/** In one transaction, that has a lock on the range. @returns how many rows. */
async function stageRows(
  { processed: lake, warehouseSchema: schema, waitForLoader = WAIT_FOR_LOADER }: LoadContext,
  { client, entry, model, isSkipped }: Staging,
  range: number,
): Promise<number | null> {
  const target = { client, lake, schema, batch: entry.batch };
  const facts = factsOf(entry, model);
  return inTransaction(client, 'begin', async () => {
    if (!areFor(await stagedTables(client), facts, entry)) return null;
    await client.query(`set local lock_timeout = ${literal(waitForLoader)}`);
    const keys = await lockRange(client, entry, range);
    // From here on nobody drops them; before, somebody may have made others.
    if (keys === null || !areFor(await stagedTables(client), facts, entry)) return null;
    let rows = 0;
    for (const fact of facts.filter(({ name }) => !isSkipped(name))) {
      rows += await stageParts(target, entry, fact, outputHash(model, fact), new Set(keys));
    }
    return rows;
  });
}

async function stageParts(
  target: Target,
  entry: ProcessedEntry,
  fact: FactSpec,
  hash: string,
  keys: ReadonlySet<string>,
): Promise<number> {
  const parts = partsOf(entry, fact.name).filter(({ key }) => keys.has(key));
  if (parts.length === 0) return 0;
  const isOfModel = entry.outputs[fact.name]?.hash === hash;
  const rows = await copyFact(target, fact, { parts, isOfModel }, stagedTable(fact));
  await markStaged(target.client, entry, parts.map(({ key }) => key));
  return rows;
}
