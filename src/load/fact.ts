import type { TransformedOutput } from '../shared/lake/entries.ts';
import { dimDate } from '../shared/model/dimension.ts';
import type { FactSpec } from '../shared/model/fact.ts';
import { currentName, type Model, outputHash } from '../shared/model/model.ts';
import { identifier, identifiers, literal, qualified } from '../shared/postgres/sql.ts';
import { admitNulls } from './admit-nulls.ts';
import { addDays, extendCalendar, type Target } from './dimension.ts';
import { DistinctValues } from './distinct.ts';
import { withoutKeys } from './keys.ts';
import type { TableCounts } from './ledger.ts';
import { doubtfulOf, quarantineMissing, referencesOf } from './quarantine.ts';
import { waits } from './schema/bookkeeping.ts';
import { BATCH_ID } from './schema/ddl.ts';
import { copyFact, createStaging, STAGED, stagedColumns } from './staging.ts';
import { isDuplicate, notUnique, refuseMovedTwice, refuseTwice } from './unique.ts';

/** What a planner guesses of fewer rows than this does no harm. */
const ANALYZED_ROWS = 1_000;

/** Those whose values Arrow has as numbers of 32 bits. */
const IS_GATHERED: ReadonlySet<string> = new Set(['int', 'date']);

/** What a batch brings of a fact. */
interface Loading {
  readonly target: Target;
  readonly model: Model;
  readonly fact: FactSpec;
  readonly output: TransformedOutput;
  readonly isOfModel: boolean;
  /** The table that all of it has been staged in; null where it has not. */
  readonly staged: string | null;
}

/**
 * Appends the versions that a batch brings of a fact.
 *
 * The first load copies straight into the (empty) current table, and the versions from there; later ones go through a
 * temporary table and append only what differs. Measured for 2,000,000 rows: binary COPY into a table with its key
 * 4.3 s, through a staging table with a unique index 14 s, with five enforced foreign keys 72 s.
 * @param staged A table that holds all of the rows already.
 */
export async function loadFact(
  target: Target,
  model: Model,
  fact: FactSpec,
  output: TransformedOutput,
  staged: string | null,
): Promise<TableCounts> {
  const isOfModel = output.hash === outputHash(model, fact);
  const first = isOfModel && (await isEmpty(target, fact));
  const loading = { target, model, fact, output, isOfModel, staged };
  try {
    return first ? await withoutKeys(target, fact, async () => loadFirst(loading)) : await loadDelta(loading);
  } catch (error) {
    throw isDuplicate(error) ? notUnique(fact, target.batch) : error;
  }
}

async function loadFirst(loading: Loading): Promise<TableCounts> {
  const { target, fact, output, staged } = loading;
  const [table, current] = [qualified(target.schema, fact.name), qualified(target.schema, currentName(fact))];
  const from = staged ?? current;
  const distinct = staged === null ? await copyParts(loading, from) : NOTHING_KNOWN;
  const quarantined = await settleReferences(loading, from, distinct);
  // The keys see only the rows that are left.
  if (quarantined > 0) await refuseMovedTwice(target, fact, from);
  const names = identifiers([...fact.columns.map((column) => column.name), BATCH_ID]);
  if (staged !== null) await target.client.query(`insert into ${current} (${names}) select ${names} from ${from}`);
  const append = `insert into ${table} (${names}) select ${names} from ${from}`;
  const written = (await target.client.query(append)).rowCount ?? 0;
  return { staged: output.rows, written, quarantined, released: 0 };
}

async function loadDelta(loading: Loading): Promise<TableCounts> {
  const { target, fact, output, isOfModel, staged } = loading;
  const { client } = target;
  const from = staged ?? STAGED;
  if (staged === null) await createStaging(client, from, stagedColumns(fact));
  const distinct = staged === null ? await copyParts(loading, from) : NOTHING_KNOWN;
  await refuseTwice(target, fact, from);
  if (!isOfModel) await admitNulls(target, fact.columns, [fact.name, currentName(fact)], from);
  const quarantined = await settleReferences(loading, from, distinct);
  if (output.rows >= ANALYZED_ROWS) await client.query(`analyze ${from}`);
  const written = (await client.query(appendDifferent(target, fact, from))).rowCount ?? 0;
  return { staged: output.rows, written, quarantined, released: 0 };
}

type Distinct = ReadonlyMap<string, DistinctValues>;

/** Others have staged the rows. */
const NOTHING_KNOWN: Distinct = new Map();

/** @returns the different values of the columns that refer to something. */
async function copyParts({ target, fact, output, isOfModel }: Loading, into: string): Promise<Distinct> {
  const referring = fact.columns.filter(({ references, type }) => references !== null && IS_GATHERED.has(type.kind));
  const distinct = new Map(referring.map(({ name }) => [name, new DistinctValues()]));
  await copyFact(target, fact, { parts: output.parts, isOfModel, distinct }, into);
  return distinct;
}

/** Extends the calendar, and puts into quarantine what refers to nothing. @returns how many rows that were. */
async function settleReferences({ target, model, fact }: Loading, from: string, distinct: Distinct): Promise<number> {
  const { client, schema } = target;
  const columns = dayColumns(fact);
  const days = columns.map((name) => distinct.get(name)?.values() ?? null);
  if (days.includes(null)) await extendCalendar(client, schema, from, columns);
  else await addDays(client, schema, [...new Set(days.flatMap((known) => known ?? []))]);
  return quarantineMissing(target, await doubtfulOf(target, referencesOf(model, fact), distinct, from), fact, from);
}

async function isEmpty({ client, schema }: Target, fact: FactSpec): Promise<boolean> {
  const { rows } = await client.query<{ used: string }>(
    `select exists (select from ${qualified(schema, fact.name)})
      or exists (select from ${qualified(schema, currentName(fact))})
      or exists (select from pipeline.quarantine q where q.table_name = $1 and ${waits('q')}) as used`,
    [fact.name],
  );
  return rows[0]?.used === 'f';
}

/**
 * A row is compared with its key's latest earlier row, loaded or quarantined: behind one that waits in quarantine
 * even a row like the current one is a change.
 */
function appendDifferent({ schema }: Target, fact: FactSpec, from: string): string {
  const [table, current] = [qualified(schema, fact.name), qualified(schema, currentName(fact))];
  const own = fact.columns.map((column) => column.name);
  const names = identifiers([...own, BATCH_ID]);
  const key = identifier(fact.key);
  return `
    with appended as (
      insert into ${table} (${names})
      select ${identifiers([...own, BATCH_ID], 's.')}
      from ${from} s
      left join ${current} c on c.${key} = s.${key}
      where c.${key} is null
        or (${identifiers(own, 's.')}) is distinct from (${identifiers(own, 'c.')})
        or exists (
          select from pipeline.quarantine q
          where q.table_name = ${literal(fact.name)} and ${waits('q')}
            and q.record_key = s.${key}::text and q.batch_id > c.${BATCH_ID}
        )
      returning ${names}
    )
    insert into ${current} (${names}) select ${names} from appended
    on conflict (${key}) do update set ${assignments(fact)}`;
}

export function assignments(fact: FactSpec): string {
  const others = [...fact.columns.map((column) => column.name).filter((name) => name !== fact.key), BATCH_ID];
  return others.map((name) => `${identifier(name)} = excluded.${identifier(name)}`).join(', ');
}

export function dayColumns(fact: FactSpec): readonly string[] {
  return fact.columns.filter((column) => column.references === dimDate.name).map((column) => column.name);
}
