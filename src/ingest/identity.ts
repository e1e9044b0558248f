import type pg from 'pg';
import type { SourceIdentity } from '../shared/lake/entries.ts';
import { identifier, literal } from '../shared/postgres/sql.ts';

const MAY_READ_CONTROL = `select has_function_privilege('pg_catalog.pg_control_system()', 'execute') as allowed`;

const CONTROL = 'select system_identifier from pg_catalog.pg_control_system()';

const IDENTITY = `
  select
    (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database()) as database_oid,
    pg_catalog.pg_is_in_recovery() as in_recovery,
    case when not pg_catalog.pg_is_in_recovery()
      then substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8)
    end as timeline,
    host(pg_catalog.inet_server_addr()) as address,
    pg_catalog.inet_server_port() as port`;

/** The last one came with PostgreSQL 14; a view that somebody has closed tells nothing. */
const STATISTICS = `
  select name
  from unnest('{archiver,bgwriter,wal}'::text[]) as name
  where pg_catalog.has_table_privilege(pg_catalog.to_regclass('pg_catalog.pg_stat_' || name), 'select')`;

const beginningOf = (name: string) =>
  `select ${literal(name)} as name, stats_reset::text as since from pg_catalog.${identifier(`pg_stat_${name}`)}`;

type Nullable = Readonly<Record<string, string | null>>;

/**
 * Which server, which database, which history: transaction ids mean nothing outside of it.
 * A standby does not say on which timeline it is to a user without rights; it also cannot get onto one that branched
 * off behind what it has replayed.
 */
export async function readIdentity(client: pg.Client): Promise<SourceIdentity> {
  // A function without the right to call it fails even in a branch that is not taken, hence the question before.
  const allowed = (await client.query<Nullable>(MAY_READ_CONTROL)).rows[0]?.['allowed'] === 't';
  const control = allowed ? (await client.query<Nullable>(CONTROL)).rows[0] : undefined;
  const row = (await client.query<Nullable>(IDENTITY)).rows[0] ?? {};
  return {
    system_identifier: control?.['system_identifier'] ?? null,
    database_oid: row['database_oid'] ?? '',
    in_recovery: row['in_recovery'] === 't',
    timeline: row['timeline'] ?? null,
    address: row['address'] ?? null,
    port: row['port'] === null || row['port'] === undefined ? null : Number(row['port']),
    statistics: await readStatistics(client),
  };
}

/**
 * A server that crashes forgets its statistics, and starts them anew: one that stops in order, and its copies, keep
 * them. So they also tell one copy of a running server from another.
 */
async function readStatistics(client: pg.Client): Promise<NonNullable<SourceIdentity['statistics']>> {
  const names = (await client.query<{ name: string }>(STATISTICS)).rows.map((row) => row.name);
  if (names.length === 0) return {};
  const { rows } = await client.query<{ name: string; since: string | null }>(
    names.map(beginningOf).join(' union all '));
  return Object.fromEntries(rows.map(({ name, since }) => [name, since]));
}

/**
 * Any of them: PostgreSQL's own crash leaves none, but a server that keeps some of them elsewhere, or never says when one
 * began, must not hide it. Somebody who resets one by hand has the tables read whole, once.
 */
function hasCrashed(before: SourceIdentity, now: SourceIdentity): boolean {
  const known = Object.entries(before.statistics ?? {});
  return known.some(([name, since]) => now.statistics?.[name] !== undefined && now.statistics[name] !== since);
}

/** The name of what differs, for people; null where it is the same source. */
export function identityChange(before: SourceIdentity, now: SourceIdentity): string | null {
  if (before.system_identifier !== now.system_identifier) return 'system identifier';
  if (before.database_oid !== now.database_oid) return 'database';
  if (before.in_recovery !== now.in_recovery) return 'role (primary or standby)';
  if (before.timeline !== now.timeline) return 'timeline';
  if (before.address !== now.address || before.port !== now.port) return 'address';
  if (hasCrashed(before, now)) return 'start of statistics (a crash moves it, and a reset by hand)';
  return null;
}
