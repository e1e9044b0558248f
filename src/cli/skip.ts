import { readWarehouse } from '../load/measure.ts';
import { PipelineError } from '../shared/errors.ts';
import { ingestionEntrySchema, processedEntrySchema } from '../shared/lake/entries.ts';
import { Log } from '../shared/lake/log.ts';
import { addSkip } from '../shared/lake/skips.ts';
import { type Model, outputsOf, sourcesOf } from '../shared/model/model.ts';
import type { PipelineContext } from './context.ts';
import { count, type Output } from './output.ts';

/** What somebody wants to do without, as it was typed. */
export interface SkipRequest {
  readonly batch: string;
  readonly table: string;
}

/** Wrong usage is told before anything is connected to. */
export function checkSkip({ batch }: SkipRequest): number {
  if (/^[1-9]\d{0,14}$/.test(batch)) return Number(batch);
  throw new PipelineError('config', 'skip takes the number of a batch, which the error that stops it tells');
}

/**
 * Has a batch that is stuck go on without one table: the last resort. Nothing else is done here; transform and load find
 * the wish in the processed bucket, and the ledger keeps it.
 * @returns whether it could be done.
 */
export async function skip(request: SkipRequest, context: PipelineContext, output: Output): Promise<boolean> {
  const batch = checkSkip(request);
  const { table } = request;
  checkTable(context.model, table);
  const brings = await broughtRows(context, batch, table);
  if (typeof brings === 'string') {
    output.log.error(`${brings}. Nothing was changed`);
    return false;
  }
  const isNew = await addSkip(context.processed, batch, table, context.now());
  output.object({ event: 'skip', batch, table, rows: brings, before: !isNew });
  output.line(`Batch ${batch} goes on without ${table} (${count(brings, 'row')})${isNew ? '' : ', as was asked for before'}.`);
  output.line('Run `starling run`, or wait for the schedule. Once the cause is mended, `starling ingest --whole` brings back');
  output.line('what was left out; versions that were only in this batch stay missing.');
  return true;
}

function checkTable(model: Model, name: string): void {
  const known = [...model.tables, ...outputsOf(model)].map((one) => one.name);
  if (known.includes(name)) return;
  throw new PipelineError('config', `there is no table '${name}' in the model; there are: ${known.join(', ')}`);
}

/** How many rows the batch brings of the table, or why it cannot be skipped. */
async function broughtRows(context: PipelineContext, batch: number, table: string): Promise<number | string> {
  const ingested = new Log(context.ingestion, ingestionEntrySchema);
  const processed = new Log(context.processed, processedEntrySchema);
  if (batch > (await ingested.head(batch))) return `there is no batch ${batch} yet`;
  const { loaded } = await readWarehouse(context.warehouseUrl);
  if (batch <= (loaded?.batch ?? 0)) return `batch ${batch} is loaded already`;
  const read = (await ingested.read(batch)).tables;
  const isDone = batch <= (await processed.head(batch));
  const made = isDone ? (await processed.read(batch)).outputs[table]?.rows : sourceRows(context.model, read, table);
  const rows = read[table]?.rows ?? made ?? 0;
  return rows > 0 || read[table]?.whole ? rows : `batch ${batch} brings nothing of ${table}`;
}

type Read = Readonly<Record<string, { readonly rows: number }>>;

/** Of an output that is not made yet, what it will be made of. */
function sourceRows(model: Model, read: Read, table: string): number {
  const output = outputsOf(model).find(({ name }) => name === table);
  return (output ? sourcesOf(output) : []).reduce((sum, name) => sum + (read[name]?.rows ?? 0), 0);
}
