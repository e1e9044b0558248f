import ora, { type Ora } from 'ora';
import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';
import { PipelineError } from '../shared/errors.ts';
import type { Report, ReportEvent } from '../shared/report.ts';

/** Where a command writes to; a test gives its own. */
export interface Streams {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/** What a command says, in one of two ways: for people, or one JSON object a line. Logs go to stderr in both. */
export interface Output {
  readonly json: boolean;
  readonly report: Report;
  readonly log: Logger;
  /** A line for people; not printed with --json. */
  line(text: string): void;
  /** An object for programs; not printed without --json. */
  object(value: Readonly<Record<string, unknown>>): void;
  /** The error that ended a command. */
  fail(error: unknown): void;
  /** Takes a spinner off the terminal. */
  close(): void;
}

export function createOutput(json: boolean, streams: Streams): Output {
  const log = logger(json, streams);
  const progress = json || streams.stderr.isTTY !== true ? null : ora({ stream: streams.stderr, discardStdin: false });
  const write = (text: string) => {
    progress?.clear();
    streams.stdout.write(`${text}\n`);
  };
  const output: Output = {
    json,
    log,
    line: (text) => (json ? undefined : write(text)),
    object: (value) => (json ? write(JSON.stringify(value)) : undefined),
    report: (event) => report(event, output, progress, tables),
    fail: (error) => {
      progress?.stop();
      // Those of the batch that failed are not of the next one.
      tables.length = 0;
      logFailure(log, error);
    },
    close: () => progress?.stop(),
  };
  const tables: string[] = [];
  return output;
}

function logger(json: boolean, streams: Streams): Logger {
  const options = { base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (json) return pino(options, streams.stderr);
  const colorize = streams.stderr.isTTY === true;
  return pino(options, pretty({ destination: streams.stderr, colorize, translateTime: 'HH:MM:ss', sync: true }));
}

function report(event: ReportEvent, output: Output, progress: Ora | null, tables: string[]): void {
  const { stage, batch, message, ...rest } = event;
  output.object({ ...rest, stage, ...(batch === undefined ? {} : { batch }), ...said(message) });
  if (event.event === 'warning') output.log.warn({ stage, batch, table: event.table }, message ?? '');
  if (output.json) return;
  if (event.event === 'table') {
    const also = aside(event);
    if (event.rows !== 0 || also !== '') tables.push(`${event.table} ${number(event.rows)}${also}`);
    progress?.start(`${stage}: batch ${batch}, ${event.table}`);
    return;
  }
  const line = lineOf(event);
  progress?.stop();
  if (line !== null) output.line(line);
  if (event.event === 'batch' && tables.length > 0) output.line(`           ${tables.join(', ')}`);
  if (event.event !== 'warning' && event.event !== 'range') tables.length = 0;
}

function said(message: string | undefined): { readonly message?: string } {
  return message === undefined ? {} : { message };
}

function lineOf(event: ReportEvent): string | null {
  const stage = event.stage.padEnd(10);
  switch (event.event) {
    case 'batch': {
      // One that was done in ranges by several has none of its own.
      const took = event.seconds === undefined ? '' : ` in ${event.seconds.toFixed(2)} s`;
      return `${stage} batch ${event.batch}: ${count(event.rows, 'row')}${took}${aside(event)}`;
    }
    case 'lost':
      return `${stage} batch ${event.batch}: another worker committed it first`;
    case 'busy':
      return `${stage} batch ${event.batch}: another worker is at it`;
    case 'nothing_new':
      return `${stage} nothing new (batch ${event.batch})`;
    case 'range': {
      const what = event.table === undefined ? 'a range' : `a range of ${event.table}`;
      return `${stage} batch ${event.batch}, ${what}: ${count(event.rows, 'row')}`;
    }
    case 'table':
    case 'warning':
      return null;
  }
}

function aside({ quarantined = 0, released = 0 }: ReportEvent): string {
  const parts = [
    ...(quarantined > 0 ? [`${number(quarantined)} to quarantine`] : []),
    ...(released > 0 ? [`${number(released)} released`] : []),
  ];
  return parts.length > 0 ? ` (${parts.join(', ')})` : '';
}

export function number(value: number | undefined): string {
  return (value ?? 0).toLocaleString('en-GB');
}

/** `1 row`, `1,000 rows`. */
export function count(value: number | undefined, what: string): string {
  return `${number(value)} ${what}${value === 1 ? '' : 's'}`;
}

/** What, where, what to do. A bug is told with its stack: there is no advice for it. */
function logFailure(log: Logger, error: unknown): void {
  if (error instanceof PipelineError) {
    log.error({ kind: error.kind, ...error.context, hint: error.hint }, error.message);
    return;
  }
  const stack = error instanceof Error ? error.stack : undefined;
  log.error({ kind: 'bug', stack }, error instanceof Error ? error.message : String(error));
}

const NUMERIC = /^-?[\d,]*\.?\d*$/;

/** Rows as a table of padded columns; numbers end where others end. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((name, at) => Math.max(name.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const numeric = header.map((_, at) => rows.length > 0 && rows.every((row) => NUMERIC.test(row[at] ?? '')));
  const pad = (cell: string, at: number) =>
    numeric[at] === true ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0);
  const format = (row: readonly string[]) => row.map(pad).join('  ').trimEnd();
  return [format(header), widths.map((width) => '─'.repeat(width)).join('  '), ...rows.map(format)].join('\n');
}
