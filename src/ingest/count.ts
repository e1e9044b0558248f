import type pg from 'pg';
import { fromPostgres } from '../shared/postgres/errors.ts';
import { qualified } from '../shared/postgres/sql.ts';
import type { TablePlan } from './plan.ts';
import { type Blocks, blocksCondition } from './ranges.ts';

/** What changed in a table, and what there is of it. */
export interface Counted {
  readonly changed: number;
  /** A condition that leads to those rows without another scan of the table; null where there are none. */
  readonly places: string | null;
  /** All of its rows; null where they were not counted. */
  readonly rows: number | null;
}

/** A table, and the rows of it that count as changed. */
export interface Counting extends Pick<TablePlan, 'table' | 'description'> {
  readonly where: string;
}

/**
 * Looks for changed rows. Where there are none that is one scan by the condition, else a second one of the slices that
 * they are in, for their places.
 *
 * To count all rows of a table in that scan, too, takes 1.2 by the clock and 1.4 of the processors; in one of its own (`countRows`)
 * half a scan more, which most looks do without, and which is read once more from the disk where the table does not stay in
 * memory. Not taken: the condition computed once, behind `offset 0`, for the first and the last place and their number,
 * which is never done in parallel; groups, 2.5; a second scan from the first changed row on, which is 1.0 where that is old.
 * @param isCounted Whether the rows are counted, whatever changed; those of large tables always are.
 * @returns by the table's name.
 */
export async function findChanges(
  client: pg.Client,
  schema: string,
  countings: readonly Counting[],
  isCounted: boolean,
): Promise<ReadonlyMap<string, Counted>> {
  const { ranged, pages } = await slice(client, countings);
  const found = new Map<string, Counted>();
  for (const counting of countings) {
    const { name } = counting.table;
    found.set(name, await within(counting, async () => {
      const slicePages = pages.get(name) ?? 1;
      const { rows, blocks } = await scan(client, schema, counting, slicePages, isCounted || slicePages * SLICES > LARGE_PAGES);
      return { rows, ...(await placesIn(client, schema, counting, blocks, ranged)) };
    }));
  }
  return found;
}

/** All rows of a table. */
export async function countRows(client: pg.Client, schema: string, counting: Counting): Promise<number> {
  const query = `select count(*) as rows from ${rowsOf(schema, counting)}`;
  return within(counting, async () => Number((await client.query<{ rows: string }>(query)).rows[0]?.rows));
}

async function within<T>({ table }: Counting, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fromPostgres('source', error, { table: table.name });
  }
}

/**
 * Of a table's blocks, the longest leaf's where it has several. Of a changed row, to find its slice takes 0.16 µs; twice
 * as many slices 0.25; by the text of `ctid`, 0.5.
 */
const SLICES = 512;

/** Of 8 kB: a gigabyte, which may not all be in memory. */
const LARGE_PAGES = 131_072;

interface Slicing {
  /** Of a slice, by the table's name. */
  readonly pages: ReadonlyMap<string, number>;
  /** The server has TID range scans. */
  readonly ranged: boolean;
}

const MEASURE = `
  select name, 1 + coalesce(max(pg_catalog.pg_relation_size(leaf)), 0) / current_setting('block_size')::int / ${SLICES} as pages,
    current_setting('server_version_num')::int >= 140000 as ranged
  from unnest($1::text[], $2::oid[]) as leaves (name, leaf)
  group by name`;

/** Once, and before the scans: others make a table longer meanwhile, and what a slice is must not change on the way. */
async function slice(client: pg.Client, countings: readonly Counting[]): Promise<Slicing> {
  const leaves = countings.flatMap(({ table, description }) => description.leaves.map(({ oid }) => [table.name, oid] as const));
  const columns = [leaves.map(([name]) => name), leaves.map(([, oid]) => oid)];
  const { rows } = await client.query<{ name: string; pages: string; ranged: string }>(MEASURE, columns);
  return { pages: new Map(rows.map(({ name, pages }) => [name, Number(pages)])), ranged: rows.every(({ ranged }) => ranged === 't') };
}

