import { PipelineError } from '../shared/errors.ts';
import type { FactSpec } from '../shared/model/fact.ts';
import { keyColumn } from '../shared/model/model.ts';
import { identifier, literal, qualified } from '../shared/postgres/sql.ts';
import type { Target } from './dimension.ts';
import { waits } from './schema/bookkeeping.ts';
import { BATCH_ID } from './schema/ddl.ts';

/** `unique_violation`: the only unique constraints that a load can meet are those of a fact's natural key. */
export function isDuplicate(error: unknown): boolean {
  if (error instanceof PipelineError) return error.context.sqlstate === '23505';
  return error instanceof Error && 'code' in error && error.code === '23505';
}

export function notUnique(fact: FactSpec, batch: number): PipelineError {
  const message = `batch ${batch} holds two rows of ${fact.source} with one key, so ${fact.name}.${fact.key} is no key`;
  return new PipelineError('key_not_unique', message, { table: fact.name, column: fact.key, batch });
}

/**
 * Of two rows of one key only one may differ from the version before, and no index would see it: the versions of a key
 * that is none would take turns from batch to batch.
 */
export async function refuseTwice({ client, batch }: Target, fact: FactSpec, from: string): Promise<void> {
  const twice = await client.query(`select from ${from} group by ${identifier(fact.key)} having count(*) > 1 limit 1`);
  if (twice.rowCount !== 0) throw notUnique(fact, batch);
}

/** The same of rows in quarantine that a batch has moved there, without a look at those of `from` that have other keys. */
export async function refuseMovedTwice({ client, batch }: Target, fact: FactSpec, from: string): Promise<void> {
  const key = identifier(fact.key);
  const twice = await client.query(`
    with moved as (
      select ${asKey(fact, 'q.record_key')} as key from pipeline.quarantine q
      where q.table_name = ${literal(fact.name)} and q.batch_id = ${batch} and ${waits('q')}
    )
    select from (
      select key from moved union all select f.${key} from ${from} f where f.${key} in (select key from moved)
    ) brought
    where key is not null group by key having count(*) > 1 limit 1`);
  if (twice.rowCount !== 0) throw notUnique(fact, batch);
}

/** One batch cannot have two versions of a key: a row rejected beside another one could never be released. */
export async function refuseRejectedTwice(
  { client, schema, batch }: Target,
  fact: FactSpec,
  rejected: string,
): Promise<void> {
  const twice = await client.query(`
    select from (
      select record_key, count(*) as times from ${rejected} where table_name = ${literal(fact.name)} group by record_key
    ) r
    where r.times > 1 and r.record_key is not null
      or exists (
        select from ${qualified(schema, fact.name)} f
        where f.${identifier(fact.key)} = ${asKey(fact, 'r.record_key')} and f.${BATCH_ID} = ${batch}
      )
      or exists (
        select from pipeline.quarantine q
        where q.table_name = ${literal(fact.name)} and q.record_key = r.record_key and ${waits('q')}
          and q.batch_id = ${batch}
      )
    limit 1`);
  if (twice.rowCount !== 0) throw notUnique(fact, batch);
}

/** The key that a text stands for, null where it stands for none; typed, so that the primary key's index serves. */
export function asKey(fact: FactSpec, key: string): string {
  if (keyColumn(fact).type.kind === 'text') return key;
  const whole = `case when ${key} ~ '^-?[0-9]{1,19}$' then (${key})::numeric end`;
  return `case when ${whole} between -9223372036854775808 and 9223372036854775807 then (${key})::bigint end`;
}
