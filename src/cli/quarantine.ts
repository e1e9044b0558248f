import { type Chosen, dropRows } from '../load/drop.ts';
import { findKept, type Kept, listKept, type WholeKept } from '../load/kept.ts';
import { readWarehouse } from '../load/measure.ts';
import { retryRows, type StillWaiting } from '../load/retry.ts';
import type { Waiting } from '../load/waiting.ts';
import { PipelineError } from '../shared/errors.ts';
import { type Model, outputsOf, subjectOf } from '../shared/model/model.ts';
import type { PipelineContext } from './context.ts';
import { count, number, type Output, table } from './output.ts';

/** What to ask for more than numbers. */
export const LOOK = 'starling quarantine list';

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

/** What somebody wants of the quarantine, as it was typed. */
export type QuarantineRequest =
  | { readonly action: 'list'; readonly table?: string; readonly all?: boolean }
  | { readonly action: 'show'; readonly id: string }
  | { readonly action: 'retry'; readonly ids: readonly string[] }
  | { readonly action: 'drop'; readonly ids: readonly string[]; readonly table?: string; readonly batch?: string };

type Action<A extends QuarantineRequest['action']> = Extract<QuarantineRequest, { readonly action: A }>;

/** Wrong usage is told before anything is connected to. */
export function checkQuarantine(request: QuarantineRequest): void {
  if (request.action === 'show') checkIds([request.id]);
  if (request.action === 'retry') checkIds(request.ids);
  if (request.action === 'drop') chosen(request);
}

/** @returns whether it could be done. */
export async function quarantine(
  request: QuarantineRequest,
  context: PipelineContext,
  output: Output,
): Promise<boolean> {
  switch (request.action) {
    case 'list':
      return list(request, context, output);
    case 'show':
      return show(request, context, output);
    case 'retry':
      return retry(request, context, output);
    case 'drop':
      return drop(request, context, output);
  }
}

const LIMIT = 100;

async function list(request: Action<'list'>, context: PipelineContext, output: Output): Promise<boolean> {
  const settled = request.all === true;
  const wanted = request.table === undefined ? null : tableOf(context.model, request.table);
  const { rows, all } = await listKept(context, { table: wanted, settled, limit: LIMIT });
  if (rows.length === 0 && wanted !== null) checkTable(context.model, wanted);
  for (const row of rows) output.object({ event: 'quarantine', ...summary(row) });
  const more = all - rows.length;
  if (more > 0) output.object({ event: 'quarantine_more', rows: more });
  const header = ['id', 'batch', 'table', 'key', 'column', 'reason', 'stage', ...(settled ? ['state'] : [])];
  const cells = rows.map((row) => [
    row.id, row.batch, row.table, row.key ?? 'null', row.column, row.reason, row.stage, ...(settled ? [row.state] : []),
  ]);
  output.line(rows.length === 0 ? `Nothing ${settled ? 'is' : 'waits'} in quarantine.` : printable(header, cells));
  if (more > 0) output.line(`\n${number(more)} more, older ones; --table shows those of one table`);
  return true;
}

function printable(header: readonly string[], cells: readonly (readonly string[])[]): string {
  return table(header, cells.map((row) => row.map(visible)));
}

function summary({ id, batch, table, key, column, reason, stage, state }: Kept): Readonly<Record<string, unknown>> {
  return { id: Number(id), batch: Number(batch), table, key, column, reason, stage, state };
}

async function show({ id }: Action<'show'>, context: PipelineContext, output: Output): Promise<boolean> {
  const kept = await findKept(context, id);
  if (!kept) {
    output.log.error(`there is no row ${id} in quarantine`);
    return false;
  }
  const { row, releasedAt, droppedAt } = kept;
  const settled = { released_at: releasedAt, dropped_at: droppedAt };
  output.object({ event: 'quarantine', ...summary(kept), ...settled, row });
  const { state, ...told } = summary(kept);
  const at = droppedAt ?? releasedAt;
  for (const line of lines({ ...told, state: at === null ? state : `${kept.state} ${at}` })) output.line(line);
  output.line(`\n${what(kept)}`);
  for (const line of lines(row)) output.line(`  ${line}`);
  return true;
}

function what({ stage }: WholeKept): string {
  return stage === 'load' ? 'the row of the warehouse' : 'the row of the source';
}

