import type pg from 'pg';
import { KEEPALIVE_SETTINGS } from '../shared/postgres/keepalive.ts';

/** What every loading session fixes. A process frozen between two statements must not hold the ledger. */
export const WAREHOUSE_SETTINGS: Readonly<Record<string, string>> = {
  search_path: '',
  TimeZone: 'UTC',
  DateStyle: 'ISO, YMD',
  extra_float_digits: '1',
  client_encoding: 'UTF8',
  lock_timeout: '15s',
  idle_in_transaction_session_timeout: '5min',
  ...KEEPALIVE_SETTINGS,
};

const END_WITH_CLIENT = `
  select pg_catalog.set_config(name, '10s', false) from pg_catalog.pg_settings where name = 'client_connection_check_interval'`;

/**
 * A statement whose process is gone, a function that was killed for one, ends within ten seconds, and lets go of its locks:
 * else whoever tries again would wait for an `insert` of half an hour to fail. Servers have known that since PostgreSQL 14,
 * and refuse it where their system cannot tell.
 */
export async function endWithClient(client: pg.Client): Promise<void> {
  await client.query(END_WITH_CLIENT).catch(() => undefined);
}

/** Waiting for another loader to finish its batch is not being stuck. */
export const WAIT_FOR_LOADER = '15min';
