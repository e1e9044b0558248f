import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ClientBase } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { TableName } from './schema.ts';

export type Cell = string | number | boolean | null;
export type Row = readonly Cell[];

/** Rows on their way into a table, with the columns that their cells are for. */
export interface RowSet {
  readonly table: TableName;
  readonly columns: string;
  readonly rows: Iterable<Row>;
}

const CHUNK_CHARACTERS = 65_536;

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

/** One cell in the text format of COPY: https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2 */
function cellText(cell: Cell): string {
  if (cell === null) return '\\N';
  if (typeof cell !== 'string') return String(cell);
  return cell.replaceAll(/[\\\t\n\r]/g, (character) => ESCAPES[character] ?? character);
}

function* chunks(rows: Iterable<Row>): Generator<string> {
  let chunk = '';
  for (const row of rows) {
    chunk += `${row.map(cellText).join('\t')}\n`;
    if (chunk.length >= CHUNK_CHARACTERS) {
      yield chunk;
      chunk = '';
    }
  }
  if (chunk !== '') yield chunk;
}

/** Streams rows into a table, a chunk at a time however many there are; resolves to their number. */
export async function copyRows(client: ClientBase, { table, columns, rows }: RowSet): Promise<number> {
  const stream = client.query(copyFrom(`copy ${table} (${columns}) from stdin`));
  await pipeline(Readable.from(chunks(rows)), stream);
  return stream.rowCount;
}
