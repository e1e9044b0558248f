import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type ErrorKind, PipelineError } from '../../../src/shared/errors.ts';
import { fromPostgres } from '../../../src/shared/postgres/errors.ts';

/** As the driver makes them: a message, a code, and a detail that quotes the row. */
function coded(code: string, message = 'what the server said', more = {}): Error {
  return Object.assign(new Error(message), { code, detail: 'Key (name)=(O. Wilde) already exists.', ...more });
}

describe('an error of the server has the kind of its SQLSTATE', () => {
  test.each<[string, ErrorKind, ErrorKind]>([
    ['08006', 'source_unreachable', 'warehouse_unreachable'],
    ['57P01', 'source_unreachable', 'warehouse_unreachable'],
    ['57P03', 'source_unreachable', 'warehouse_unreachable'],
    ['3D000', 'source_unreachable', 'warehouse_unreachable'],
    ['28P01', 'source_denied', 'warehouse_denied'],
    ['28000', 'source_denied', 'warehouse_denied'],
    ['42501', 'source_denied', 'warehouse_denied'],
    ['3F000', 'source_denied', 'warehouse_denied'],
    ['55P03', 'source_locked', 'warehouse_locked'],
    ['40P01', 'source_locked', 'warehouse_locked'],
    ['42P01', 'source_structure', 'warehouse_schema'],
    ['42703', 'source_structure', 'warehouse_schema'],
    ['57014', 'source_failed', 'warehouse_failed'],
    ['40001', 'source_failed', 'warehouse_failed'],
    ['53300', 'source_busy', 'warehouse_busy'],
    ['53100', 'source_full', 'warehouse_full'],
    ['53200', 'source_failed', 'warehouse_failed'],
    ['53400', 'source_failed', 'warehouse_failed'],
    ['08P01', 'source_unreachable', 'warehouse_unreachable'],
    ['22012', 'source_failed', 'warehouse_failed'],
    ['23505', 'source_failed', 'warehouse_failed'],
    ['XX001', 'source_failed', 'warehouse_failed'],
  ])('%s', (sqlstate, source, warehouse) => {
    const error = coded(sqlstate);
    expect(fromPostgres('source', error)).toMatchObject({ name: 'PipelineError', kind: source, context: { sqlstate } });
    expect(fromPostgres('warehouse', error)).toMatchObject({ kind: warehouse, context: { sqlstate } });
  });
});

describe('what a pooler says, which calls everything a violation of the protocol, has the kind of what it says', () => {
  test.each([
    ['password authentication failed', 'source_denied'],
    ['query_wait_timeout', 'source_busy'],
    ['no more connections allowed (max_client_conn)', 'source_busy'],
    ['server login failed: FATAL sorry, too many clients already', 'source_busy'],
    ['server conn crashed?', 'source_unreachable'],
  ])('%s', (message, kind) => {
    expect(fromPostgres('source', coded('08P01', message))).toMatchObject({ kind, context: { sqlstate: '08P01' } });
  });
});

describe('an error of the connection is unreachable', () => {
  test.each([
    'ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EPIPE',
    'EPROTO', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_TLS_CERT_ALTNAME_INVALID', 'ERR_SSL_WRONG_VERSION_NUMBER',
    'SELF_SIGNED_CERT_IN_CHAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'CERT_HAS_EXPIRED', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ])('with the code %s, which is no SQLSTATE', (code) => {
    const error = fromPostgres('source', coded(code));
    expect(error).toMatchObject({ kind: 'source_unreachable', message: `source: what the server said (${code})` });
    expect(error).toHaveProperty('context', {});
  });

  test('on a Unix socket that is not there', () => {
    const error = coded('ENOENT', 'connect ENOENT /var/run/.s.PGSQL.5432', { syscall: 'connect' });
    expect(fromPostgres('warehouse', error)).toMatchObject({ kind: 'warehouse_unreachable' });
  });

  test.each([
    'Connection terminated', 'Connection terminated unexpectedly', 'Connection terminated due to connection timeout',
    'timeout expired', 'Client was closed and is not queryable',
    'Client has encountered a connection error and is not queryable', 'The server does not support SSL connections',
  ])("where the driver says '%s' and nothing else", (message) => {
    expect(fromPostgres('warehouse', new Error(message))).toMatchObject({
      kind: 'warehouse_unreachable', message: `warehouse: ${message}`,
    });
  });

  test('to all addresses of a host, one after the other', () => {
    const both = ['::1:1', '127.0.0.1:1'].map((to) => coded('ECONNREFUSED', `connect ECONNREFUSED ${to}`));
    expect(fromPostgres('source', new AggregateError(both))).toMatchObject({
      kind: 'source_unreachable', message: 'source: connect ECONNREFUSED ::1:1',
    });
    expect(fromPostgres('source', new AggregateError(both, 'all of them'))).toMatchObject({
      message: 'source: all of them (ECONNREFUSED)',
    });
  });
});

test('a password that is missing is denied', () => {
  const error = new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string');
  expect(fromPostgres('source', error)).toMatchObject({ kind: 'source_denied' });
});

test('an error of a connection that could not be made names the place', () => {
  const error = fromPostgres('source', coded('ECONNREFUSED', 'connection refused'), {}, 'db:5432/totesys');
  expect(error).toHaveProperty('message', 'source at db:5432/totesys: connection refused (ECONNREFUSED)');
});

describe('a message', () => {
  const quoting = ['22P02', '22003', '22012', '23505', '23503', '23514', 'P0001', 'P0004'];
  test.each(quoting)('of %s is not passed on', (code) => {
    const error = fromPostgres('source', coded(code, 'invalid input: "O. Wilde"'), { table: 'staff' });
    expect(error).toHaveProperty('message', `source: SQLSTATE ${code} (table staff)`);
    expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain('Wilde');
  });

  test('of any other is passed on, with code and table, and the detail never is', () => {
    const error = fromPostgres('source', coded('42501', 'permission denied'), { table: 'staff', batch: 7 });
    expect(error).toMatchObject({
      message: 'source: permission denied (42501) (table staff)',
      context: { table: 'staff', batch: 7, sqlstate: '42501' },
    });
    expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain('Wilde');
    expect(error).not.toHaveProperty('cause');
  });
});

describe('what is no error of a database', () => {
  test('passes as it is: it is a bug', () => {
    const bugs: readonly unknown[] = [
      new TypeError('x is not a function'),
      coded('ERR_INVALID_ARG_TYPE'),
      coded('ERR_STREAM_PUSH_AFTER_EOF'),
      coded('ENOENT', 'no such file', { syscall: 'open' }),
      coded('EPERM'),
      Object.assign(new Error('numbered'), { code: 42 }),
      new AggregateError([], 'none'),
      new AggregateError([new TypeError('one')]),
      'thrown text', undefined, null, 7, { code: 'nonsense' },
    ];
    for (const bug of bugs) expect(fromPostgres('source', bug, { table: 'staff' })).toBe(bug);
  });

  test('is told where it happened if it is one of the pipeline', () => {
    const error = new PipelineError('lake_full', 'the disk is full', { table: 'staff' });
    expect(fromPostgres('source', error, { table: 'other', batch: 3 })).toMatchObject({
      kind: 'lake_full', message: 'the disk is full', context: { table: 'staff', batch: 3 },
    });
  });
});

test('what is thrown need not be an Error, if it has a code', () => {
  expect(fromPostgres('source', { code: 'ECONNRESET' })).toMatchObject({ kind: 'source_unreachable' });
});
