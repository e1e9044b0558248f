import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DirectoryLake } from '../../src/local/directory-lake.ts';
import { type Part, type ProcessedEntry, processedEntrySchema } from '../../src/shared/lake/entries.ts';
import { dataKey } from '../../src/shared/lake/key.ts';
import { Log } from '../../src/shared/lake/log.ts';
import {
  keyColumn,
  type Model,
  outputHash,
  outputsOf,
  type OutputSpec,
  QUARANTINE,
} from '../../src/shared/model/model.ts';
import type { FileColumn } from '../../src/shared/parquet/arrow.ts';
import { parseCell } from '../../src/shared/types/codecs.ts';
import { type Cell, Unfit } from '../../src/shared/types/type.ts';
import { REJECT_COLUMNS, type Reject, rejectCells } from '../../src/transform/reject.ts';
import { afterwards } from './postgres.ts';
import { encodeCells } from './parquet.ts';

/** One row of an output: column name to PostgreSQL's text; what is left out is null. */
export type TextRow = Readonly<Record<string, string | null>>;

export interface BatchContent {
  /** Output name to its rows. */
  readonly rows?: Readonly<Record<string, readonly TextRow[]>>;
  readonly rejects?: readonly Reject[];
  /** What the batch is made by; the lake's own model unless told otherwise. */
  readonly model?: Model;
  readonly snapshotAt?: string;
  /** How many rows a part holds. */
  readonly partRows?: number;
}

const FIRST_SNAPSHOT = Date.parse('2024-08-07T12:00:00.000Z');
const QUARTER_OF_AN_HOUR_MS = 900_000;

/** Batch 1 is of 12:00 on 2024-08-07, the next ones follow every 15 minutes. */
export function snapshotOf(batch: number): string {
  return new Date(FIRST_SNAPSHOT + (batch - 1) * QUARTER_OF_AN_HOUR_MS).toISOString();
}

/** A processed bucket that is written to by hand, as transform would write to it. */
export class Processed {
  readonly lake: DirectoryLake;
  readonly logId = randomUUID();
  readonly #model: Model;
  readonly #log: Log<ProcessedEntry>;
  head = 0;

  constructor(lake: DirectoryLake, model: Model) {
    this.lake = lake;
    this.#model = model;
    this.#log = new Log(lake, processedEntrySchema);
  }

  /** Commits the next batch; its number. */
  async commit(content: BatchContent = {}): Promise<number> {
    const { model = this.#model, rows = {}, rejects = [], partRows = 1000 } = content;
    const batch = this.head + 1;
    const attempt = randomUUID();
    const keyOf = (table: string) => (part: number) => dataKey(table, batch, attempt, part, 'parquet');
    const outputs: ProcessedEntry['outputs'] = {};
    for (const output of outputsOf(model)) {
      const cells = (rows[output.name] ?? []).map((row) => cellsOf(output, row));
      const parts = await this.#write(output.columns, cells, partRows, keyOf(output.name));
      outputs[output.name] = { hash: outputHash(model, output), whole: false, rows: cells.length, parts };
    }
    const parts = await this.#write(REJECT_COLUMNS, rejects.map(rejectCells), partRows, keyOf(QUARANTINE));
    outputs[QUARANTINE] = { hash: QUARANTINE, whole: false, rows: rejects.length, parts };
    await this.#log.commit(this.#entry(batch, attempt, model, outputs, content.snapshotAt ?? snapshotOf(batch)));
    this.head = batch;
    return batch;
  }

  #entry(
    batch: number,
    attempt: string,
    model: Model,
    outputs: ProcessedEntry['outputs'],
    snapshotAt: string,
  ): ProcessedEntry {
    return {
      format: 1,
      log_id: this.logId,
      batch,
      attempt,
      committed_at: '2024-08-07T12:00:00.000Z',
      snapshot_at: snapshotAt,
      model: model.hash,
      outputs,
      mirrors: {},
    };
  }

  async #write(
    columns: readonly FileColumn[],
    rows: readonly (readonly Cell[])[],
    partRows: number,
    keyOf: (part: number) => string,
  ): Promise<Part[]> {
    const parts: Part[] = [];
    for (let from = 0; from < rows.length; from += partRows) {
      const slice = rows.slice(from, from + partRows);
      const cells = columns.map((_, column) => slice.map((row) => row[column] ?? null));
      const key = keyOf(parts.length);
      const bytes = await this.lake.put(key, once(await encodeCells(columns, cells, slice.length)));
      parts.push({ key, rows: slice.length, bytes });
    }
    return parts;
  }
}

/** An empty processed bucket in a directory of its own. */
export async function freshProcessed(model: Model): Promise<Processed> {
  const directory = await mkdtemp(join(tmpdir(), 'processed-'));
  afterwards(async () => rm(directory, { recursive: true, force: true }));
  return new Processed(new DirectoryLake(directory), model);
}

function cellsOf(output: OutputSpec, row: TextRow): readonly Cell[] {
  const unknown = Object.keys(row).find((name) => !output.columns.some((column) => column.name === name));
  if (unknown !== undefined) throw new Error(`${output.name} has no column ${unknown}`);
  return output.columns.map(({ name, type }) => {
    const cell = parseCell(type, row[name] ?? null);
    if (cell instanceof Unfit) throw new Error(`${output.name}.${name} ${cell.reason}`);
    return cell;
  });
}

/** What transform says of a row that it cannot use. */
export function reject(output: OutputSpec, column: string, reason: string, row: TextRow): Reject {
  const { origin } = keyColumn(output);
  return { table: output.name, key: row[origin.column] ?? null, column, reason, row };
}

async function* once(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body;
}
