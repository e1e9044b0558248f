import { PipelineError } from '../shared/errors.ts';
import type { IngestedTable, MirrorObjects, Part } from '../shared/lake/entries.ts';
import { mirrorKey } from '../shared/lake/key.ts';
import type { Lake } from '../shared/lake/lake.ts';
import { bytesOf } from '../shared/lake/read.ts';
import { columnCells } from '../shared/parquet/cells.ts';
import { decodeParquet } from '../shared/parquet/parquet.ts';
import type { CsvBlock } from './csv.ts';
import { PartWriter, rowsOf } from './parts.ts';
import { recordsOf } from './records.ts';
import { type Reject, sourceRow } from './reject.ts';

/** The text of a row's mirrored columns, as PostgreSQL writes it: no declared type can make a mirror lose a value. */
export type MirrorRow = readonly (string | null)[];

const TEXT = { kind: 'text' } as const;

/** An object that a mirror was read from, and the keys of its rows. */
interface Stored {
  readonly part: Part;
  readonly keys: readonly string[];
}

/**
 * The current rows of a source table, by key, in memory while a batch is transformed; and what the batch changed in them.
 * Rows are held as text: about 100 bytes and twice its characters a row.
 */
export class Mirror {
  /** Key first. */
  readonly columns: readonly string[];
  /** In the order of the log entry: of two rows with one key the later one counts. */
  readonly stored: readonly Stored[];
  readonly #rows: Map<string, MirrorRow>;
  /** The rows before this batch, of all keys that it changed; undefined where there was none. */
  readonly #before = new Map<string, MirrorRow | undefined>();

  constructor(columns: readonly string[], rows: Map<string, MirrorRow> = new Map(), stored: readonly Stored[] = []) {
    this.columns = columns;
    this.stored = stored;
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
    while (block.next()) {
      const row = fields.map((field) => (field < 0 ? null : block.text(field)));
      const key = row[0] ?? null;
      if (key === null) await reject(keyless(table, mirror.columns, block));
      else if (isAgain(key)) throw notUnique(table, mirror.columns);
      else mirror.set(key, row);
    }
  }
  for (const key of gone ?? []) mirror.remove(key);
}

function keyless(table: string, [column = '']: readonly string[], block: CsvBlock): Reject {
  return { table, key: null, column, reason: 'is null', row: sourceRow(block.header, block.record()) };
}

function notUnique(table: string, [column = '']: readonly string[]): PipelineError {
  const message = `a batch holds two rows of ${table} with one key, so ${table}.${column} is no key`;
  return new PipelineError('key_not_unique', message, { table, column });
}

export async function readMirror(lake: Lake, objects: MirrorObjects): Promise<Mirror> {
  const rows = new Map<string, MirrorRow>();
  const stored: Stored[] = [];
  for (const part of objects.parts) {
    const keys: string[] = [];
    const table = await decodeParquet(part.key, await bytesOf(lake, part.key), part.rows);
    const columns = objects.columns.map((column) => columnCells(table, column, TEXT) ?? lacking(part.key, column));
    for (let at = 0; at < part.rows; at += 1) {
      const row = columns.map((cells) => textOrNull(cells[at]));
      const key = row[0] ?? '';
      rows.set(key, row);
      keys.push(key);
    }
    stored.push({ part, keys });
  }
  return new Mirror(objects.columns, rows, stored);
}

function lacking(key: string, column: string): never {
  throw new PipelineError('lake_corrupt', `${key} has no column ${column}, which its log entry says`, { key, column });
}

function textOrNull(cell: unknown): string | null {
  return typeof cell === 'string' ? cell : null;
}

/**
 * Writes what the batch changed behind the objects that are there: a change of ten rows does not cost the whole of a
 * large table. Never over the old objects: the entry of the batch before still names those.
 */
export async function writeMirror(
  lake: Lake,
  mirror: Mirror,
  name: { readonly table: string; readonly batch: number; readonly attempt: string },
): Promise<MirrorObjects> {
  const columns = mirror.columns.map((column, at) => ({ name: column, type: TEXT, nullable: at > 0 }));
  const writer = new PartWriter(lake, columns, (part) => mirrorKey(name.table, name.batch, name.attempt, part));
  const kept = keptObjects(mirror);
  for (const row of rowsBehind(mirror, kept)) {
    writer.add(row);
    if (writer.full) await writer.flush();
  }
  const parts = [...mirror.stored.slice(0, kept).map(({ part }) => part), ...(await writer.close())];
  return { columns: [...mirror.columns], rows: rowsOf(parts), parts };
}

/** An object is written again with what comes behind it, once that is more than a quarter of it. */
const GROWTH = 4;

/**
 * How many objects stay. The others are small ones of earlier batches: each is several times as large as what follows
 * it, so that they are few, and what they replace is never much.
 */
function keptObjects(mirror: Mirror): number {
  const { stored } = mirror;
  const changed = [...mirror.changedKeys];
  // No object says that a row is gone.
  if (changed.some((key) => mirror.now(key) === undefined)) return 0;
  let [kept, rows] = [stored.length, changed.length];
  for (let last = stored[kept - 1]; last && last.keys.length < GROWTH * rows; last = stored[kept - 1]) {
    kept -= 1;
    rows += last.keys.length;
  }
  return kept;
}

/** The rows of the objects that do not stay, as they are now, and those that the batch changed. */
function* rowsBehind(mirror: Mirror, kept: number): Generator<MirrorRow> {
  const again = mirror.stored.slice(kept).flatMap(({ keys }) => keys);
  const keys = kept === 0 ? [...mirror.entries].map(([key]) => key) : new Set([...again, ...mirror.changedKeys]);
  for (const key of keys) {
    const row = mirror.now(key);
    if (row) yield row;
  }
}
