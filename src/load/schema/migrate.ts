import pg from 'pg';
import { PipelineError } from '../../shared/errors.ts';
import { historyName, type Model } from '../../shared/model/model.ts';
import { inTransaction } from '../../shared/postgres/client.ts';
import { fromPostgres } from '../../shared/postgres/errors.ts';
import { identifier, qualified } from '../../shared/postgres/sql.ts';
import { ADD_DROPPED_AT, BOOKKEEPING, claimSchema, CREATE_LEDGER, CREATE_QUARANTINE, INDEX_QUARANTINE } from './bookkeeping.ts';
import { addColumn, createTable, sqlType, type WarehouseColumn, type WarehouseTable, warehouseTables } from './ddl.ts';
import { type ExistingView, viewChanges } from './views.ts';
import { isWider } from './widen.ts';

interface ExistingColumn {
  readonly table: string;
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  /** Part of the primary key. */
  readonly key: boolean;
  /** The comment on the table or view. */
  readonly comment: string | null;
}

const EXISTING = `
  select c.relname as table, a.attname as name, pg_catalog.format_type(a.atttypid, a.atttypmod) as type,
    (a.attnotnull and not a.atthasdef and a.attidentity = '') as required,
    exists (
      select from pg_catalog.pg_index i where i.indrelid = c.oid and i.indisprimary and a.attnum = any(i.indkey)
    ) as key,
    pg_catalog.obj_description(c.oid, 'pg_class') as comment
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where n.nspname = $1 and c.relkind in ('r', 'p', 'v')
  order by c.relname, a.attnum`;

/** Any number; the same for all who change a warehouse's schema, so that they do it one after the other. */
const SCHEMA_LOCK = 'select pg_catalog.pg_advisory_xact_lock(7350, 1)';

/**
 * Makes the warehouse what the model says, by additions only: schemas, tables, columns, wider types, views. Does
 * nothing, and takes no lock, where it is so already.
 * @returns the statements that were run.
 * @throws PipelineError `warehouse_schema` naming every column whose type cannot be made to fit.
 */
export async function migrate(client: pg.Client, schema: string, model: Model): Promise<readonly string[]> {
  try {
    if ((await statements(client, schema, model)).length === 0) return [];
    return await inTransaction(client, 'begin', async () => {
      await client.query(SCHEMA_LOCK);
      const changes = await statements(client, schema, model);
      for (const statement of changes) await client.query(statement).catch(failBlocked);
      return changes;
    });
  } catch (error) {
    throw fromPostgres('warehouse', error);
  }
}

/** What is built on a column stops the change of its type: `dependent_objects_still_exist`, `feature_not_supported`. */
const BLOCKED = new Set(['2BP01', '0A000']);

function failBlocked(error: unknown): never {
  if (!(error instanceof pg.DatabaseError) || !BLOCKED.has(error.code ?? '')) throw error;
  const message = `warehouse: ${error.message}${error.detail === undefined ? '' : ` (${error.detail})`}`;
  throw new PipelineError('warehouse_schema', message, error.code === undefined ? {} : { sqlstate: error.code });
}

async function statements(client: pg.Client, schema: string, model: Model): Promise<readonly string[]> {
  const version = Number(
    (await client.query<{ v: string }>("select current_setting('server_version_num') as v")).rows[0]?.v,
  );
  const bookkeeping = await readColumns(client, BOOKKEEPING);
  const claimed = claimSchema(schema, bookkeeping.find(({ table }) => table === 'ledger')?.comment ?? null);
  const existing = await readColumns(client, schema);
  const tables = warehouseTables(model).map((table) => changesOf(schema, table, existing, version));
  const unfit = tables.flatMap((table) => table.unfit);
  if (unfit.length > 0) throw new PipelineError('warehouse_schema', `warehouse: ${unfit.join('; ')}`);
  const views = model.facts.map((fact) => {
    const retyped = tables.some(({ table, widenings }) => table.name === fact.name && widenings.length > 0);
    return viewChanges(schema, fact, viewOf(existing, historyName(fact)), retyped);
  });
  return [
    ...(await schemaStatements(client, [BOOKKEEPING, schema])),
    ...(bookkeeping.some(({ table }) => table === 'ledger') ? [] : [CREATE_LEDGER]),
    ...quarantineStatements(bookkeeping.filter(({ table }) => table === 'quarantine')),
    ...claimed,
    ...views.flatMap((view) => view.before),
    ...tables.flatMap((table) => [...table.additions, ...table.widenings]),
    ...views.flatMap((view) => view.after),
    ...(views.some((view) => view.before.length > 0)
      ? await grantsOn(client, schema, model.facts.map(historyName))
      : []),
  ];
}

