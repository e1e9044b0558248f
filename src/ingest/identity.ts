import type pg from 'pg';
import type { SourceIdentity } from '../shared/lake/entries.ts';

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

type Nullable = Readonly<Record<string, string | null>>;

/** Which server, which database, which history: transaction ids mean nothing outside of it. */
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
  };
}

/** The name of what differs, for people; null where it is the same source. */
export function identityChange(before: SourceIdentity, now: SourceIdentity): string | null {
  if (before.system_identifier !== now.system_identifier) return 'system identifier';
  if (before.database_oid !== now.database_oid) return 'database';
  if (before.in_recovery !== now.in_recovery) return 'role (primary or standby)';
  if (before.timeline !== now.timeline) return 'timeline';
  if (before.address !== now.address || before.port !== now.port) return 'address';
  return null;
}
