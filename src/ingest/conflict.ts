import pg from 'pg';
import { PipelineError } from '../shared/errors.ts';
import { fromPostgres } from '../shared/postgres/errors.ts';
import type { Report } from '../shared/report.ts';

/**
 * A standby must replay what its primary vacuumed away or locked, and after `max_standby_streaming_delay` it ends
 * whoever is in the way. What was in the way is replayed then, and the next look sees the source behind it.
 */

/** To a reader in one read-only snapshot, nothing else gives this SQLSTATE. */
const RECOVERY_CONFLICT = '40001';

const TRIES = 3;

export async function againAfterConflict<T>(report: Report, look: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await look();
    } catch (error) {
      const isConflict = error instanceof PipelineError && error.context.sqlstate === RECOVERY_CONFLICT;
      if (!isConflict || attempt === TRIES) throw error;
      report({ event: 'warning', stage: 'ingest', message: `${error.message}: it is looked at again` });
    }
  }
}

/** A server that ends a session between two statements says why to nobody who asks: the next statement only fails. */
export async function withLastWord<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  const words: pg.DatabaseError[] = [];
  const hear = (error: unknown): void => {
    if (error instanceof pg.DatabaseError) words.push(error);
  };
  client.on('error', hear);
  try {
    return await work();
  } catch (error) {
    const told = fromPostgres('source', error);
    const isGone = told instanceof PipelineError && told.kind === 'source_unreachable';
    throw isGone && words.length > 0 ? fromPostgres('source', words[0], told.context) : error;
  } finally {
    client.off('error', hear);
  }
}