function lines(values: Readonly<Record<string, unknown>>): readonly string[] {
  const width = Math.max(0, ...Object.keys(values).map((name) => name.length)) + 1;
  return Object.entries(values).map(([name, value]) => `${`${name}:`.padEnd(width)} ${visible(String(value))}`);
}

/** Nothing that a terminal would take for an order. */
function visible(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

async function retry({ ids }: Action<'retry'>, context: PipelineContext, output: Output): Promise<boolean> {
  const retried = await retryRows(context, ids.length === 0 ? null : ids);
  if ('unknown' in retried) {
    return refuse({ 'not in quarantine': retried.unknown, 'dropped, and never released': retried.dropped }, output);
  }
  const { released, waiting } = retried;
  for (const [name, rows] of released) output.object({ event: 'released', table: name, rows });
  for (const one of waiting) output.object({ event: 'waiting', ...one });
  const counts = [...released].map(([name, rows]) => ({ table: name, rows }));
  const sum = counts.reduce((total, { rows }) => total + rows, 0);
  output.line(`${count(sum, 'row')} released${sum > 0 ? `: ${tellWaiting(counts)}` : ''}`);
  printStillWaiting(waiting, output);
  return true;
}

function printStillWaiting(waiting: readonly StillWaiting[], output: Output): void {
  const rows = waiting.reduce((total, one) => total + one.rows, 0);
  output.line(`${count(rows, 'row')} still ${rows === 1 ? 'waits' : 'wait'}`);
  if (rows === 0) return;
  const cells = waiting.map((one) => [one.table, one.column, one.reason, number(one.rows)]);
  output.line(`\n${printable(['table', 'column', 'reason', 'rows'], cells)}`);
}

async function drop(request: Action<'drop'>, context: PipelineContext, output: Output): Promise<boolean> {
  const which = chosen(request);
  const rows = 'ids' in which ? which : { ...which, table: tableOf(context.model, which.table) };
  const outcome = await dropRows(context, rows);
  if ('unknown' in outcome) {
    return refuse({ 'not in quarantine': outcome.unknown, 'released already': outcome.released }, output);
  }
  const { dropped, before } = outcome;
  if ('table' in rows && dropped + before === 0) {
    output.log.error(`no row of ${rows.table} of batch ${rows.batch} waits in quarantine`);
    return false;
  }
  output.object({ event: 'dropped', rows: dropped, before });
  output.line(`${count(dropped, 'row')} dropped${before > 0 ? `; ${number(before)} had been before` : ''}`);
  return true;
}

function refuse(why: Readonly<Record<string, readonly string[]>>, output: Output): false {
  const parts = Object.entries(why).filter(([, ids]) => ids.length > 0);
  output.log.error(`${parts.map(([what, ids]) => `${what}: ${ids.join(', ')}`).join('; ')}. Nothing was changed`);
  return false;
}

function chosen({ ids, table: name, batch }: Action<'drop'>): Chosen {
  if (ids.length > 0 && name === undefined && batch === undefined) return { ids: checkIds(ids) };
  if (ids.length > 0 || name === undefined || batch === undefined) {
    throw new PipelineError('config', 'drop takes either the numbers of rows, or --table and --batch');
  }
  if (!/^[1-9]\d{0,14}$/.test(batch)) throw new PipelineError('config', '--batch takes the number of a batch');
  return { table: name, batch: Number(batch) };
}

/** Those of PostgreSQL's bigint, but for the highest, which nobody will see. */
function checkIds(ids: readonly string[]): readonly string[] {
  if (ids.every((id) => /^[1-9]\d{0,17}$/.test(id))) return ids;
  throw new PipelineError('config', `rows in quarantine are named by their numbers, which \`${LOOK}\` tells`);
}

/** `sales_order` will do for `fact_sales_order`. There may be rows of tables that the model has no more. */
function tableOf({ facts }: Model, name: string): string {
  return facts.find((fact) => subjectOf(fact) === name)?.name ?? name;
}

function checkTable(model: Model, name: string): void {
  const known = outputsOf(model).map((output) => output.name);
  if (known.includes(name)) return;
  throw new PipelineError('config', `nothing in quarantine is of a table '${name}'; the model has: ${known.join(', ')}`);
}
