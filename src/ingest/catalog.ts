import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { Leaf } from '../shared/lake/entries.ts';

/** What the source's catalogue says of a declared table. */
export interface Relation {
  readonly name: string;
  readonly oid: string;
  /** `pg_class.relkind`: r table, p partitioned, m materialised view, v view, f foreign. */
  readonly kind: string;
  /** The table as a whole may be read, and so locked, and its `xmin` seen. */
  readonly readable: boolean;
  /** Policies apply to this user. */
  readonly hidden: boolean;
}

/** A view is locked together with the tables that it reads. */
export const LOCKABLE = new Set(['r', 'p', 'v']);

const RELATIONS = `
  select c.relname as name, c.oid, c.relkind as kind,
    pg_catalog.has_table_privilege(c.oid, 'select') as readable,
    pg_catalog.row_security_active(c.oid) as hidden
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where n.nspname = $1 and c.relname = any($2) and c.relkind in ('r', 'p', 'm', 'v', 'f')`;

interface RelationRow {
  readonly name: string;
  readonly oid: string;
  readonly kind: string;
  readonly readable: string;
  readonly hidden: string;
}

export async function readRelations(
  client: pg.Client,
  schema: string,
  tables: readonly string[],
): Promise<ReadonlyMap<string, Relation>> {
  const { rows } = await client.query<RelationRow>(RELATIONS, [schema, tables]);
  return new Map(
    rows.map((row) => [row.name, { ...row, readable: row.readable === 't', hidden: row.hidden === 't' }]),
  );
}

/** A physical relation with rows of a declared table, or the declared table itself where that has none of its own. */
interface PhysicalRow {
  readonly root: string;
  readonly oid: string;
  readonly filenode: string;
  readonly kind: string;
  readonly heap: string;
  readonly name: string;
}

/** Inherited tables hold rows themselves, partitioned ones do not. */
const PHYSICAL = `
  with recursive tree as (
    select c.oid as root, c.oid from pg_catalog.pg_class c where c.oid = any($1::oid[])
    union
    select tree.root, i.inhrelid from tree join pg_catalog.pg_inherits i on i.inhparent = tree.oid
  )
  select tree.root, c.oid, c.relname as name, c.relkind as kind, c.relfilenode as filenode,
    coalesce(a.amname = 'heap', false) as heap
  from tree
  join pg_catalog.pg_class c on c.oid = tree.oid
  left join pg_catalog.pg_am a on a.oid = c.relam
  order by tree.root, c.oid`;

/** Of a column and its default. */
const LINE = `
  concat_ws(' ', a.attnum, a.atttypid, a.atttypmod, a.attgenerated, a.attmissingval::text,
    pg_catalog.pg_get_expr(d.adbin, d.adrelid))`;

/**
 * The same as the two below it, where every column is of a plain type: neither domain, enum, composite, range nor array.
 * To plan and run those two takes 10 ms, this one 1 (11 tables, 18).
 */
const PLAIN = `
  select a.attrelid as relation, a.attname as column, a.attnum as position, t.typname as type,
    t.typtype = 'b' and t.typelem = 0 as plain, 'column ' || ${LINE} as line
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_type t on t.oid = a.atttypid
  left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attrelid = any($1::oid[]) and a.attnum > 0 and not a.attisdropped
  order by a.attrelid, a.attname`;

/** Everything that can change what a column shows without a row being written. */
const ATTRIBUTES = `
  with recursive attribute as (
    select a.attrelid, a.attname, a.atttypid, ${LINE} as line
    from pg_catalog.pg_attribute a
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = any($1::oid[]) and a.attnum > 0 and not a.attisdropped
  ), used as (
    select attrelid, attname, atttypid as type from attribute
    union
    select used.attrelid, used.attname, inner_type.oid
    from used
    join pg_catalog.pg_type t on t.oid = used.type
    left join pg_catalog.pg_range r on r.rngtypid = t.oid
    left join pg_catalog.pg_attribute f on f.attrelid = t.typrelid and f.attnum > 0 and not f.attisdropped
    join pg_catalog.pg_type inner_type on inner_type.oid in (t.typelem, t.typbasetype, r.rngsubtype, f.atttypid)
  )
  select attrelid as relation, attname as column, 'column ' || line as line from attribute
  union all
  select used.attrelid, used.attname, concat_ws(' ', 'label', used.type, e.enumsortorder, e.enumlabel)
  from used join pg_catalog.pg_enum e on e.enumtypid = used.type
  union all
  select used.attrelid, used.attname, concat_ws(' ', 'field', t.oid, f.attnum, f.attname, f.atttypid, f.atttypmod)
  from used
  join pg_catalog.pg_type t on t.oid = used.type and t.typtype = 'c'
  join pg_catalog.pg_attribute f on f.attrelid = t.typrelid and f.attnum > 0 and not f.attisdropped
  order by 1, 2, 3`;

