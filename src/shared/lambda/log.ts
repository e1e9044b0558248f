import { Logger } from '@aws-lambda-powertools/logger';
import { PipelineError } from '../errors.ts';
import type { ReportEvent, Stage } from '../report.ts';

/** What every line says even where there is none, so that a query need not ask whether the field is there. */
const NO_BATCH = 0;
const NO_TABLE = '-';

/** Structured JSON, one object a line, with `stage`, `batch` and `table` in every one. */
export function createLogger(stage: Stage, pipeline: string): Logger {
  return new Logger({
    serviceName: pipeline,
    logLevel: 'INFO',
    persistentKeys: { stage, batch: NO_BATCH, table: NO_TABLE },
  });
}

export function logEvent(logger: Logger, { message, event, ...fields }: ReportEvent): void {
  if (event === 'warning') logger.warn(message ?? '', { event, ...fields });
  else logger.info(message ?? event.replace('_', ' '), { event, ...fields });
}

/** What, where, what to do. A bug is told with its stack: there is no advice for it. */
export function logFailure(logger: Logger, error: unknown, batch = NO_BATCH): void {
  if (error instanceof PipelineError) {
    logger.error(error.message, { kind: error.kind, batch, ...error.context, hint: error.hint });
    return;
  }
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  logger.error(error instanceof Error ? error.message : String(error), { kind: 'bug', batch, stack });
}
