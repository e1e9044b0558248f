import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { Part } from '../shared/lake/entries.ts';
import { dataKey } from '../shared/lake/key.ts';
import type { Lake } from '../shared/lake/lake.ts';
import type { TableSpec } from '../shared/model/table.ts';
import { destroy } from '../shared/postgres/client.ts';
import { fromPostgres } from '../shared/postgres/errors.ts';
import { identifiers, qualified } from '../shared/postgres/sql.ts';
import { CopyOut } from './copy-out.ts';

/** From where a part is read, and where to. */
export interface PartInput {
  readonly client: pg.Client;
  readonly lake: Lake;
  readonly schema: string;
  readonly batch: number;
  readonly attempt: string;
}

interface ReadRows {
  /** One, or none where there are no rows. */
  readonly parts: readonly Part[];
  /** SHA-256 of it, where it is wanted. */
  readonly digest: string | null;
}

export const NOTHING_READ: ReadRows = { parts: [], digest: null };

/**
 * Reads the rows of a table, all or those that fulfil a condition, straight from PostgreSQL into one object. One that
 * fails cuts its connection.
 * @param part The number of the object among those of the table.
 */
export async function copyRows(
  input: PartInput,
  table: TableSpec,
  where: string | true,
  part = 0,
): Promise<ReadRows> {
  const stream = input.client.query(new CopyOut(copyQuery(input, table, where)));
  const digest = table.strategy.kind === 'xmin' ? null : createHash('sha256');
  const chunks = tell(stream, table.name, (chunk) => digest?.update(chunk));
  try {
    const body = await behindHeader(chunks);
    const key = dataKey(table.name, input.batch, input.attempt, part, 'csv');
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

/** The digest of what would be read, and nothing else of it. */
export async function digestOfRows(
  input: Pick<PartInput, 'client' | 'schema'>,
  table: TableSpec,
  where: string | true,
): Promise<string> {
  const hash = createHash('sha256');
  const stream = input.client.query(new CopyOut(copyQuery(input, table, where)));
  for await (const chunk of tell(stream, table.name, () => undefined)) hash.update(chunk);
  return hash.digest('hex');
}

function copyQuery({ schema }: Pick<PartInput, 'schema'>, table: TableSpec, where: string | true): string {
  const rows = `${qualified(schema, table.name)}${where === true ? '' : ` where ${where}`}`;
  return `copy (select ${identifiers(Object.keys(table.columns))} from ${rows}) to stdout (format csv, header)`;
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
