import { PipelineError } from '../shared/errors.ts';
import type { IngestedTable, MirrorObjects, Part } from '../shared/lake/entries.ts';
import { mirrorKey } from '../shared/lake/key.ts';
import type { Lake } from '../shared/lake/lake.ts';
import { bytesOf } from '../shared/lake/read.ts';
import { columnCells } from '../shared/parquet/cells.ts';
import { decodeParquet } from '../shared/parquet/parquet.ts';
import { type CsvBlock, fieldText, recordAt } from './csv.ts';
import { PartWriter, rowsOf } from './parts.ts';
import { recordsOf } from './records.ts';
import { type Reject, sourceRow } from './reject.ts';

/** The text of a row's mirrored columns, as PostgreSQL writes it: no declared type can make a mirror lose a value. */
export type MirrorRow = readonly (string | null)[];

const TEXT = { kind: 'text' } as const;

/**
 * The current rows of a source table, by key, in memory while a batch is transformed; and what the batch changed in them.
 * Rows are held as text: about 100 bytes and twice its characters a row.
 */
export class Mirror {
  /** Key first. */
  readonly columns: readonly string[];
  readonly #rows: Map<string, MirrorRow>;
  /** The rows before this batch, of all keys that it changed; undefined where there was none. */
  readonly #before = new Map<string, MirrorRow | undefined>();

  constructor(columns: readonly string[], rows: Map<string, MirrorRow> = new Map()) {
    this.columns = columns;
    this.#rows = rows;
  }

  get changedKeys(): Iterable<string> {
    return this.#before.keys();
  }

  get changed(): boolean {
    return this.#before.size > 0;
  }

  get entries(): Iterable<readonly [string, MirrorRow]> {
    return this.#rows;
  }

  now(key: string): MirrorRow | undefined {
    return this.#rows.get(key);
  }

  before(key: string): MirrorRow | undefined {
    return this.#before.has(key) ? this.#before.get(key) : this.#rows.get(key);
  }

  set(key: string, row: MirrorRow): void {
    const old = this.#rows.get(key);
    if (old && sameRow(old, row)) return;
    if (!this.#before.has(key)) this.#before.set(key, old);
    this.#rows.set(key, row);
  }

  remove(key: string): void {
    if (!this.#before.has(key)) this.#before.set(key, this.#rows.get(key));
    this.#rows.delete(key);
  }
}

export function sameRow(a: MirrorRow, b: MirrorRow): boolean {
  return a.length === b.length && a.every((value, at) => value === b[at]);
}

/**
 * Brings a mirror up to a batch. A table that was read whole is replaced: what the source deleted leaves it. A row
 * without a key cannot be referred to: it goes to quarantine under its table's own name.
 * @throws PipelineError `key_not_unique`: of two rows with one key, which is looked up would be left to chance.
 */
export async function applyBatch(
  mirror: Mirror,
  lake: Lake,
  table: string,
  ingested: IngestedTable,
  reject: (row: Reject) => Promise<void>,
): Promise<void> {
  const gone = ingested.whole === null ? null : new Set([...mirror.entries].map(([key]) => key));
  const seen = new Set<string>();
  const isAgain = (key: string): boolean => {
    // Of a table that is read whole, what is in the mirror and not to go has been seen: no second set of all keys.
    if (gone !== null) return mirror.now(key) !== undefined && !gone.delete(key);
    const before = seen.size;
    return seen.add(key).size === before;
  };
  for await (const block of recordsOf(lake, ingested)) {
    const fields = mirror.columns.map((column) => block.header.indexOf(column));
    for (let record = 0; record < block.rows; record += 1) {
      const row = fields.map((field) => (field < 0 ? null : fieldText(block, record, field)));
      const key = row[0] ?? null;
      if (key === null) await reject(keyless(table, mirror.columns, block, record));
      else if (isAgain(key)) throw notUnique(table, mirror.columns);
      else mirror.set(key, row);
    }
  }
  for (const key of gone ?? []) mirror.remove(key);
}

function keyless(table: string, [column = '']: readonly string[], block: CsvBlock, record: number): Reject {
  return { table, key: null, column, reason: 'is null', row: sourceRow(block.header, recordAt(block, record)) };
}

function notUnique(table: string, [column = '']: readonly string[]): PipelineError {
  const message = `a batch holds two rows of ${table} with one key, so ${table}.${column} is no key`;
  return new PipelineError('key_not_unique', message, { table, column });
}

export async function readMirror(lake: Lake, objects: MirrorObjects): Promise<Mirror> {
  const rows = new Map<string, MirrorRow>();
  for (const part of objects.parts) {
    const table = await decodeParquet(part.key, await bytesOf(lake, part.key), part.rows);
    const columns = objects.columns.map((column) => columnCells(table, column, TEXT) ?? lacking(part.key, column));
    for (let at = 0; at < part.rows; at += 1) {
      const row = columns.map((cells) => textOrNull(cells[at]));
      rows.set(row[0] ?? '', row);
    }
  }
  return new Mirror(objects.columns, rows);
}

function lacking(key: string, column: string): never {
  throw new PipelineError('lake_corrupt', `${key} has no column ${column}, which its log entry says`, { key, column });
}

function textOrNull(cell: unknown): string | null {
  return typeof cell === 'string' ? cell : null;
}

/** Writes a mirror as new objects, never over the old ones: the entry of the batch before still names those. */
export async function writeMirror(
  lake: Lake,
  mirror: Mirror,
  name: { readonly table: string; readonly batch: number; readonly attempt: string },
): Promise<MirrorObjects> {
  const columns = mirror.columns.map((column, at) => ({ name: column, type: TEXT, nullable: at > 0 }));
  const writer = new PartWriter(lake, columns, (part) => mirrorKey(name.table, name.batch, name.attempt, part));
  for (const [, row] of mirror.entries) {
    writer.add(row);
    if (writer.full) await writer.flush();
  }
  const parts: readonly Part[] = await writer.close();
  return { columns: [...mirror.columns], rows: rowsOf(parts), parts: [...parts] };
}
