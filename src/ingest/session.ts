import { KEEPALIVE_SETTINGS } from '../shared/postgres/keepalive.ts';

/**
 * What every reading session fixes, so that the same value always has the same text. `row_security = off` makes a
 * policy that would hide rows an error; `synchronize_seqscans = off` makes scans of an unchanged table give the
 * same order.
 */
export const SOURCE_SETTINGS: Readonly<Record<string, string>> = {
  search_path: '',
  TimeZone: 'UTC',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  extra_float_digits: '1',
  bytea_output: 'hex',
  client_encoding: 'UTF8',
  // Where it is off, the bounds of `changedSince` would be read as escapes, and mean other bytes.
  standard_conforming_strings: 'on',
  // The text form of `money`.
  lc_monetary: 'C',
  row_security: 'off',
  synchronize_seqscans: 'off',
  default_transaction_read_only: 'on',
  lock_timeout: '10s',
  // A process frozen between two statements must not hold back the source's vacuum for longer than this.
  idle_in_transaction_session_timeout: '5min',
  ...KEEPALIVE_SETTINGS,
};

/** The snapshot of a batch: `pg_current_snapshot()`, taken apart. */
export interface Snapshot {
  readonly text: string;
  /** The oldest transaction that was still running: all below it are over. The next batch's cursor. */
  readonly xmin: bigint;
  /** The first transaction id not yet given out. */
  readonly xmax: bigint;
}

/** `xmin:xmax:xip,…`, see PostgreSQL's `pg_snapshot`. */
export function parseSnapshot(text: string): Snapshot {
  const [xmin = '', xmax = ''] = text.split(':');
  return { text, xmin: BigInt(xmin), xmax: BigInt(xmax) };
}

/** Tuples keep 32 bits of a transaction id, and half of that circle is "before". */
export const HALF_CIRCLE = 2n ** 31n;

/**
 * True of the rows that a transaction at or above `cursor` wrote. `xmin` keeps its raw 32 bits after freezing, so the
 * comparison is circular, as bytes. Rows of older transactions may pass around a wrap: a superset is safe, a subset
 * never.
 * Needs 0 < xmax - cursor < 2³¹. `CASE`-free and parallel safe; alternatives measured slower or wrong
 * (`age(xmin)`, `xmin::text::int8`, `pg_visible_in_snapshot`).
 */
export function changedSince(cursor: bigint, xmax: bigint): string {
  const [low, high] = [cursor, xmax].map((xid) => BigInt.asUintN(32, xid).toString(16).padStart(8, '0'));
  const either = BigInt.asUintN(32, cursor) < BigInt.asUintN(32, xmax) ? 'and' : 'or';
  return `(xidsend(xmin) >= '\\x${low}'::bytea ${either} xidsend(xmin) < '\\x${high}'::bytea)`;
}