/** What each column is under its domains. */
const COLUMNS = `
  with recursive typed as (
    select a.attrelid, a.attname, a.attnum, a.atttypid as type from pg_catalog.pg_attribute a
    where a.attrelid = any($1::oid[]) and a.attnum > 0 and not a.attisdropped
    union all
    select typed.attrelid, typed.attname, typed.attnum, t.typbasetype
    from typed join pg_catalog.pg_type t on t.oid = typed.type and t.typtype = 'd'
  )
  select typed.attrelid as relation, typed.attname as column, t.typname as type
  from typed join pg_catalog.pg_type t on t.oid = typed.type and t.typtype <> 'd'
  order by typed.attrelid, typed.attnum`;

interface ColumnRow {
  readonly relation: string;
  readonly column: string;
  readonly type: string;
}

interface AttributeRow {
  readonly relation: string;
  readonly column: string;
  readonly line: string;
}

interface PlainRow extends ColumnRow, AttributeRow {
  readonly position: string;
  readonly plain: string;
}

interface Columns {
  readonly attributes: readonly AttributeRow[];
  /** Of the declared tables themselves, in their order. */
  readonly types: readonly ColumnRow[];
}

async function readColumns(client: pg.Client, oids: readonly string[], roots: readonly string[]): Promise<Columns> {
  const { rows } = await client.query<PlainRow>(PLAIN, [oids]);
  if (rows.every(({ plain }) => plain === 't')) {
    return { attributes: rows, types: rows.toSorted((one, other) => Number(one.position) - Number(other.position)) };
  }
  const attributes = (await client.query<AttributeRow>(ATTRIBUTES, [oids])).rows;
  return { attributes, types: (await client.query<ColumnRow>(COLUMNS, [roots])).rows };
}

/** What the catalogue says under the batch's snapshot. */
export interface Description {
  /** The type of each, by PostgreSQL's internal name (`int4`), of a domain the one that it is over. */
  readonly columns: ReadonlyMap<string, string>;
  readonly fingerprint: string;
  readonly leaves: readonly Leaf[];
  /** It has neither partitions nor children: all of its rows are its own. */
  readonly isAlone: boolean;
  /** A leaf whose rows have no usable `xmin`, by name: foreign, or of another access method. */
  readonly foreign: string | null;
}

/**
 * Describes the declared columns of each table by its oid.
 * @param declared by oid: the columns that count for its fingerprint.
 */
export async function describe(
  client: pg.Client,
  declared: ReadonlyMap<string, readonly string[]>,
): Promise<ReadonlyMap<string, Description>> {
  const physical = (await client.query<PhysicalRow>(PHYSICAL, [[...declared.keys()]])).rows;
  const oids = [...new Set(physical.map((relation) => relation.oid))];
  const { attributes, types } = await readColumns(client, oids, [...declared.keys()]);
  const linesOf = (oid: string) => attributes.filter((row) => row.relation === oid);
  return new Map(
    [...declared].map(([root, columns]) => {
      const fingerprint = (oid: string) => fingerprintOf(linesOf(oid), columns);
      const tree = physical.filter((relation) => relation.root === root && relation.kind !== 'p');
      const leaves = tree.map(({ oid, filenode }) => ({ oid, filenode, fingerprint: fingerprint(oid) }));
      const isAlone = leaves.every((leaf) => leaf.oid === root);
      const foreign = tree.find((relation) => relation.heap !== 't')?.name ?? null;
      const ofRoot = types.filter((row) => row.relation === root);
      const typed = new Map(ofRoot.map(({ column, type }) => [column, type]));
      return [root, { columns: typed, fingerprint: fingerprint(root), leaves, isAlone, foreign }];
    }),
  );
}

function fingerprintOf(rows: readonly AttributeRow[], columns: readonly string[]): string {
  const hash = createHash('sha256');
  for (const { column, line } of rows) if (columns.includes(column)) hash.update(`${column} ${line}\n`);
  return hash.digest('hex').slice(0, 16);
}

const FILENODES = `
  select oid, pg_catalog.pg_relation_filenode(oid) as filenode
  from unnest($1::oid[]) as oid`;

/** Whether relations that could not be locked were rewritten while they were read. */
export async function rewritten(client: pg.Client, leaves: readonly Leaf[]): Promise<boolean> {
  const { rows } = await client.query<Omit<Leaf, 'fingerprint'>>(FILENODES, [leaves.map((leaf) => leaf.oid)]);
  const now = new Map(rows.map((row) => [row.oid, row.filenode]));
  return leaves.some((leaf) => leaf.filenode !== '0' && now.get(leaf.oid) !== leaf.filenode);
}
