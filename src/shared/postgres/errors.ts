import { type ErrorContext, type ErrorKind, PipelineError } from '../errors.ts';

/** Which of the two databases it is. */
export type Side = 'source' | 'warehouse';

type Kinds = Record<'unreachable' | 'denied' | 'locked' | 'structure' | 'busy' | 'full' | 'failed', ErrorKind>;

const KINDS: Record<Side, Kinds> = {
  source: {
    unreachable: 'source_unreachable',
    denied: 'source_denied',
    locked: 'source_locked',
    structure: 'source_structure',
    busy: 'source_busy',
    full: 'source_full',
    failed: 'source_failed',
  },
  warehouse: {
    unreachable: 'warehouse_unreachable',
    denied: 'warehouse_denied',
    locked: 'warehouse_locked',
    structure: 'warehouse_schema',
    busy: 'warehouse_busy',
    full: 'warehouse_full',
    failed: 'warehouse_failed',
  },
};

/** Node's codes of a connection that cannot be made, or trusted, or that breaks; its other codes are those of bugs. */
const NETWORK = new RegExp(
  '^(E(CONN[A-Z]+|AI_[A-Z]+|NOTFOUND|TIMEDOUT|HOSTUNREACH|NETUNREACH|PIPE|PROTO)|ERR_STREAM_PREMATURE_CLOSE|' +
    'ERR_(TLS|SSL)_[A-Z_]+|[A-Z_]*CERT[A-Z_]*|UNABLE_TO_[A-Z_]+)$',
);

/** What the driver says, without a code, of a connection that is gone or that the server would not make. */
const CONNECTION_LOST =
  /^(connection terminated|timeout expired|client (was closed|has encountered)|the server does not support ssl)/i;

/** What the driver says, without a code, of a password that is missing or that the server did not prove to know. */
const NOT_AUTHENTICATED = /^SASL: /;

/**
 * What a driver or server error means to the pipeline. A `PipelineError` only learns where it happened; what comes
 * neither from driver nor server is a bug, and passes as it is.
 * @param place host, port and database, for whoever has to find out why there is no connection to them.
 */
export function fromPostgres(side: Side, error: unknown, context: ErrorContext = {}, place?: string): unknown {
  if (error instanceof PipelineError) return error.within(context);
  const code = codeOf(error);
  const what = SQLSTATE.test(code) ? ofServer(code, error) : ofDriver(code, error);
  if (what === null) return error;
  const sqlstate = SQLSTATE.test(code) ? { sqlstate: code } : {};
  const where = context.table === undefined ? '' : ` (table ${context.table})`;
  const at = place === undefined ? '' : ` at ${place}`;
  const message = `${side}${at}: ${messageOf(code, error)}${where}`;
  return new PipelineError(KINDS[side][what], message, { ...context, ...sqlstate });
}

/** Whether somebody else has held a lock for longer than `lock_timeout`. */
export function isLockTimeout(error: unknown): boolean {
  return codeOf(error) === '55P03';
}

/** Five characters, but not Node's `EPIPE`. */
const SQLSTATE = /^(?!E[A-Z]{4}$)[0-9A-Z]{5}$/;

function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

/** By SQLSTATE, see PostgreSQL's appendix A. */
function ofServer(code: string, error: unknown): keyof Kinds {
  if (code === '08P01' && error instanceof Error) return ofPooler(error.message);
  if (/^(08|57P)/.test(code) || code === '3D000') return 'unreachable';
  if (code.startsWith('28') || code === '42501' || code === '3F000') return 'denied';
  if (code === '55P03' || code === '40P01') return 'locked';
  if (code === '42P01' || code === '42703') return 'structure';
  if (code === '53300') return 'busy';
  return code === '53100' ? 'full' : 'failed';
}

/** To pgbouncer everything is a violation of the protocol: a wrong password, and that all of its connections are taken. */
function ofPooler(message: string): keyof Kinds {
  if (/authentication failed/i.test(message)) return 'denied';
  return /query_wait_timeout|no more connections allowed|too many/i.test(message) ? 'busy' : 'unreachable';
}

/** Null for what is neither the driver's nor the network's: a bug. */
function ofDriver(code: string, error: unknown): keyof Kinds | null {
  const message = error instanceof Error ? error.message : '';
  if (NETWORK.test(code) || isOfSocket(error)) return 'unreachable';
  if (code !== '') return null;
  if (NOT_AUTHENTICATED.test(message)) return 'denied';
  return CONNECTION_LOST.test(message) ? 'unreachable' : null;
}

/** A Unix socket that is not there has the same code as a file that is not. */
function isOfSocket(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'syscall' in error && error.syscall === 'connect';
}

/** The classes that PostgreSQL defines (its manual, appendix A), but for those whose messages may quote a value. */
const UNQUOTING = new Set(
  '00 01 02 03 08 09 0A 0B 0F 0L 0P 0Z 20 21 24 25 26 27 28 2B 2D 2F 34 38 39 3B 3D 3F 40 42 44 53 54 55 57 58 72 F0 HV XX'.split(' '),
);

/** Data exceptions, integrity violations, and what a function of somebody's own raises, by a code of its own or P0001. */
function mayQuote(code: string): boolean {
  const isSqlstate = /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code);
  return isSqlstate && !UNQUOTING.has(code.slice(0, 2));
}

/**
 * What quotes a value stays unsaid.
 * `cause` is left out for the same reason: a driver's error carries the detail line.
 */
function messageOf(code: string, error: unknown): string {
  if (mayQuote(code)) return `SQLSTATE ${code}`;
  if (error instanceof AggregateError && error.message === '') return messageOf(code, error.errors[0]);
  const message = error instanceof Error ? error.message : String(error);
  return code === '' || message.includes(code) ? message : `${message} (${code})`;
}
