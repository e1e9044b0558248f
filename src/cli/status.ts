import { readWarehouse, type WarehouseState } from '../load/measure.ts';
import type { Waiting } from '../load/waiting.ts';
import { PipelineError } from '../shared/errors.ts';
import { freshAsOf } from '../shared/freshness.ts';
import { ingestionEntrySchema, processedEntrySchema } from '../shared/lake/entries.ts';
import { Log } from '../shared/lake/log.ts';
import { readState, type StageState } from '../shared/lake/state.ts';
import type { Stage } from '../shared/report.ts';
import type { PipelineContext } from './context.ts';
import { type Output, table } from './output.ts';
import { LOOK, tellWaiting } from './quarantine.ts';

/** Where a stage is. */
export interface StageStatus {
  readonly stage: Stage;
  /** The last batch that it has committed. */
  readonly batch: number;
  /** Batches that the stage before has committed and this one has not. */
  readonly pending: number;
  readonly state: StageState | null;
}

export interface Status {
  readonly stages: readonly StageStatus[];
  /** The source as of then is what the warehouse shows; null when nothing is loaded. */
  readonly freshAsOf: Date | null;
  readonly quarantine: readonly Waiting[];
  /** The warehouse did not answer: where load is, is what it was last known to be; freshness is not known. */
  readonly unanswered: PipelineError | null;
}

export async function readStatus(context: PipelineContext): Promise<Status> {
  const [ingestState, transformState, loadState] = await Promise.all([
    readState(context.ingestion, 'ingest'),
    readState(context.processed, 'transform'),
    readState(context.processed, 'load'),
  ]);
  const ingested = await new Log(context.ingestion, ingestionEntrySchema).head(ingestState?.batch);
  const processed = await new Log(context.processed, processedEntrySchema).head(transformState?.batch);
  const { loaded, waiting, unanswered } = await answerOf(context.warehouseUrl);
  const held = loaded?.batch ?? (unanswered ? (loadState?.batch ?? 0) : 0);
  return {
    stages: [
      { stage: 'ingest', batch: ingested, pending: 0, state: ingestState },
      { stage: 'transform', batch: processed, pending: Math.max(0, ingested - processed), state: transformState },
      { stage: 'load', batch: held, pending: Math.max(0, processed - held), state: loadState },
    ],
    freshAsOf: freshAsOf(loaded, ingestState),
    quarantine: waiting,
    unanswered,
  };
}

type Answer = WarehouseState & Pick<Status, 'unanswered'>;

/** Whoever looks because the warehouse is down wants to see the rest. */
async function answerOf(warehouseUrl: string): Promise<Answer> {
  try {
    return { ...(await readWarehouse(warehouseUrl)), unanswered: null };
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    return { loaded: null, waiting: [], unanswered: error };
  }
}

export function printStatus(status: Status, now: Date, output: Output): void {
  for (const { stage, batch, pending, state } of status.stages) {
    const { looked_at = null, outcome = null, error = null } = state ?? {};
    output.object({ event: 'status', stage, batch, pending, looked_at, outcome, error });
  }
  const seconds = status.freshAsOf ? Math.round((now.getTime() - status.freshAsOf.getTime()) / 1000) : null;
  output.object({ event: 'freshness', fresh_as_of: status.freshAsOf?.toISOString() ?? null, seconds });
  for (const waiting of status.quarantine) output.object({ event: 'quarantine', ...waiting });
  const { undeclared_names: undeclared } = status.stages[0]?.state?.detail ?? {};
  if (undeclared !== undefined) output.object({ event: 'undeclared', names: undeclared });
  const rows = status.stages.map((stage) => stageRow(stage, now));
  output.line(table(['stage', 'batch', 'pending', 'last look', 'outcome'], rows));
  output.line('');
  output.line(`Freshness:   ${freshness(status, seconds)}`);
  output.line(`Quarantine:  ${waiting(status)}`);
  if (status.quarantine.length > 0) output.line(`             ${LOOK}`);
  if (undeclared !== undefined) output.line(`Undeclared:  ${undeclared}`);
  for (const { stage, state } of status.stages) {
    if (state?.error) output.line(`Last error:  ${stage}: ${state.error.kind}: ${state.error.message}`);
  }
}

const UNKNOWN = 'not known: the warehouse did not answer';

function freshness({ unanswered }: Status, seconds: number | null): string {
  if (unanswered) return UNKNOWN;
  return seconds === null ? 'nothing is loaded yet' : `the source as of ${ago(seconds)}`;
}

function waiting({ quarantine, unanswered }: Status): string {
  if (unanswered) return UNKNOWN;
  return tellWaiting(quarantine) || 'empty';
}

function stageRow({ stage, batch, pending, state }: StageStatus, now: Date): string[] {
  const looked = state ? ago((now.getTime() - new Date(state.looked_at).getTime()) / 1000) : 'never';
  return [stage, String(batch), String(pending), looked, state?.outcome.replace('_', ' ') ?? ''];
}

function ago(seconds: number): string {
  const rounded = Math.max(0, Math.round(seconds));
  if (rounded < 120) return `${rounded} s ago`;
  return rounded < 7_200 ? `${Math.round(rounded / 60)} min ago` : `${Math.round(rounded / 3_600)} h ago`;
}
