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
import { type Output, table } from './output.ts';

/** One version of a fact row, as the history view shows it: PostgreSQL's text. */
export type Version = Readonly<Record<string, string | null>>;

/** The fact that somebody means by `fact_sales_order` or `sales_order`. */
export function findFact(model: Model, name: string): FactSpec {
  const fact = model.facts.find((candidate) => candidate.name === name || subjectOf(candidate) === name);
  if (fact) return fact;
  const known = model.facts.map((candidate) => subjectOf(candidate)).join(', ');
  throw new PipelineError('config', `there is no such fact; there are: ${known}`);
}

export async function readHistory(context: PipelineContext, fact: FactSpec, key: string): Promise<readonly Version[]> {
  const { type } = keyColumn(fact);
  if (parseCell(type, key) instanceof Unfit) {
    throw new PipelineError('config', `a key of ${fact.name} is ${type.kind}, which this is not`);
  }
  const client = await connect('warehouse', context.warehouseUrl, WAREHOUSE_SETTINGS);
  try {
    const view = qualified(context.warehouseSchema, historyName(fact));
    const query = `select * from ${view} where ${identifier(fact.key)} = $1 order by version`;
    return (await client.query<Version>(query, [key])).rows;
  } catch (error) {
    throw fromPostgres('warehouse', error, { table: historyName(fact) });
  } finally {
    await close(client);
  }
}

/** Version by version: when it was valid, and what was different from the one before it. */
export function printHistory(fact: FactSpec, versions: readonly Version[], output: Output): void {
  for (const version of versions) output.object({ event: 'version', table: fact.name, ...version });
  if (versions.length === 0) {
    output.line(`${fact.name} has no row of that key`);
    return;
  }
  const first = versions[0] ?? {};
  const columns = fact.columns.map((column) => column.name);
  output.line(columns.map((name) => `${name}=${first[name] ?? 'null'}`).join(' '));
  output.line('');
  const rows = versions.map((version) => [
    version['version'] ?? '',
    version['valid_from'] ?? '',
    version['valid_to'] ?? (version['is_current'] === 't' ? 'current' : ''),
    version['batch_id'] ?? '',
    changesIn(version),
  ]);
  output.line(table(['version', 'valid_from', 'valid_to', 'batch', 'changed'], rows));
}

/** `{a,b}` is PostgreSQL's array; the names of columns may be quoted in it. */
function changesIn(version: Version): string {
  const changed = version['changed_columns'];
  if (changed === null || changed === undefined) return '(first seen)';
  const names = changed.slice(1, -1).split(',').map((name) => name.replaceAll('"', ''));
  return names.map((name) => `${name} → ${version[name] ?? 'null'}`).join(', ');
}
