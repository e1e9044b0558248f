import { createHash } from 'node:crypto';
import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import type { IngestedTable, Part } from '../shared/lake/entries.ts';
import { dataKey } from '../shared/lake/key.ts';
import type { Lake } from '../shared/lake/lake.ts';
import type { TableSpec } from '../shared/model/table.ts';
import { destroy } from '../shared/postgres/client.ts';
import { fromPostgres } from '../shared/postgres/errors.ts';
import { identifier, identifiers, qualified } from '../shared/postgres/sql.ts';
import { DECLARED_FULL, sinceCursor, type TablePlan } from './plan.ts';
import type { Snapshot } from './session.ts';

export interface CopyInput {
  readonly client: pg.Client;
  readonly lake: Lake;
  readonly schema: string;
  readonly batch: number;
  readonly attempt: string;
  readonly snapshot: Snapshot;
}

/** Reads what the plan says of one table, straight from PostgreSQL into one object; none where there are no rows. */
export async function readTable(input: CopyInput, plan: TablePlan): Promise<IngestedTable> {
  const { table, description, declaration } = plan;
  const read = plan.where === false ? NOTHING_READ : await copyRows(input, table, plan.where);
  const cursor = await cursorOf(input, plan);
  const known = {
    declaration,
    columns: Object.keys(table.columns),
    fingerprint: description.fingerprint,
    leaves: [...description.leaves],
    cursor,
  };
  if (isRepetition(plan, read.digest)) {
    await Promise.all(read.parts.map((part) => input.lake.delete(part.key)));
    return { ...known, whole: null, digest: read.digest, rows: 0, parts: [] };
  }
  const rows = read.parts.reduce((sum, part) => sum + part.rows, 0);
  const digest = await digestToExpect(input, plan, cursor, read.digest);
  return { ...known, whole: plan.whole, digest, rows, parts: [...read.parts] };
}

interface ReadRows {
  readonly parts: readonly Part[];
  readonly digest: string | null;
}

const NOTHING_READ: ReadRows = { parts: [], digest: null };

async function copyRows(input: CopyInput, table: TableSpec, where: string | true): Promise<ReadRows> {
  const stream = input.client.query(copyTo(copyQuery(input, table, where)));
  const digest = table.strategy.kind === 'xmin' ? null : createHash('sha256');
  const chunks = tell(stream, table.name, (chunk) => digest?.update(chunk));
  try {
    const body = await behindHeader(chunks);
    const key = dataKey(table.name, input.batch, input.attempt, 0, 'csv');
    const bytes = body === null ? 0 : await input.lake.put(key, body);
    // The count comes behind the data; an empty query is answered once it has.
    await input.client.query('');
    const parts = body === null ? [] : [{ key, rows: stream.rowCount, bytes }];
    return { parts, digest: digest?.digest('hex') ?? null };
  } catch (error) {
    destroy(input.client);
    throw error;
  }
}

function copyQuery(input: CopyInput, table: TableSpec, where: string | true): string {
  const rows = `${qualified(input.schema, table.name)}${where === true ? '' : ` where ${where}`}`;
  return `copy (select ${identifiers(Object.keys(table.columns))} from ${rows}) to stdout (format csv, header)`;
}

/**
 * The digest of what the next batch reads if nothing happens until then: with a cursor that is only the overlap and the
 * rows at the highest value, which would otherwise be told as news once more.
 */
async function digestToExpect(
  input: CopyInput,
  { table, where }: TablePlan,
  cursor: string | null,
  digest: string | null,
): Promise<string | null> {
  if (table.strategy.kind !== 'cursor') return digest;
  const next = sinceCursor(table.strategy, cursor);
  if (next === where) return digest;
  const hash = createHash('sha256');
  const stream = input.client.query(copyTo(copyQuery(input, table, next)));
  for await (const chunk of tell(stream, table.name, () => undefined)) hash.update(chunk);
  return hash.digest('hex');
}

/** The chunks of a COPY, its errors made into ours; `see` sees each of them. */
async function* tell(
  stream: AsyncIterable<Uint8Array>,
  table: string,
  see: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of stream) {
      see(chunk);
      yield chunk;
    }
  } catch (error) {
    throw fromPostgres('source', error, { table });
  }
}

/** The whole stream, header included, once it is known that there is something behind the header; else null. */
async function behindHeader(chunks: AsyncGenerator<Uint8Array>): Promise<AsyncIterable<Uint8Array> | null> {
  const seen: Uint8Array[] = [];
  for (;;) {
    const { value, done } = await chunks.next();
    if (done === true) return null;
    seen.push(value);
    const start = Buffer.concat(seen);
    const end = headerEnd(start);
    if (end >= 0 && end < start.length) return resume(start, chunks);
  }
}

async function* resume(start: Uint8Array, rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield start;
  yield* rest;
}

const [QUOTE, LF] = [34, 10];

/** The index behind the first record, -1 while it is not complete. A column's name may hold line ends, in quotes. */
function headerEnd(bytes: Uint8Array): number {
  let quoted = false;
  for (const [at, byte] of bytes.entries()) {
    if (byte === QUOTE) quoted = !quoted;
    if (byte === LF && !quoted) return at + 1;
  }
  return -1;
}

/** The same rows as last time, read because the strategy cannot tell: not news. */
function isRepetition(plan: TablePlan, digest: string | null): boolean {
  const isUsual = plan.whole === null || plan.whole === DECLARED_FULL;
  return digest !== null && isUsual && plan.previous?.digest === digest;
}

async function cursorOf(input: CopyInput, plan: TablePlan): Promise<string | null> {
  const { strategy } = plan.table;
  if (strategy.kind === 'xmin') return input.snapshot.xmin.toString();
  if (strategy.kind === 'full') return null;
  // Of an empty table all rows to come are new, whatever there was before.
  return highest(input, plan.table, strategy.column);
}

/** Infinite times are above everything: as a cursor they would hide all that comes later. */
async function highest(input: CopyInput, table: TableSpec, column: string): Promise<string | null> {
  const kind = table.columns[column]?.type.kind ?? '';
  const finite = kind === 'int' || kind === 'bigint' ? '' : ` where isfinite(${identifier(column)})`;
  const from = qualified(input.schema, table.name);
  const query = `select max(${identifier(column)})::text as highest from ${from}${finite}`;
  return (await input.client.query<{ highest: string | null }>(query)).rows[0]?.highest ?? null;
}
