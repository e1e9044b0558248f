import { readWarehouse } from '../load/measure.ts';
import type { Waiting } from '../load/waiting.ts';
import type { PipelineContext } from './context.ts';
import { count, number, type Output } from './output.ts';

/** What to ask for more than numbers. */
export const LOOK = 'select * from pipeline.quarantine where released_at is null';

export async function readWaiting(context: PipelineContext): Promise<readonly Waiting[]> {
  return (await readWarehouse(context.warehouseUrl)).waiting;
}

export function tellWaiting(waiting: readonly Waiting[]): string {
  return waiting.map(({ table, rows }) => `${table} ${number(rows)}`).join(', ');
}

/** Below a comparison: why rows may differ or be missing. */
export function printWaiting(waiting: readonly Waiting[], output: Output): void {
  for (const one of waiting) output.object({ event: 'quarantine', ...one });
  if (waiting.length === 0) return;
  const rows = waiting.reduce((sum, one) => sum + one.rows, 0);
  output.line(`\n${count(rows, 'row')} in quarantine: ${tellWaiting(waiting)}\n${LOOK}`);
}
