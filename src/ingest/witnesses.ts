import type pg from 'pg';
import type { IngestedTable, Witness } from '../shared/lake/entries.ts';
import type { TableSpec } from '../shared/model/table.ts';
import { identifier, identifiers, literal, qualified } from '../shared/postgres/sql.ts';
import type { Description } from './catalog.ts';
import { findChanges } from './count.ts';
import type { TablePlan } from './plan.ts';
import { changedSince, HALF_CIRCLE, type Snapshot } from './session.ts';

/**
 * Some rows of each table, where they were, and who wrote them. In one history, whoever writes such a row again, or
 * puts another one in its place, has a transaction id at or above the cursor. In a copy of the source that was made
 * before the cursor and has run past it since, those keys and places were written by others, of whom many are below
 * the cursor, or under the same ids with other content. That a row is gone says nothing: it may have been deleted.
 */

/** Of one table in one entry, at about 130 bytes each. */
const WITNESSES = 20;
/** Those of a batch leave room for older ones: the further back, the surer they tell a copy made before them. */
const NEW_WITNESSES = 10;
const KEY_MAX_BYTES = 200;

/** A table that is still followed from the batch before. */
export interface Followed {
  readonly table: TableSpec;
  readonly previous: IngestedTable;
  readonly description: Description;
}

interface Sighting extends Witness {
  readonly table: string;
  /** Written since the cursor. */
  readonly recent: string;
}

/** What the witnesses of the batch before say. */
export interface Testimony {
  /** A table with a row that cannot be in the history which that batch saw. */
  readonly contradiction: string | null;
  /** Rows that are where they were and as they were, by table. */
  readonly confirmed: ReadonlyMap<string, readonly Witness[]>;
}

/** Looks the witnesses up, by place and by key: all tables in one query, a few index entries each. */
export async function hearWitnesses(
  client: pg.Client,
  schema: string,
  tables: readonly Followed[],
  snapshot: Snapshot,
): Promise<Testimony> {
  const heard = tables.filter(({ previous }) => (previous.witnesses ?? []).length > 0 && isWithinReach(previous, snapshot));
  if (heard.length === 0) return { contradiction: null, confirmed: new Map() };
  const queries = heard.flatMap((followed) => lookups(schema, followed, snapshot));
  const { rows } = await client.query<Sighting>(queries.join(' union all '));
  const ofTable = (name: string) => rows.filter((row) => row.table === name);
  const contradicted = heard.find((followed) => isContradicted(followed, ofTable(followed.table.name)));
  return {
    contradiction: contradicted?.table.name ?? null,
    confirmed: new Map(heard.map(({ table, previous }) => [table.name, unchanged(previous, ofTable(table.name))])),
  };
}

function isWithinReach(previous: IngestedTable, { xmax }: Snapshot): boolean {
  return xmax - BigInt(previous.cursor ?? 0) < HALF_CIRCLE;
}

function lookups(schema: string, { table, previous }: Followed, { xmax }: Snapshot): readonly string[] {
  const witnesses = previous.witnesses ?? [];
  const cursor = BigInt(previous.cursor ?? 0);
  const recent = xmax > cursor ? changedSince(cursor, xmax) : 'false';
  const places = literal(`{${witnesses.map(({ ctid }) => `"${ctid}"`).join(',')}}`);
  const keys = witnesses.map(({ key }) => literal(key)).join(', ');
  return [`ctid = any(${places}::tid[])`, `${identifier(table.key)} in (${keys})`].map(
    (where) => `select ${literal(table.name)}::text as table, ${SEEN(table)}, ${recent} as recent
      from ${qualified(schema, table.name)} where ${where}`,
  );
}

/** `md5` is refused by servers in FIPS mode. */
const SEEN = ({ key, columns }: TableSpec) => `
  tableoid as leaf, ctid, xmin, ${identifier(key)}::text as key,
  pg_catalog.hashtextextended(row(${identifiers(Object.keys(columns))})::text, 0) as digest`;

function isContradicted({ previous, description }: Followed, rows: readonly Sighting[]): boolean {
  const before = new Map(previous.leaves.map((leaf) => [leaf.oid, leaf]));
  // Content can change without being written; VACUUM FULL and its like move rows to places where others were.
  const alike = description.leaves.filter((leaf) => before.get(leaf.oid)?.fingerprint === leaf.fingerprint);
  const inPlace = new Set(alike.filter((leaf) => before.get(leaf.oid)?.filenode === leaf.filenode).map(({ oid }) => oid));
  const witnesses = (previous.witnesses ?? []).filter(({ leaf }) => alike.some(({ oid }) => oid === leaf));
  return witnesses.some((witness) =>
    rows.some((row) => {
      const isSame = row.key === witness.key || (row.ctid === witness.ctid && inPlace.has(row.leaf));
      return isSame && row.leaf === witness.leaf && !isLater(witness, row);
    }),
  );
}

