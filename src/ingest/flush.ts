import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { PipelineError } from '../shared/errors.ts';

/**
 * With `synchronous_commit = off` others see a transaction before it is on disk; after a crash it never was, and its id
 * is given out again. So a batch is committed only once the source's log is flushed up to where it was behind the
 * snapshot. Usually that is so long since, and this costs one question.
 */

/** Null on a standby: what it shows has been flushed where it came from, or its primary's crash is seen as one. */
const POSITION = `
  select case when not pg_catalog.pg_is_in_recovery() then pg_catalog.pg_current_wal_insert_lsn() end as lsn`;

/** Where the source's log is: behind everything that the snapshot taken before it shows. */
export async function logPosition(client: pg.Client): Promise<string | null> {
  return (await client.query<{ lsn: string | null }>(POSITION)).rows[0]?.lsn ?? null;
}

/** `16/B374D848` as a number. */
export function positionOf(lsn: string): bigint {
  const [high = '', low = ''] = lsn.split('/');
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

/**
 * PostgreSQL's own promise: a commit is flushed after at most three times this. In milliseconds. And whether commits
 * are left to that here, as far as a session can tell.
 */
const DELAY = `
  select setting as ms, pg_catalog.current_setting('synchronous_commit') = 'off' as lazy
  from pg_catalog.pg_settings where name = 'wal_writer_delay'`;

/** The shortest bound, for a disk that is busy. */
const PATIENCE_MIN_MS = 500;
/** So much longer than `wal_writer_delay` a flush may take to begin with, where commits are left to it. */
const SLACK_MS = 50;
const POLL_MS = 10;

/**
 * Behind the snapshot the log can hold what nobody has to flush: the half page of a transaction that is open, say, and
 * may be for hours, or what somebody's reading has tidied up. A commit of our own, empty but with an id, has the WAL
 * writer flush that too; nobody can ask where the last commit's record ended. It needs no rights, writes no row, and
 * waits for no standby.
 */
const OWN_COMMIT = ['begin read write', 'select pg_catalog.pg_current_xact_id()', 'commit'];

/** @throws PipelineError `source_failed`, to be tried again, when the source does not flush its log in time. */
export async function waitForFlush(client: pg.Client, lsn: string | null): Promise<void> {
  if (lsn === null || (await isFlushed(client, lsn))) return;
  const { ms, lazy } = (await client.query<{ ms: string; lazy: string }>(DELAY)).rows[0] ?? {};
  const patience_ms = Math.max(PATIENCE_MIN_MS, 3 * Number(ms));
  // Elsewhere it is not a commit that is waited for, and nobody else would flush it: 250 ms saved.
  if (lazy === 't' && (await isFlushedWithin(client, lsn, Number(ms) + SLACK_MS))) return;
  for (const statement of OWN_COMMIT) await client.query(statement);
  if (await isFlushedWithin(client, lsn, patience_ms)) return;
  const message = `source: its log is not flushed up to what was read, after ${patience_ms} ms (three times wal_writer_delay) and a commit`;
  throw new PipelineError('source_failed', message);
}

async function isFlushedWithin(client: pg.Client, lsn: string, patience_ms: number): Promise<boolean> {
  const end = performance.now() + patience_ms;
  do {
    await sleep(POLL_MS);
    if (await isFlushed(client, lsn)) return true;
  } while (performance.now() < end);
  return false;
}

const FLUSHED = 'select pg_catalog.pg_current_wal_flush_lsn() >= $1::pg_lsn as flushed';

async function isFlushed(client: pg.Client, lsn: string): Promise<boolean> {
  return (await client.query<{ flushed: string }>(FLUSHED, [lsn])).rows[0]?.flushed === 't';
}
