import { type ErrorContext, type ErrorKind, PipelineError } from '../errors.ts';

/** Which of the two databases it is. */
export type Side = 'source' | 'warehouse';

type Kinds = Record<'unreachable' | 'denied' | 'locked' | 'structure' | 'failed', ErrorKind>;

const KINDS: Record<Side, Kinds> = {
  source: {
    unreachable: 'source_unreachable',
    denied: 'source_denied',
    locked: 'source_locked',
    structure: 'source_structure',
    failed: 'source_failed',
  },
  warehouse: {
    unreachable: 'warehouse_unreachable',
    denied: 'warehouse_denied',
    locked: 'warehouse_locked',
    structure: 'warehouse_schema',
    failed: 'warehouse_failed',
  },
};

const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
]);

/** What the driver says of a connection that is gone, without a code. */
const CONNECTION_LOST = /^(connection terminated|timeout expired|client (was closed|has encountered))/i;

/**
 * What a driver or server error means to the pipeline. A `PipelineError` only learns where it happened; what comes
 * neither from driver nor server is a bug, and passes as it is.
 */
export function fromPostgres(side: Side, error: unknown, context: ErrorContext = {}): unknown {
  if (error instanceof PipelineError) return error.within(context);
  const code = codeOf(error);
  if (code === '' && !CONNECTION_LOST.test(error instanceof Error ? error.message : '')) return error;
  const kind = KINDS[side][classify(code)];
  const sqlstate = SQLSTATE.test(code) ? { sqlstate: code } : {};
  const where = context.table === undefined ? '' : ` (table ${context.table})`;
  return new PipelineError(kind, `${side}: ${messageOf(code, error)}${where}`, { ...context, ...sqlstate });
}

const SQLSTATE = /^[0-9A-Z]{5}$/;

function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

/** By SQLSTATE (PostgreSQL's appendix A) or Node's error code; a lost connection may have neither. */
function classify(code: string): keyof Kinds {
  if (code === '' || NETWORK_CODES.has(code) || /^(08|57P)/.test(code) || code === '3D000') return 'unreachable';
  if (code.startsWith('28') || code === '42501' || code === '3F000') return 'denied';
  if (code === '55P03' || code === '40P01') return 'locked';
  if (code === '42P01' || code === '42703') return 'structure';
  return 'failed';
}

/**
 * Data exceptions and integrity violations (classes 22 and 23) quote the value in their message; those stay unsaid.
 * `cause` is left out for the same reason: a driver's error carries the detail line.
 */
function messageOf(code: string, error: unknown): string {
  if (code.startsWith('22') || code.startsWith('23')) return `SQLSTATE ${code}`;
  if (error instanceof AggregateError && error.message === '') return messageOf(code, error.errors[0]);
  const message = error instanceof Error ? error.message : String(error);
  return code === '' || message.includes(code) ? message : `${message} (${code})`;
}
