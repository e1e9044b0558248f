import type { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { withoutKeys } from '../../src/load/keys.ts';
import { inTransaction } from '../../src/shared/postgres/client.ts';
import { connectTo } from '../support/postgres.ts';
import { factSale, saleRow, shopRow, shops } from './shops.ts';
import { freshWarehouse, type Warehouse } from './warehouse.ts';

const KEYS = `
  select conrelid::regclass::text as table, conname, pg_get_constraintdef(oid) as definition, conindid
  from pg_constraint where conrelid in ('fact_sale'::regclass, 'current_sale'::regclass) and contype in ('p', 'u') order by 1, 2`;

interface Key {
  readonly conname: string;
  readonly definition: string;
  readonly conindid: string;
}

async function keysOf({ client }: Warehouse): Promise<readonly Key[]> {
  return (await client.query<Key>(KEYS)).rows;
}

/** Loads the first facts into tables that `prepare` has done something to; their keys before and after. */
async function loadedAfter(prepare: (warehouse: Warehouse) => Promise<unknown>): Promise<readonly (readonly Key[])[]> {
  const warehouse = await freshWarehouse(shops);
  await warehouse.initialise();
  await prepare(warehouse);
  const before = await keysOf(warehouse);
  await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: [saleRow(1), saleRow(2)] });
  expect(await warehouse.rows('select count(*)::int from fact_sale')).toEqual([[2]]);
  return [before, await keysOf(warehouse)];
}

/** The names of the keys whose indexes are other ones than before. */
function madeAgain([before = [], after = []]: readonly (readonly Key[])[]): readonly string[] {
  expect(after.map(({ conname, definition }) => [conname, definition])).toEqual(before.map(({ conname, definition }) => [conname, definition]));
  return after.filter(({ conindid }, at) => conindid !== before[at]?.conindid).map(({ conname }) => conname);
}

const ALL = ['current_sale_pkey', 'fact_sale_pkey', 'fact_sale_sale_id_batch_id_key'];

const PARTITION = `
  create table larger (like current_sale including indexes) partition by hash (sale_id);
  alter table larger attach partition current_sale for values with (modulus 1, remainder 0)`;

describe('the keys of a fact', () => {
  test('are made after its first load, and are then what they were', async () => {
    expect(madeAgain(await loadedAfter(async () => undefined))).toEqual(ALL);
  });

  test('are left alone by later loads', async () => {
    const warehouse = await freshWarehouse(shops);
    await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: [saleRow(1)] });
    const before = await keysOf(warehouse);
    await warehouse.batch({ fact_sale: [saleRow(2)] });
    expect(await keysOf(warehouse)).toEqual(before);
  });

  test('are as they were where the first load fails', async () => {
    const warehouse = await freshWarehouse(shops);
    await warehouse.initialise();
    const before = await keysOf(warehouse);
    await warehouse.processed.commit({ rows: { dim_shop: [shopRow(1)], fact_sale: [saleRow(1), saleRow(1)] } });
    await expect(warehouse.load()).rejects.toMatchObject({ kind: 'key_not_unique' });
    expect(await keysOf(warehouse)).toEqual(before);
  });

  test.each<[string, string, readonly string[]]>([
    ['that a view is built on', 'create view by_key as select sale_id, price from current_sale group by sale_id', ALL.slice(1)],
    ['that a table refers to', 'create table mine (sale_id int references current_sale)', ALL.slice(1)],
    ['that somebody wrote a comment on', `comment on constraint fact_sale_pkey on fact_sale is 'mine'`, [ALL[0] ?? '', ALL[2] ?? '']],
    ['that somebody has set up otherwise', 'alter index current_sale_pkey set (fillfactor = 70)', ALL.slice(1)],
    ['that a table is clustered by', 'alter table current_sale cluster on current_sale_pkey', ALL.slice(1)],
    ['that is part of one of a larger table', PARTITION, ALL.slice(1)],
    ['of a table that is published', 'create publication mine for table current_sale', ALL.slice(1)],
    ['of a table that is identified by another', 'alter table fact_sale replica identity using index fact_sale_sale_id_batch_id_key', ALL.slice(0, 1)],
  ])('stay where they are: a key %s', async (_, statement, made) => {
    expect(madeAgain(await loadedAfter(async ({ client }) => client.query(statement)))).toEqual(made);
  });

  test.each<[string, string, readonly string[]]>([
    ['in the place of their table', 'alter table current_sale set tablespace elsewhere; alter index current_sale_pkey set tablespace elsewhere', ALL.slice(1)],
    ['where new ones would have another place', 'alter database elsewhere set default_tablespace = elsewhere', []],
  ])('stay where they are, %s', async (_, statement, made) => {
    const keys = await loadedAfter(async ({ client, url }) => {
      // One of the database's own, and of its name: the server is not this test's alone.
      const place = new URL(url).pathname.slice(1);
      await client.query('set allow_in_place_tablespaces = on');
      await client.query(`create tablespace ${place} location ''`);
      await client.query(statement.replaceAll('elsewhere', place));
    });
    expect(madeAgain(keys)).toEqual(made);
  });

  test('stay on while somebody is looking at the table, and nobody has to wait', async () => {
    let reader: Client | null = null;
    const keys = await loadedAfter(async (warehouse) => {
      reader = await readerIn(warehouse);
    });
    expect(madeAgain(keys)).toEqual([]);
    expect((await readerOf(reader).query('table fact_sale')).rows).toEqual([]);
    await readerOf(reader).query('commit');
    expect((await readerOf(reader).query('table fact_sale')).rows).toHaveLength(2);
  });

  test('stay on where somebody begins to look at the table when they are to be taken off, and nobody has to wait', async () => {
    const warehouse = await freshWarehouse(shops);
    await warehouse.initialise();
    const before = await keysOf(warehouse);
    const client = await connectTo(warehouse.url);
    await client.query("set lock_timeout = '2s'");
    let reader: Client | null = null;
    const hurried = beforeLocking(client, async () => {
      reader ??= await readerIn(warehouse);
    });
    const target = { client: hurried, lake: warehouse.processed.lake, schema: 'public', batch: 1 };
    await inTransaction(client, 'begin', async () => withoutKeys(target, factSale.spec, async () => {
      expect((await readerOf(reader).query('table fact_sale union all select null, * from current_sale')).rows).toEqual([]);
    }));
    expect(await keysOf(warehouse)).toEqual(before);
  });
});

/** The same connection, which does something else before it asks for a lock that keeps readers out. */
function beforeLocking(client: Client, during: () => Promise<void>): Client {
  return new Proxy(client, {
    get: (of, name): unknown => {
      const value: unknown = Reflect.get(of, name);
      if (name !== 'query' || typeof value !== 'function') return value;
      return async (...args: readonly unknown[]): Promise<unknown> => {
        if (/^(lock|alter) table /.test(String(args[0]))) await during();
        return Reflect.apply(value, of, args);
      };
    },
  });
}

/** Has looked at the fact, and not ended yet. */
async function readerIn(warehouse: Warehouse): Promise<Client> {
  const reader = await connectTo(warehouse.url);
  await reader.query('begin isolation level repeatable read');
  expect((await reader.query('table fact_sale')).rows).toEqual([]);
  return reader;
}

function readerOf(reader: Client | null): Client {
  if (!reader) throw new Error('nobody reads');
  return reader;
}
