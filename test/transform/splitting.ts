/** Batches that are done in ranges: a model whose facts are large, a queue that is worked by hand, and what came of it. */

import { DirectoryLake } from '../../src/local/directory-lake.ts';
import type { IngestionEntry } from '../../src/shared/lake/entries.ts';
import { dataKey } from '../../src/shared/lake/key.ts';
import { bytesOf } from '../../src/shared/lake/read.ts';
import type { RangeOutcome, RangeRef, Splitting } from '../../src/shared/lake/split.ts';
import { int, numeric, text } from '../../src/shared/model/column.ts';
import { column, key } from '../../src/shared/model/expression.ts';
import { fact } from '../../src/shared/model/fact.ts';
import { type Model, model, QUARANTINE } from '../../src/shared/model/model.ts';
import { table } from '../../src/shared/model/table.ts';
import { columnCells } from '../../src/shared/parquet/cells.ts';
import { decodeParquet } from '../../src/shared/parquet/parquet.ts';
import type { ReportEvent, StageResult } from '../../src/shared/report.ts';
import { workRange } from '../../src/transform/range.ts';
import { transform, type TransformContext } from '../../src/transform/transform.ts';
import { freshLakes, ingested, type Lakes, outputRows, processedEntry, rejectedRows, SNAPSHOT_AT, type SourceRows } from '../support/batches.ts';
import { chunked, type CsvCell, csvText } from '../support/csv.ts';
import { dimPerson, dimTeam, factSale, person, sale, team } from '../support/teams.ts';

export const visit = table('visit', { visit_id: int().key(), person_id: int(), note: text() });

const factPrice = fact('fact_price', sale, { recordKey: 'price_id' }, { sale_id: key(), price: column().as(numeric(10, 1)) });
const factVisit = fact('fact_visit', visit, { recordKey: 'visit_record_id' }, { visit_id: key(), note: column() });

/** Three facts in two tables: two stars on sales, one on visits. */
export const stars = model({
  tables: [team, person, sale, visit],
  dimensions: [dimTeam, dimPerson],
  facts: [factSale, factVisit, factPrice],
});

/** The same tables and fewer facts. */
export const fewerStars = model({ tables: [team, person, sale, visit], dimensions: [dimTeam, dimPerson], facts: [factSale, factVisit] });

/** Every seventh sale has a price that no fact can hold, every third of the others one that `fact_price` cannot. */
export function sales(count: number, from = 1): readonly (readonly CsvCell[])[] {
  return Array.from({ length: count }, (_, at) => {
    const id = from + at;
    const price = id % 7 === 0 ? '1.999' : `${id}.${id % 3 === 0 ? '25' : '5'}`;
    return [String(id), String((id % 5) + 1), price, id % 2 === 0 ? 't' : null, `2024-08-07 12:00:${String(id % 60).padStart(2, '0')}`];
  });
}

/** Some of them lack what a fact needs. */
export function visits(count: number): readonly (readonly CsvCell[])[] {
  return Array.from({ length: count }, (_, at) => [String(at + 1), '1', at % 4 === 3 ? null : `a, "quoted" note\n${at}`]);
}

/** A batch of all tables, with rows that are rejected on the way into a mirror, a dimension and the facts. */
export const BATCH: Readonly<Record<string, SourceRows>> = {
  team: { rows: [['7', 'Red', 'Rome', 'Go'], [null, 'Keyless', null, null], ['8', 'Blue', null, null]] },
  person: { rows: [['1', 'Ann', '7', 's'], ['2', 'Bob', '99', 's'], ['3', 'Cat', '8', 's']] },
  sale: { rows: sales(40), parts: 5 },
  visit: { rows: visits(9), parts: 2 },
};

/** All tables are there, and have no rows. */
export const EMPTY: Readonly<Record<string, SourceRows>> = Object.fromEntries(stars.tables.map(({ name }) => [name, { rows: [] }]));

export async function ingestedBatch(batch = BATCH, of: Model = stars): Promise<Lakes> {
  const lakes = await freshLakes();
  await ingested(lakes, of, batch);
  return lakes;
}

/** Commits a batch one of whose tables has an object more, in the middle: a header and no rows. */
export async function ingestedWithEmptyPart(lakes: Lakes, batch: Readonly<Record<string, SourceRows>>, name: string): Promise<void> {
  const body = Buffer.from(csvText(Object.keys(stars.tables.find((spec) => spec.name === name)?.columns ?? {}), []));
  const keyOf = ({ batch: number, attempt }: IngestionEntry): string => dataKey(name, number, attempt, 999, 'csv');
  const entry = await ingested(lakes, stars, batch, {
    edit: (made) => {
      const of = made.tables[name];
      if (!of) throw new Error(`no table ${name}`);
      const [first, ...others] = of.parts;
      const empty = { key: keyOf(made), rows: 0, bytes: body.length };
      return { ...made, tables: { ...made.tables, [name]: { ...of, parts: [...(first ? [first] : []), empty, ...others] } } };
    },
  });
  await lakes.ingestion.put(keyOf(entry), chunked(body, [7]));
}

