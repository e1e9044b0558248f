import { hasLedger, lastLoaded, whileNobodyLoads } from '../load/ledger.ts';
import { inWarehouse } from '../load/load.ts';
import { PipelineError } from '../shared/errors.ts';
import { type IngestionEntry, ingestionEntrySchema, processedEntrySchema } from '../shared/lake/entries.ts';
import { Log } from '../shared/lake/log.ts';
import { addSkip, removeSkip } from '../shared/lake/skips.ts';
import { type Model, outputsOf, QUARANTINE, sourcesOf } from '../shared/model/model.ts';
import type { PipelineContext } from './context.ts';
import type { Output } from './output.ts';

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
  const skipped = await betweenLoads(context, batch, async () => skipTable(context, batch, table));
  if (typeof skipped === 'string') {
    output.log.error(`${skipped}. Nothing was changed`);
    return false;
  }
  for (const [name, isNew] of skipped) output.object({ event: 'skip', batch, table: name, before: !isNew });
  const names = skipped.map(([name, isNew]) => `${name}${isNew ? '' : ' (as was asked for before)'}`).join(', ');
  output.line(`Batch ${batch} goes on without ${names}.`);
  output.line('Run `starling run`, or wait for the schedule. Once the cause is mended, `starling ingest --whole` brings back');
  output.line('what was left out; versions that were only in this batch stay missing.');
  return true;
}

function checkTable(model: Model, name: string): void {
  const known = [...[...model.tables, ...outputsOf(model)].map((one) => one.name), QUARANTINE];
  if (known.includes(name)) return;
  throw new PipelineError('config', `there is no table '${name}' in the model; there are: ${known.join(', ')}`);
}

/** By name, and whether it was not skipped before; or why nothing can be. */
type Skipped = readonly (readonly [name: string, isNew: boolean])[] | string;

/** A batch that is being loaded must not be told to do without something that it holds already. */
async function betweenLoads(context: PipelineContext, batch: number, work: () => Promise<Skipped>): Promise<Skipped> {
  return inWarehouse(context, async (client) => {
    if (!(await hasLedger(client))) return work();
    return whileNobodyLoads(client, async () => {
      const loaded = await lastLoaded(client);
      return batch <= (loaded?.batch ?? 0) ? `batch ${batch} is loaded already` : work();
    });
  });
}

async function skipTable(context: PipelineContext, batch: number, table: string): Promise<Skipped> {
  const { model, processed, now } = context;
  const log = new Log(context.ingestion, ingestionEntrySchema);
  if (batch > (await log.head(batch))) return `there is no batch ${batch} yet`;
  const entry = await log.read(batch);
  if (!model.tables.some(({ name }) => name === table)) return [[table, await addSkip(processed, entry, table, now())]];
  if (!(await isTransformed(context, batch))) {
    const read = entry.tables[table];
    if (!read || (read.rows === 0 && read.whole === null)) return `batch ${batch} brings nothing of ${table}`;
    const isNew = await addSkip(processed, entry, table, now());
    if (!(await isTransformed(context, batch)) || (await isLeftOut(context, batch, table))) return [[table, isNew]];
    // Transform was quicker: what it has made of the table is in the mirrors.
    await removeSkip(processed, entry, table);
  }
  return skipOutputs(context, entry, table);
}

async function isTransformed({ processed }: PipelineContext, batch: number): Promise<boolean> {
  return batch <= (await new Log(processed, processedEntrySchema).head(batch));
}

async function isLeftOut({ processed }: PipelineContext, batch: number, table: string): Promise<boolean> {
  const { skipped = {} } = await new Log(processed, processedEntrySchema).read(batch);
  return Object.hasOwn(skipped, table);
}

/** What a batch that has been transformed brings of what shows a source table. */
async function skipOutputs({ model, processed, now }: PipelineContext, entry: IngestionEntry, table: string): Promise<Skipped> {
  const made = (await new Log(processed, processedEntrySchema).read(entry.batch)).outputs;
  const outputs = outputsOf(model).filter((output) => sourcesOf(output).includes(table));
  const rejected = (made[QUARANTINE]?.rows ?? 0) > 0;
  const brought = outputs.filter(({ name, source }) => (made[name]?.rows ?? 0) > 0 || (rejected && source === table));
  if (brought.length === 0) return `batch ${entry.batch} brings nothing that shows ${table}`;
  const skipped: (readonly [string, boolean])[] = [];
  for (const { name } of brought) skipped.push([name, await addSkip(processed, entry, name, now())]);
  return skipped;
}