interface ScanRow {
  /** Null where they were not to be counted. */
  readonly rows: string | null;
  /** A bit for each slice; null where there is no changed row. */
  readonly slices: string | null;
}

/** @param pages Of a slice. */
async function scan(
  client: pg.Client,
  schema: string,
  counting: Counting,
  pages: number,
  isCounted: boolean,
): Promise<{ readonly rows: number | null; readonly blocks: readonly Blocks[] }> {
  const bounds = Array.from({ length: SLICES - 1 }, (_, at) => `"(${(at + 1) * pages},0)"`);
  const [from, slices] = [rowsOf(schema, counting), `bit_or('1'::bit(${SLICES}) >> width_bucket(ctid, '{${bounds.join(',')}}'::tid[]))`];
  const query = isCounted
    ? `select count(*) as rows, ${slices} filter (where ${counting.where}) as slices from ${from}`
    : `select null as rows, ${slices} as slices from ${from} and (${counting.where})`;
  const row = (await client.query<ScanRow>(query)).rows[0];
  const rows = row?.rows ?? null;
  return { rows: rows === null ? null : Number(rows), blocks: changedBlocks(row?.slices ?? '', pages) };
}

/** The slices with a changed row, neighbours joined. Behind the last slice there may be more: it is open. */
export function changedBlocks(slices: string, pages: number): readonly Blocks[] {
  return [...slices.matchAll(/1+/g)].map(({ index, 0: { length } }) => {
    const end = index + length;
    return { from: index * pages, to: end === SLICES ? null : end * pages };
  });
}

/** Each slice of each leaf is a scan of its own, to be planned and begun. */
const SCANS_MAX = 256;

type Places = Pick<Counted, 'changed' | 'places'>;

async function placesIn(
  client: pg.Client,
  schema: string,
  counting: Counting,
  blocks: readonly Blocks[],
  ranged: boolean,
): Promise<Places> {
  const [first] = blocks;
  if (!first) return { changed: 0, places: null };
  const changes = `${rowsOf(schema, counting)} and (${counting.where})`;
  const behind = `${changes} and ${blocksCondition({ from: first.from, to: null })}`;
  const isSparse = ranged && blocks.length * counting.description.leaves.length <= SCANS_MAX;
  const sparse = isSparse ? blocks.map((block) => `${changes} and ${blocksCondition(block)}`) : [behind];
  return (await placesOfFew(client, sparse)) ?? placesOfMany(client, behind);
}

/** Those under the snapshot: a partition that is attached now, a query sees all the same. Its rows are the next batch's. */
function rowsOf(schema: string, { table, description }: Counting): string {
  const name = qualified(schema, table.name);
  if (description.isAlone) return `only ${name} where true`;
  return `${name} where tableoid = any('{${description.leaves.map((leaf) => leaf.oid).join(',')}}'::oid[])`;
}

/** Of each of them the place is sent there and back, at about 12 bytes. */
const FEW = 10_000;

async function placesOfFew(client: pg.Client, changes: readonly string[]): Promise<Places | null> {
  const each = changes.map((rows) => `select ctid from ${rows}`).join(' union all ');
  const { rows } = await client.query<{ ctid: string }>(`${each} limit ${FEW + 1}`);
  if (rows.length > FEW) return null;
  const places = rows.map(({ ctid }) => `"${ctid}"`).join(',');
  return { changed: rows.length, places: `ctid = any('{${places}}'::tid[])` };
}

async function placesOfMany(client: pg.Client, changes: string): Promise<Places> {
  const query = `select count(*) as changed, min(ctid) as first, max(ctid) as last from ${changes}`;
  const row = (await client.query<{ changed: string; first: string; last: string }>(query)).rows[0];
  return { changed: Number(row?.changed), places: `ctid between '${row?.first}'::tid and '${row?.last}'::tid` };
}
