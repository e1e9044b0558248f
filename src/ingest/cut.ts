import type pg from 'pg';
import { rangeBytesOf, type Splitting } from '../shared/lake/split.ts';
import type { Relation } from './catalog.ts';
import { newLeaves, type TablePlan } from './plan.ts';
import { cutAcross } from './ranges.ts';
import type { Snapshot } from './session.ts';
import type { Changes, Cut, TableRange } from './split-plan.ts';

/** What there is to read of a table, and the rows that it has where they were counted. */
export interface CountedPlan {
  readonly plan: TablePlan;
  readonly rows: number | null;
  /** Null where all rows are read, or they were not counted. */
  readonly changed: number | null;
}

/** How a batch is cut. */
export interface Cuts {
  readonly cuts: readonly Cut[];
  readonly ranges: readonly TableRange[];
}

/**
 * Cuts the large tables of a large batch, by what is known before any of it is read: the size of what is read whole,
 * and the number of rows that changed. Null where the batch is read at once. Tables of another strategy than `xmin`
 * are: their next batch starts where this one's last row was, and only one snapshot knows that.
 */
export async function cutBatch(
  client: pg.Client,
  split: Splitting,
  relations: ReadonlyMap<string, Relation>,
  counted: readonly CountedPlan[],
  snapshot: Snapshot,
): Promise<Cuts | null> {
  const pieces: Piece[] = [];
  for (const one of counted) if (isCuttable(one.plan, relations)) pieces.push(await measure(client, one));
  const bytes = pieces.reduce((sum, piece) => sum + piece.bytes, 0);
  if (bytes <= split.thresholdBytes || !(await hasRangeScans(client))) return null;
  const rangeBytes = Math.max(rangeBytesOf(split, bytes), Math.ceil((2 * bytes) / RANGES_MAX));
  const large = pieces.filter((piece) => piece.bytes > rangeBytes);
  if (large.length === 0) return null;
  return {
    cuts: large.map(({ plan }) => ({ table: plan.table.name, changes: changesOf(plan, snapshot) })),
    ranges: large.flatMap((piece) => rangesOf(piece, rangeBytes)),
  };
}

/** A part's number has 15 digits, and ten of them tell those apart who read the same range. */
const RANGES_MAX = 99_999;

/** Before 14 there are no TID range scans: each range would read the whole table. */
const VERSION = `select current_setting('server_version_num')::int >= 140000 as ranges`;

async function hasRangeScans(client: pg.Client): Promise<boolean> {
  return (await client.query<{ ranges: string }>(VERSION)).rows[0]?.ranges === 't';
}

/** Heaps that can be locked: of what cannot be, a range could be read while another one is rewritten. */
function isCuttable({ table, where, description }: TablePlan, relations: ReadonlyMap<string, Relation>): boolean {
  if (table.strategy.kind !== 'xmin' || where === false || description.foreign !== null) return false;
  return ['r', 'p'].includes(relations.get(table.name)?.kind ?? '');
}

interface Piece {
  readonly plan: TablePlan;
  /** Of each leaf. */
  readonly pages: readonly number[];
  /** About how much is to be read. */
  readonly bytes: number;
}

/** In pages, and in bytes with what is kept out of line. */
const SIZES = `
  select pg_catalog.pg_relation_size(leaf) / current_setting('block_size')::int as pages,
    pg_catalog.pg_table_size(leaf) as bytes
  from unnest($1::oid[]) as leaf`;

async function measure(client: pg.Client, { plan, rows, changed }: CountedPlan): Promise<Piece> {
  const oids = plan.description.leaves.map(({ oid }) => oid);
  const measured = (await client.query<{ pages: string; bytes: string }>(SIZES, [oids])).rows;
  const all = measured.reduce((sum, leaf) => sum + Number(leaf.bytes), 0);
  const share = plan.where === true ? 1 : (changed ?? 0) / Math.max(1, rows ?? 0);
  return { plan, pages: measured.map(({ pages }) => Number(pages)), bytes: all * Math.min(1, share) };
}

function rangesOf({ plan, pages, bytes }: Piece, rangeBytes: number): readonly TableRange[] {
  const all = pages.reduce((sum, leaf) => sum + leaf, 0);
  const rangePages = Math.max(1, Math.ceil(all / Math.ceil(bytes / rangeBytes)));
  return cutAcross(pages, rangePages).map((blocks) => ({ table: plan.table.name, ...blocks }));
}

/** The plan's own condition as data. */
function changesOf({ where, previous, description }: TablePlan, { xmax }: Snapshot): Changes | null {
  const cursor = previous?.cursor ?? null;
  if (where === true || previous === null || cursor === null) return null;
  return { cursor, xmax: xmax.toString(), leaves: [...newLeaves(previous, description)] };
}