function quarantineStatements(columns: readonly ExistingColumn[]): readonly string[] {
  if (columns.length === 0) return [CREATE_QUARANTINE, INDEX_QUARANTINE];
  return columns.some(({ name }) => name === 'dropped_at') ? [] : [ADD_DROPPED_AT];
}

const GRANTS = `
  select pg_catalog.format('grant %s on %I.%I to %s%s', g.privilege_type, n.nspname, c.relname,
    case g.grantee when 0 then 'public' else g.grantee::regrole::text end,
    case when g.is_grantable then ' with grant option' else '' end) as statement
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  cross join lateral pg_catalog.aclexplode(c.relacl) g
  where n.nspname = $1 and c.relname = any($2) and g.grantee <> c.relowner`;

/** A view that is dropped takes what others may do with it along. */
async function grantsOn(client: pg.Client, schema: string, views: readonly string[]): Promise<readonly string[]> {
  return (await client.query<{ statement: string }>(GRANTS, [schema, views])).rows.map((row) => row.statement);
}

function viewOf(existing: readonly ExistingColumn[], name: string): ExistingView | null {
  const columns = existing.filter(({ table }) => table === name);
  return columns.length === 0
    ? null
    : { columns: columns.map((column) => column.name), comment: columns[0]?.comment ?? null };
}

type ExistingRow = Omit<ExistingColumn, 'required' | 'key'> & { readonly required: string; readonly key: string };

async function readColumns(client: pg.Client, schema: string): Promise<readonly ExistingColumn[]> {
  const { rows } = await client.query<ExistingRow>(EXISTING, [schema]);
  return rows.map((row) => ({ ...row, required: row.required === 't', key: row.key === 't' }));
}

/** `create schema if not exists` asks for a right on the database even where the schema exists. */
async function schemaStatements(client: pg.Client, names: readonly string[]): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    'select nspname as name from pg_catalog.pg_namespace where nspname = any($1)',
    [names],
  );
  const missing = new Set(names.filter((name) => !rows.some((row) => row.name === name)));
  return [...missing].map((name) => `create schema if not exists ${identifier(name)}`);
}

interface TableChanges {
  readonly table: WarehouseTable;
  readonly additions: readonly string[];
  readonly widenings: readonly string[];
  readonly unfit: readonly string[];
}

function changesOf(
  schema: string,
  table: WarehouseTable,
  existing: readonly ExistingColumn[],
  version: number,
): TableChanges {
  const own = existing.filter((column) => column.table === table.name);
  if (own.length === 0) return { table, additions: [createTable(schema, table, version)], widenings: [], unfit: [] };
  const alter = `alter table ${qualified(schema, table.name)}`;
  const known = new Map(own.map((column) => [column.name, column]));
  const missing = table.columns.filter((column) => !known.has(column.name));
  const other = table.columns.filter(
    (column) => (known.get(column.name)?.type ?? sqlType(column.type)) !== sqlType(column.type),
  );
  const wider = other.filter((column) => isWider(known.get(column.name)?.type ?? '', column.type));
  const additions = missing.map((column) => addColumn(schema, table.name, column, version));
  const loosened = looser(table, own).map((name) => `${alter} alter column ${identifier(name)} drop not null`);
  return {
    table,
    additions: [...additions, ...loosened],
    widenings: wider.map(({ name, type }) => `${alter} alter column ${identifier(name)} type ${sqlType(type)}`),
    unfit: [
      ...otherKey(table, own),
      ...other.filter((column) => !wider.includes(column)).map((column) => mismatch(table, column, known)),
    ],
  };
}

/** What refers to a table refers to its key, so that it cannot become another. */
function otherKey({ name, primaryKey }: WarehouseTable, own: readonly ExistingColumn[]): readonly string[] {
  const key = own
    .filter((column) => column.key)
    .map((column) => column.name)
    .join(', ');
  return key === primaryKey ? [] : [`the key of ${name} is ${key || 'none'}, but the model says ${primaryKey}`];
}

function mismatch(table: WarehouseTable, column: WarehouseColumn, known: ReadonlyMap<string, ExistingColumn>): string {
  const is = known.get(column.name)?.type;
  return `${table.name}.${column.name} is ${is}, but the model says ${sqlType(column.type)}`;
}

/** Columns that the model lets be null, or does not have any more: nothing will be put into those. */
function looser(table: WarehouseTable, own: readonly ExistingColumn[]): readonly string[] {
  const required = new Set(table.columns.filter((column) => !column.nullable).map((column) => column.name));
  return own.filter(({ name, required: is }) => is && !required.has(name)).map((column) => column.name);
}
