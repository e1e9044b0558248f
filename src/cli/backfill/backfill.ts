import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { PipelineError } from '../../shared/errors.ts';
import { ingestionEntrySchema } from '../../shared/lake/entries.ts';
import { Log } from '../../shared/lake/log.ts';
import type { RangeRef, Splitting } from '../../shared/lake/split.ts';
import { type Stage, STAGES } from '../../shared/report.ts';
import { type LakePlace, type Setting, SETTINGS } from '../config.ts';
import type { PipelineContext } from '../context.ts';
import type { Output } from '../output.ts';
import { runStage } from '../pipeline.ts';
import { Crew, WorkerLost } from './crew.ts';
import { Others } from './others.ts';

/** How many processes, and in about how many ranges they do a batch. */
export interface Team {
  readonly workers: number;
  readonly ranges: number;
}

export interface TeamFlags {
  readonly workers?: string;
  readonly ranges?: string;
}

const [WORKERS_MAX, RANGES_MAX] = [256, 5_000] as const;

export function parseTeam(flags: TeamFlags): Team {
  const workers = wholeNumber('--workers', flags.workers, availableParallelism(), WORKERS_MAX);
  return { workers, ranges: wholeNumber('--ranges', flags.ranges, 2 * workers, RANGES_MAX) };
}

function wholeNumber(flag: string, text: string | undefined, usual: number, most: number): number {
  if (text === undefined) return usual;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= most) return value;
  throw new PipelineError('config', `${flag} takes a whole number from 1 to ${most.toLocaleString('en-GB')}`);
}

/** What is smaller than this is no work for several, whatever the number of ranges. */
const LEAST = { thresholdBytes: 256 * 1024, rangeBytes: 32 * 1024 } as const;

/**
 * Runs the pipeline to its end, with worker processes doing large batches in ranges. A stage that fails does not keep
 * the later ones from what is pending for them.
 * @returns whether nothing failed.
 */
export async function backfill(context: PipelineContext, place: LakePlace, team: Team, output: Output): Promise<boolean> {
  const { report, signal } = context;
  const [, program = ''] = process.argv;
  const started = (pid: number | undefined): void => output.object({ event: 'worker', pid });
  const crew = new Crew({ program, environment: environmentFor(context, place), report, workers: team.workers, started, signal });
  let isDone = true;
  try {
    for (const stage of STAGES) {
      if (signal.aborted) break;
      try {
        await fill(stage, context, team, crew);
      } catch (error) {
        isDone = false;
        if (error instanceof WorkerLost) output.log.error({ kind: 'worker_lost', stage, hint: GO_ON }, error.message);
        else output.fail(error);
      }
    }
  } finally {
    await crew.close();
  }
  signal.throwIfAborted();
  return isDone;
}

const GO_ON = 'What is done stays done: start it again, with fewer workers where memory is short.';

/** Looks, has the ranges done that there are, and looks again, until nothing is left to do for anybody. */
async function fill(stage: Stage, context: PipelineContext, { ranges }: Team, crew: Crew): Promise<void> {
  const sent: RangeRef[] = [];
  const send = async (refs: readonly RangeRef[]): Promise<void> => void sent.push(...refs);
  // What is missing when this looks is in nobody's hands: whoever had it is gone, or its batch would be committed.
  const split: Splitting = { ...LEAST, ranges, send, isBusy: async () => false };
  const log = new Log(context.ingestion, ingestionEntrySchema);
  const first = context.whole ? await log.head() : 0;
  const others = new Others(context.signal);
  while (!context.signal.aborted) {
    // What is asked for whole is one batch, and there can be several looks at it.
    const whole = context.whole && (await log.head()) === first;
    const result = await runStage(stage, { ...context, split, whole });
    if (sent.length > 0) await crew.do(stage, sent.splice(0));
    else if (result.isUpToDate) return;
    else await others.wait(result);
  }
}

/** Settings as the parent understood them: what it started or looked up is not to be started or looked up again. */
function environmentFor(context: PipelineContext, place: LakePlace): NodeJS.ProcessEnv {
  const lake: Partial<Record<Setting, string>> = place.kind === 's3'
    ? { INGESTION_BUCKET: place.ingestion, PROCESSED_BUCKET: place.processed }
    : { LAKE_DIR: resolve(place.directory) };
  const databases = { SOURCE_URL: context.sourceUrl, WAREHOUSE_URL: context.warehouseUrl };
  const schemas = { SOURCE_SCHEMA: context.sourceSchema, WAREHOUSE_SCHEMA: context.warehouseSchema };
  const others = Object.entries(process.env).filter(([name]) => !Object.hasOwn(SETTINGS, name));
  return { ...Object.fromEntries(others), ...databases, ...schemas, ...lake };
}