/** What one history can have made of a row, or put in its place: itself, or what was written since the cursor. */
function isLater(witness: Witness, row: Sighting): boolean {
  if (row.xmin !== witness.xmin) return row.recent === 't';
  return row.key === witness.key && row.digest === witness.digest;
}

function unchanged(previous: IngestedTable, rows: readonly Sighting[]): readonly Witness[] {
  const seen = new Set(rows.map(identity));
  return (previous.witnesses ?? []).filter((witness) => seen.has(identity(witness)));
}

const identity = ({ leaf, ctid, xmin, key, digest }: Witness) => [leaf, ctid, xmin, digest, key].join(' ');

/** The latest of the rows that a batch reads, and what is left of earlier witnesses. @param isCut It is read in ranges. */
export async function nextWitnesses(
  client: pg.Client,
  schema: string,
  plan: Pick<TablePlan, 'table' | 'description' | 'where'>,
  snapshot: Snapshot,
  confirmed: readonly Witness[],
  isCut: boolean,
): Promise<readonly Witness[]> {
  const { table, where } = plan;
  if (where === false) return confirmed;
  const latest = async (among: string) => latestRows(client, schema, table, among);
  const rows = await (where === true ? latestOfAll(client, schema, plan, snapshot, latest, isCut) : latest(where));
  const known = new Set(rows.map(identity));
  return [...rows, ...confirmed.filter((witness) => !known.has(identity(witness)))].slice(0, WITNESSES);
}

type Latest = (among: string) => Promise<readonly Witness[]>;

async function latestRows(client: pg.Client, schema: string, table: TableSpec, among: string): Promise<readonly Witness[]> {
  const query = `
    select ${SEEN(table)} from (
      select tableoid, ctid, xmin, ${identifiers(Object.keys(table.columns))} from ${qualified(schema, table.name)}
      where (${among}) and octet_length(${identifier(table.key)}::text) <= ${KEY_MAX_BYTES}
      order by age(xmin), ctid desc limit ${NEW_WITNESSES}
    ) as latest`;
  return (await client.query<Witness>(query)).rows;
}

/**
 * The end of a table is where most rows are written. In pages: PostgreSQL lengthens a table by up to 64 at a time that are
 * empty at first, or for good behind a COPY. Where there are too few rows, they are looked for in so many times as many.
 */
const [END_PAGES, FURTHER] = [16, 8];
/** Of a table that is read in ranges it is looked no further. */
const END_PAGES_CUT = END_PAGES * FURTHER * FURTHER;

const PAGES = `
  select max(pg_catalog.pg_relation_size(leaf) / current_setting('block_size')::int) as pages
  from unnest($1::oid[]) as leaf`;

/**
 * Those at the end of the table, and before them those anywhere that are later than all of these: of 2,000,000 rows that
 * is a scan in parallel, 0.2 s, where to ask for their age at once takes 1.1, and to sort them all by it as long as five. Of a
 * table that is too large for one process it would be minutes under the snapshot of the plan, and any rows that this shows
 * will do.
 */
async function latestOfAll(
  client: pg.Client,
  schema: string,
  { table, description }: Pick<TablePlan, 'table' | 'description'>,
  { xmax }: Snapshot,
  latest: Latest,
  isCut: boolean,
): Promise<readonly Witness[]> {
  const { rows } = await client.query<{ pages: string | null }>(PAGES, [description.leaves.map(({ oid }) => oid)]);
  const pages = Number(rows[0]?.pages ?? 0);
  const end = await latestAtEnd(pages, latest, isCut);
  if (isCut) return end;
  const [newest] = end;
  if (!newest) return [];
  const later = xmax - BigInt.asUintN(32, xmax - BigInt(newest.xmin)) + 1n;
  if (later >= xmax) return end;
  const where = changedSince(later, xmax);
  const places = (await findChanges(client, schema, [{ table, description, where }], false)).get(table.name)?.places ?? null;
  return places === null ? end : [...(await latest(`${where} and ${places}`)), ...end].slice(0, NEW_WITNESSES);
}

async function latestAtEnd(pages: number, latest: Latest, isCut: boolean): Promise<readonly Witness[]> {
  for (let end = END_PAGES; ; end *= FURTHER) {
    const from = Math.max(0, pages - end);
    const found = await latest(from === 0 ? 'true' : `ctid >= '(${from},0)'::tid`);
    if (found.length === NEW_WITNESSES || from === 0 || (isCut && end >= END_PAGES_CUT)) return found;
  }
}
