import { runStage } from '../../src/cli/pipeline.ts';
import type { PipelineContext } from '../../src/cli/context.ts';
import { DirectoryLake } from '../../src/local/directory-lake.ts';
import { type Random, randomFrom } from '../../src/local/totesys/random.ts';
import { totesys } from '../../src/models/totesys/model.ts';
import { PipelineError } from '../../src/shared/errors.ts';
import type { Lake } from '../../src/shared/lake/lake.ts';
import type { Model } from '../../src/shared/model/model.ts';
import type { ReportEvent, Stage } from '../../src/shared/report.ts';
import { runInRanges } from './in-ranges.ts';
import { LakeSeam } from './lake-seam.ts';
import { earlierMarket, market } from './market.ts';
import { PostgresSeam } from './postgres-seam.ts';
import { type Plan, Seam, type Step } from './steps.ts';

/** Where a pipeline's lake is. */
export type LakePlace =
  | { readonly directory: string }
  | { readonly endpoint: string; readonly ingestion: string; readonly processed: string };

const MODELS = { earlierMarket, market, totesys } satisfies Record<string, Model>;
export type ModelName = keyof typeof MODELS;

export function modelNamed(name: ModelName): Model {
  return MODELS[name];
}

/** What a process is asked to do: as a message, it is plain data. */
export interface Job {
  readonly stages: readonly Stage[];
  readonly model: ModelName;
  readonly sourceUrl: string;
  readonly warehouseUrl: string;
  readonly lake: LakePlace;
  /** Starling's clock, where it is to stand still. */
  readonly now: string | null;
  /** Reads every table whole. */
  readonly whole: boolean;
  /** How long a loader waits for another one; as long as at the command line where null. */
  readonly waitForLoader: string | null;
  /** Batches are done in ranges, the smallest too. */
  readonly inRanges: boolean;
  readonly plan: Plan;
}

export interface Failure {
  readonly stage: Stage;
  /** An error's kind, or `bug`. */
  readonly kind: string;
  readonly message: string;
}

export interface Done {
  readonly failures: readonly Failure[];
  readonly steps: readonly Step[];
  /** How many faults befell it. */
  readonly faults: number;
  readonly batches: number;
  readonly events: readonly ReportEvent['event'][];
}

/**
 * Runs stages, with a seam around them where there is a plan. One that fails does not keep the next from what is pending
 * for it.
 */
export async function runJob(job: Job, kill: () => void): Promise<Done> {
  const seam = job.plan === null ? null : new Seam(job.plan, kill);
  const source = seam && (await PostgresSeam.start('source', new URL(job.sourceUrl), seam));
  const warehouse = seam && (await PostgresSeam.start('warehouse', new URL(job.warehouseUrl), seam));
  const events: ReportEvent['event'][] = [];
  const context: PipelineContext = {
    ...(await lakesOf(job.lake, seam)),
    model: modelNamed(job.model),
    sourceUrl: source?.through(job.sourceUrl) ?? job.sourceUrl,
    sourceSchema: 'public',
    warehouseUrl: warehouse?.through(job.warehouseUrl) ?? job.warehouseUrl,
    warehouseSchema: 'public',
    report: ({ event }) => void events.push(event),
    now: () => (job.now === null ? new Date() : new Date(job.now)),
    signal: new AbortController().signal,
    whole: job.whole,
  };
  try {
    const { failures, batches } = await runStages(job, context);
    return { failures, batches, events, steps: seam?.steps ?? [], faults: seam?.faults ?? 0 };
  } finally {
    source?.stop();
    warehouse?.stop();
  }
}

async function runStages(job: Job, context: PipelineContext): Promise<Pick<Done, 'failures' | 'batches'>> {
  const failures: Failure[] = [];
  let batches = 0;
  const { waitForLoader } = job;
  const asked = { ...context, ...(waitForLoader === null ? {} : { waitForLoader }) };
  for (const stage of job.stages) {
    try {
      batches += job.inRanges ? await runInRanges(stage, asked, luckOf(job.plan)) : (await runStage(stage, asked)).batches;
    } catch (error) {
      failures.push(failureOf(stage, error));
    }
  }
  return { failures, batches };
}

/** Where faults are left to chance, so is what becomes of messages. */
function luckOf(plan: Plan): Random | null {
  return plan !== null && 'seed' in plan && plan.chance > 0 ? randomFrom(0, plan.seed, 'messages') : null;
}

function failureOf(stage: Stage, error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof PipelineError) return { stage, kind: error.kind, message };
  return { stage, kind: 'bug', message: error instanceof Error ? (error.stack ?? message) : message };
}

async function lakesOf(place: LakePlace, seam: Seam | null): Promise<Record<'ingestion' | 'processed', Lake>> {
  const wrapped = (lake: Lake, name: 'ingestion' | 'processed') =>
    seam ? new LakeSeam(lake, name, seam) : lake;
  const open = 'directory' in place
    ? async (name: 'ingestion' | 'processed') => new DirectoryLake(`${place.directory}/${name}`)
    : async (name: 'ingestion' | 'processed') => (await import('./s3-lake.ts')).openLake(place.endpoint, place[name]);
  return { ingestion: wrapped(await open('ingestion'), 'ingestion'), processed: wrapped(await open('processed'), 'processed') };
}
