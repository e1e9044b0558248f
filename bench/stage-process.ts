/** A process that runs stages as the product does, and says what they took: ours. Built as `dist/starling.js` is. */

import { initialise } from '../src/load/load.ts';
import { runPipeline, runStage } from '../src/cli/pipeline.ts';
import type { PipelineContext } from '../src/cli/context.ts';
import { DirectoryLake } from '../src/local/directory-lake.ts';
import { Sessions } from '../src/shared/postgres/sessions.ts';
import { type Stage, STAGES } from '../src/shared/report.ts';
import { answer, serve } from './child.ts';
import { measured } from './measured.ts';
import { type ModelName, MODELS } from './models.ts';

/** `run` is what the command `run` does: all three, as they follow or overlap. `init` makes the warehouse's schema. */
export interface StageJob {
  readonly work: Stage | 'run' | 'init';
  readonly model: ModelName;
  readonly sourceUrl: string;
  readonly warehouseUrl: string;
  /** Directories. */
  readonly ingestion: string;
  readonly processed: string;
  /** As `watch` keeps its sessions from one look to the next. */
  readonly keepsSessions?: boolean;
}

const sessions = new Sessions();

const WORKS: ReadonlySet<unknown> = new Set([...STAGES, 'run', 'init']);

function isStageJob(job: unknown): job is StageJob {
  return typeof job === 'object' && job !== null && 'work' in job && WORKS.has(job.work);
}

function contextOf(job: StageJob): PipelineContext {
  return {
    model: MODELS[job.model],
    sourceUrl: job.sourceUrl,
    sourceSchema: 'public',
    warehouseUrl: job.warehouseUrl,
    warehouseSchema: 'public',
    ingestion: new DirectoryLake(job.ingestion),
    processed: new DirectoryLake(job.processed),
    report: () => undefined,
    now: () => new Date(),
    signal: new AbortController().signal,
    whole: false,
    ...(job.keepsSessions === true ? { sessions } : {}),
  };
}

async function work(job: StageJob): Promise<void> {
  const context = contextOf(job);
  if (job.work === 'init') await initialise(context);
  else if (job.work !== 'run') await runStage(job.work, context);
  else {
    const [error] = await runPipeline(context);
    if (error !== undefined) throw error;
  }
}

serve(async (job) => {
  if (!isStageJob(job)) throw new TypeError('that is no job for a stage');
  return answer(await measured(async () => work(job)));
});
