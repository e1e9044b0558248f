import type { OutputColumn } from '../../shared/model/expression.ts';
import { type FactSpec, type InstantColumns, instantColumns } from '../../shared/model/fact.ts';
import { historyName } from '../../shared/model/model.ts';
import { identifier, literal, qualified } from '../../shared/postgres/sql.ts';
import { BATCH_ID } from './ddl.ts';

/** What the history of a fact adds to its columns. */
const ADDED = ['version', 'valid_from', 'valid_to', 'is_current', 'recorded_at', 'changed_columns'] as const;

/**
 * The history view of a fact: every version with its number, the time for which it was valid, and what changed in it.
 *
 * A version is valid from the row's creation (version 1), from its `last_updated` where that moved, else from
 * Starling's own clock at the snapshot that first saw it; never from before the version it replaces. Three nested
 * selects, since a window function cannot see another's result. A condition on the key reaches the innermost: it
 * partitions them all.
 *
 * @param existing The view's columns as they are, in order: `create or replace` can only add behind them. One that
 * the model does not have any more is still in the table.
 */
export function historyView(schema: string, fact: FactSpec, existing: readonly string[]): string {
  const own = [fact.recordKey, ...fact.columns.map((column) => column.name), BATCH_ID];
  const wanted = [...own, ...ADDED];
  const columns = [...existing, ...wanted.filter((name) => !existing.includes(name))];
  const window = `(partition by ${identifier(fact.key)} order by ${BATCH_ID})`;
  return `
create or replace view ${qualified(schema, historyName(fact))} as
select ${columns.map(identifier).join(', ')}
from (
  select dated.*,
    lead(valid_from) over w as valid_to,
    lead(version) over w is null as is_current
  from (
    select stamped.*,
      max(case
        when version = 1 then coalesce(starling_created, recorded_at)
        when starling_updated is distinct from starling_updated_before then coalesce(starling_updated, recorded_at)
        else recorded_at
      end) over (partition by ${identifier(fact.key)} order by ${BATCH_ID} rows unbounded preceding) as valid_from
    from (
${stamped(schema, fact)}
    ) stamped
  ) dated
  window w as ${window}
) history`;
}

function stamped(schema: string, fact: FactSpec): string {
  const updated = instant(instantColumns(fact, fact.lastUpdated));
  const changes = fact.columns
    .filter((column) => !column.key)
    .map(({ name }) => {
      const column = `fact.${identifier(name)}`;
      return `          case when ${column} is distinct from lag(${column}) over w then ${literal(name)} end`;
    });
  return `      select fact.*,
        ledger.snapshot_at as recorded_at,
        row_number() over w as version,
        ${instant(instantColumns(fact, fact.createdAt))} as starling_created,
        ${updated} as starling_updated,
        lag(${updated}) over w as starling_updated_before,
        case when row_number() over w > 1 then array_remove(array[
${changes.join(',\n')}
        ]::text[], null) end as changed_columns
      from ${qualified(schema, fact.name)} fact
      join pipeline.ledger using (${BATCH_ID})
      window w as (partition by fact.${identifier(fact.key)} order by fact.${BATCH_ID})`;
}

/** As `timestamptz`: naive times are UTC. */
function instant(columns: InstantColumns | null): string {
  if (!columns) return 'null::timestamptz';
  if (columns.kind === 'parts') return `((${ofFact(columns.day)} + ${ofFact(columns.time)}) at time zone 'UTC')`;
  const name = ofFact(columns.column);
  return columns.column.type.kind === 'timestamptz' ? name : `(${name} at time zone 'UTC')`;
}

function ofFact({ name }: OutputColumn): string {
  return `fact.${identifier(name)}`;
}