/** Another processed bucket behind the same ingestion bucket. */
export async function beside(lakes: Lakes): Promise<Lakes> {
  return { ...lakes, processed: (await freshLakes()).processed };
}

/** What a batch brings, whatever its objects are called and wherever they are cut. */
export async function contentOf(lakes: Lakes, batch: number, of: Model = stars): Promise<unknown> {
  const entry = await processedEntry(lakes, batch);
  const { outputs, mirrors } = entry;
  const made = [];
  for (const [name, { hash, whole, rows: count }] of Object.entries(outputs)) {
    const rows = name === QUARANTINE ? await rejectedRows(lakes, batch) : await outputRows(lakes, of, batch, name);
    made.push({ name, hash, whole, rows: count, content: rows });
  }
  const kept = [];
  for (const [name, mirror] of Object.entries(mirrors)) {
    kept.push({ name, columns: mirror.columns, content: await textRows(lakes, mirror.columns, mirror.parts) });
  }
  return { entry: { ...entry, attempt: null, committed_at: null, outputs: null, mirrors: null }, made, kept };
}

async function textRows(lakes: Lakes, columns: readonly string[], parts: readonly { key: string; rows: number }[]): Promise<unknown> {
  const rows = [];
  for (const part of parts) {
    const table = await decodeParquet(part.key, await bytesOf(lakes.processed, part.key), part.rows);
    rows.push(columns.map((name) => columnCells(table, name, { kind: 'text' })));
  }
  return rows;
}

/** Numbers drawn by hand, the same at every run. */
export function drawn(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
}

/** A stage with workers: ranges wait in `queue` until the test has them done. */
export class Crew {
  readonly queue: RangeRef[] = [];
  readonly split: Splitting;
  readonly events: ReportEvent[] = [];
  /** What `isBusy` says. */
  busy: boolean | null = null;
  readonly #lakes: Lakes;
  readonly #model: Model;
  #clockMs = Date.parse(SNAPSHOT_AT);

  constructor(lakes: Lakes, of: Model = stars, sizes: Pick<Splitting, 'thresholdBytes' | 'rangeBytes'> = { thresholdBytes: 100, rangeBytes: 1 }) {
    this.#lakes = lakes;
    this.#model = of;
    this.split = {
      ...sizes,
      send: async (ranges) => void this.queue.push(...ranges),
      isBusy: async () => this.busy ?? this.queue.length > 0,
    };
  }

  context(more: Partial<TransformContext> = {}): TransformContext {
    const { ingestion, processed } = this.#lakes;
    const report = (event: ReportEvent): void => void this.events.push(event);
    return { model: this.#model, ingestion, processed, report, now: () => this.#tick(), split: this.split, ...more };
  }

  async look(more: Partial<TransformContext> = {}): Promise<StageResult> {
    return transform(this.context(more));
  }

  async work(ref: RangeRef | undefined, more: Partial<TransformContext> = {}): Promise<RangeOutcome> {
    if (!ref) throw new Error('no range waits');
    return workRange(this.context(more), ref);
  }

  /** Takes one of those that wait. */
  take(at = 0): RangeRef | undefined {
    return this.queue.splice(at, 1)[0];
  }

  /** Has all done that waits, and looks again until there is nothing left to do. */
  async finish(): Promise<StageResult> {
    for (;;) {
      for (let ref = this.take(); ref; ref = this.take()) await this.work(ref);
      const result = await this.look();
      if (result.isUpToDate) return result;
    }
  }

  told(event: ReportEvent['event']): readonly ReportEvent[] {
    return this.events.filter((each) => each.event === event);
  }

  /** Every question to the clock is a second after the one before. */
  #tick(): Date {
    this.#clockMs += 1000;
    return new Date(this.#clockMs);
  }
}

type Put = () => Promise<'created' | 'exists'>;

/** The processed bucket, where something happens when the first plan or a mark is put. */
export class AtPut extends DirectoryLake {
  readonly #where: string;
  readonly #happens: (put: Put) => Promise<'created' | 'exists'>;

  constructor(lakes: Lakes, where: 'plan' | 'range-', happens: (put: Put) => Promise<'created' | 'exists'>) {
    super(lakes.processed.location);
    this.#where = `/${where}`;
    this.#happens = happens;
  }

  override async putIfAbsent(name: string, body: Uint8Array): Promise<'created' | 'exists'> {
    const put: Put = async () => super.putIfAbsent(name, body);
    return name.includes(this.#where) ? this.#happens(put) : put();
  }
}

export const killed = new Error('killed');

export const dyingBeforeMark = (lakes: Lakes): AtPut => new AtPut(lakes, 'range-', async () => Promise.reject(killed));

export const dyingAfterMark = (lakes: Lakes): AtPut =>
  new AtPut(lakes, 'range-', async (put) => {
    await put();
    throw killed;
  });

export async function keysIn(lake: DirectoryLake, prefix: string): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const name of lake.list(prefix)) keys.push(name);
  return keys;
}
