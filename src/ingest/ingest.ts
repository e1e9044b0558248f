import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { PipelineError } from '../shared/errors.ts';
import { givingBack } from '../shared/lake/attempt.ts';
import { type IngestionEntry, ingestionEntrySchema } from '../shared/lake/entries.ts';
import type { Lake } from '../shared/lake/lake.ts';
import { Log } from '../shared/lake/log.ts';
import type { Splitting } from '../shared/lake/split.ts';
import { readState, type StageState } from '../shared/lake/state.ts';
import type { Model } from '../shared/model/model.ts';
import { connect } from '../shared/postgres/client.ts';
import { fromPostgres } from '../shared/postgres/errors.ts';
import { inSession, type Sessions } from '../shared/postgres/sessions.ts';
import type { Report, StageResult } from '../shared/report.ts';
import { type BatchRead, readBatch } from './batch.ts';
import { againAfterConflict, withLastWord } from './conflict.ts';
import { countedDetail, isCountDue } from './count-due.ts';
import { heldCursor } from './cursor-age.ts';
import { parseSnapshot, SOURCE_SETTINGS } from './session.ts';
import { beginPlan, carryOn } from './split.ts';
import { undeclaredDetail, undeclaredNews } from './undeclared.ts';

export interface IngestContext {
  readonly model: Model;
  readonly sourceUrl: string;
  readonly sourceSchema: string;
  readonly ingestion: Lake;
  readonly report: Report;
  /** Starling's clock; the source's is never trusted. */
  readonly now: () => Date;
  /** Read every table whole, whatever the log says: after a restore of the source. */
  readonly whole?: boolean;
  /** Has large batches read in ranges by several workers; without it every batch is read at once. */
  readonly split?: Splitting;
  /** Where the process looks again soon. */
  readonly sessions?: Sessions;
}

/** Losing once or twice is two workers meeting; losing on and on is a clock that runs them all at once. */
const TRIES = 10;

/**
 * Looks at the source once, and commits what changed since the last batch as the next one. When another worker commits
 * that batch first, it looks again: the other's snapshot may be older than the moment this call was made.
 */
export async function ingest(context: IngestContext): Promise<StageResult> {
  const log = new Log(context.ingestion, ingestionEntrySchema);
  // Advisory: whatever is wrong with it, the look goes on.
  const before = await readState(context.ingestion, 'ingest').catch(() => null);
  let [asked, carriedOn] = [context, 0];
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    // Before the snapshot is taken, or an older snapshot could be committed behind a newer one.
    const head = await log.head(before?.batch);
    const previous = head === 0 ? null : await log.read(head);
    const carried = context.split ? await carryOn(asked, context.split, log, previous) : null;
    if (carried === 'waiting') return waiting(head, before);
    if (carried === 'won') {
      // That is the batch that was asked for; what its snapshot did not show is looked at now.
      asked = { ...context, whole: false };
      carriedOn += 1;
    }
    if (carried !== null) continue;
    const outcome = await againAfterConflict(context.report, () => ingestNext(asked, log, previous, before));
    if (outcome !== 'lost') return { stage: 'ingest', ...outcome, batches: outcome.batches + carriedOn };
  }
  throw new PipelineError('lake_unavailable', `${TRIES} times another worker was first: too many ingest at once`);
}

/** Others are reading the next batch in ranges. What the last look knew is still all that is known. */
function waiting(head: number, before: StageState | null): StageResult {
  const known = Object.entries(before?.detail ?? {}).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return { stage: 'ingest', batches: 0, head, isUpToDate: false, detail: Object.fromEntries(known) };
}

type Outcome = Omit<StageResult, 'stage'> | 'lost';

async function ingestNext(
  context: IngestContext,
  log: Log<IngestionEntry>,
  previous: IngestionEntry | null,
  before: StageState | null,
): Promise<Outcome> {
  const { model, report, now } = context;
  const started = performance.now();
  const batch = (previous?.batch ?? 0) + 1;
  const attempt = randomUUID();
  const { isNews, undeclared, counted, cuts, ...read } = await givingBack(
    context.ingestion,
    { tables: model.tables.map(({ name }) => name), batch, attempt },
    () => readFrom(context, previous, batch, attempt, isCountDue(before, now())),
  );
  const detail = {
    ...heldCursor(parseSnapshot(read.snapshot), before, now()),
    ...countedDetail(before, now(), counted),
    ...undeclaredDetail(undeclared),
  };
  const tellUndeclared = (): void => {
    const news = undeclaredNews(detail, before);
    if (news !== null) report({ event: 'warning', stage: 'ingest', message: news });
  };
  if (!isNews) {
    tellUndeclared();
    report({ event: 'nothing_new', stage: 'ingest', batch: batch - 1 });
    return { batches: 0, head: batch - 1, isUpToDate: true, detail };
  }
  const entry: IngestionEntry = {
    format: 1,
    log_id: previous?.log_id ?? randomUUID(),
    batch,
    attempt,
    committed_at: now().toISOString(),
    model: model.hash,
    ...read,
  };
  if (context.split && cuts) {
    await beginPlan(context, context.split, entry, previous, cuts);
    tellUndeclared();
    return { batches: 0, head: batch - 1, isUpToDate: false, detail };
  }
  const outcome = await log.commit(entry);
  const rows = Object.values(read.tables).reduce((sum, table) => sum + table.rows, 0);
  const seconds = (performance.now() - started) / 1000;
  if (outcome === 'won') tellUndeclared();
  report({ event: outcome === 'won' ? 'batch' : 'lost', stage: 'ingest', batch, rows, seconds });
  return outcome === 'won' ? { batches: 1, head: batch, isUpToDate: true, detail } : 'lost';
}

async function readFrom(
  context: IngestContext,
  previous: IngestionEntry | null,
  batch: number,
  attempt: string,
  isCountDue: boolean,
): Promise<BatchRead> {
  const { model, ingestion: lake, sourceSchema: schema, sourceUrl: url, report, now, whole = false, split, sessions } = context;
  const connectMore = async (signal: AbortSignal) => connect('source', url, SOURCE_SETTINGS, signal);
  const read = async (client: pg.Client): Promise<BatchRead> => {
    const input = { client, connectMore, lake, model, schema, previous, batch, attempt, whole, isCountDue, report, now, ...(split ? { split } : {}) };
    return withLastWord(client, () => readBatch(input));
  };
  try {
    return await inSession(sessions, { side: 'source', url, settings: SOURCE_SETTINGS }, read);
  } catch (error) {
    throw fromPostgres('source', error, { stage: 'ingest', batch });
  }
}
