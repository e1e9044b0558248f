import { QUARANTINE_TO_READ, waits } from '../load/schema/bookkeeping.ts';
import { WAREHOUSE_SETTINGS } from '../load/session.ts';
import { PipelineError } from '../shared/errors.ts';
import type { FactSpec } from '../shared/model/fact.ts';
import { historyName, keyColumn, type Model, subjectOf } from '../shared/model/model.ts';
import { close, connect } from '../shared/postgres/client.ts';
import { fromPostgres } from '../shared/postgres/errors.ts';
import { identifier, qualified } from '../shared/postgres/sql.ts';
import { parseCell } from '../shared/types/codecs.ts';
import { Unfit } from '../shared/types/type.ts';
import type { PipelineContext } from './context.ts';
import { count, type Output, table } from './output.ts';

/** One version of a fact row, as the history view shows it: PostgreSQL's text. */
export type Version = Readonly<Record<string, string | null>>;

/** The fact that somebody means by `fact_sales_order` or `sales_order`. */
export function findFact(model: Model, name: string): FactSpec {
  const fact = model.facts.find((candidate) => candidate.name === name || subjectOf(candidate) === name);
  if (fact) return fact;
  const known = model.facts.map((candidate) => subjectOf(candidate)).join(', ');
  throw new PipelineError('config', `there is no fact '${name}'; there are: ${known}`);
}

/** A state of a fact row that could not be used. */
export interface Waiting {
  readonly batch: string;
  readonly column: string;
  readonly reason: string;
}

export interface History {
  readonly versions: readonly Version[];
  /** What waits in quarantine for the same key. */
  readonly waiting: readonly Waiting[];
}

const WAITING = `
  select q.batch_id as batch, q.column_name as column, q.reason from ${QUARANTINE_TO_READ}
  where ${waits('q')} and q.table_name = $1 and q.record_key = $2 order by q.batch_id`;

export async function readHistory(context: PipelineContext, fact: FactSpec, key: string): Promise<History> {
  const { type } = keyColumn(fact);
  if (parseCell(type, key) instanceof Unfit) {
    const wanted = `${fact.name} is looked up by its ${fact.key}`;
    throw new PipelineError('config', `${wanted}, of type ${type.kind}, which this is not`);
  }
  const client = await connect('warehouse', context.warehouseUrl, WAREHOUSE_SETTINGS);
  try {
    const view = qualified(context.warehouseSchema, historyName(fact));
    const query = `select * from ${view} where ${identifier(fact.key)} = $1 order by version`;
    const versions = (await client.query<Version>(query, [key])).rows;
    return { versions, waiting: (await client.query<Waiting>(WAITING, [fact.name, key])).rows };
  } catch (error) {
    throw fromPostgres('warehouse', error, { table: historyName(fact) });
  } finally {
    await close(client);
  }
}

/**
 * The row as it is now, and version by version: when it was valid, and what was different from the one before it.
 * @returns whether there is such a row.
 */
export function printHistory(fact: FactSpec, { versions, waiting }: History, output: Output): boolean {
  for (const version of versions) output.object({ event: 'version', table: fact.name, ...version });
  for (const one of waiting) output.object({ event: 'quarantined', table: fact.name, ...one });
  const latest = versions.at(-1);
  if (latest) printVersions(fact, versions, latest, output);
  else output.log.error(`${fact.name} has no row of that key`);
  if (waiting.length > 0) output.line(tellWaiting(waiting, Number(latest?.['batch_id'] ?? 0)));
  return latest !== undefined;
}

function printVersions(fact: FactSpec, versions: readonly Version[], latest: Version, output: Output): void {
  const names = fact.columns.map((column) => column.name);
  const width = Math.max(...names.map((name) => name.length)) + 1;
  output.line('now');
  for (const name of names) output.line(`  ${`${name}:`.padEnd(width)} ${latest[name] ?? 'null'}`);
  output.line('');
  const rows = versions.map((version, at) => [
    version['version'] ?? '',
    version['valid_from'] ?? '',
    version['valid_to'] ?? (version['is_current'] === 't' ? 'current' : ''),
    version['batch_id'] ?? '',
    changesIn(version, versions[at - 1]),
  ]);
  output.line(table(['version', 'valid_from', 'valid_to', 'batch', 'changed'], rows));
}

/** PostgreSQL's array is `{a,"b c"}`: with a backslash before what would end a quoted element. */
const ELEMENT = /"((?:[^"\\]|\\.)*)"|([^{},"]+)/gs;

function changesIn(version: Version, before: Version = {}): string {
  const changed = version['changed_columns'];
  if (changed === null || changed === undefined) return '(first seen)';
  const names = [...changed.matchAll(ELEMENT)].map(([, quoted, bare]) => quoted?.replaceAll(/\\(.)/gs, '$1') ?? bare ?? '');
  return names.map((name) => `${name}: ${before[name] ?? 'null'} → ${version[name] ?? 'null'}`).join(', ');
}

function tellWaiting(waiting: readonly Waiting[], latestBatch: number): string {
  const newer = waiting.every(({ batch }) => Number(batch) > latestBatch) ? 'newer state' : 'state';
  const why = waiting.map(({ column, reason }) => `${column} ${reason}`).join('; ');
  return `\n${count(waiting.length, newer)} ${waiting.length === 1 ? 'waits' : 'wait'} in quarantine: ${why}`;
}
