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

/** Waiting for another loader to finish its batch is not being stuck. */
export const WAIT_FOR_LOADER = '15min';
