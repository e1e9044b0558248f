import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { afterwards, connectTo, freshDatabase, testServer } from '../../support/postgres.ts';
import { saleRow, shopRow, shops } from '../shops.ts';
import { freshWarehouse } from '../warehouse.ts';

/** A role that may do nothing but log in; the URL with which it does, and its quoted name. */
async function plainRole(url: string): Promise<{ readonly url: string; readonly role: string }> {
  const name = `loader_${randomBytes(4).toString('hex')}`;
  const admin = await connectTo(testServer.superuserUrl('postgres'));
  await admin.query(`create role ${name} login password 'pass word'`);
  afterwards(async () => {
    await (await connectTo(testServer.superuserUrl('postgres'))).query(`drop role ${name}`);
  });
  const own = new URL(url);
  own.username = name;
  own.password = 'pass word';
  return { url: own.href, role: name };
}

test('a role that may create nothing in the database will do where it owns its schemas', async () => {
  const database = await freshDatabase('roles');
  const { url, role } = await plainRole(database);
  const warehouse = await freshWarehouse(shops, { url, schema: 'star' });
  await expect(warehouse.initialise()).rejects.toMatchObject({ kind: 'warehouse_denied' });
  for (const schema of ['star', 'pipeline'])
    await warehouse.client.query(`create schema ${schema} authorization ${role}`);
  await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: [saleRow(1), saleRow(2, { shop_id: '2' })] });
  await warehouse.batch({ dim_shop: [shopRow(2)], fact_sale: [saleRow(1, { note: 'b' })] });
  expect(await warehouse.rows('select count(*)::int from star.history_sale')).toEqual([[3]]);
  expect(await warehouse.initialise()).toEqual([]);
  await warehouse.client.query(`drop owned by ${role}`);
});

test.each(['Star "schema"; drop', "it's $1 %s\\", 'select', 'Ünïcode 星'])(
  'the schema may be called %j',
  async (schema) => {
    const warehouse = await freshWarehouse(shops, { schema });
    await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: [saleRow(1, { shop_id: '2' }), saleRow(2)] });
    await warehouse.batch({ dim_shop: [shopRow(2)], fact_sale: [saleRow(2, { note: 'b' })] });
    await warehouse.client.query(`set search_path = ${warehouse.client.escapeIdentifier(schema)}`);
    expect(await warehouse.rows('select sale_id, version::int, batch_id::int from history_sale order by 1, 2')).toEqual(
      [
        [1, 1, 1],
        [2, 1, 1],
        [2, 2, 2],
      ],
    );
    expect(await warehouse.initialise()).toEqual([]);
    const schemas = "select nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'";
    const made = (await warehouse.rows(schemas)).flat();
    expect(new Set(made)).toEqual(new Set(['pipeline', 'public', schema]));
  },
);

test('a warehouse whose star is in one schema is not loaded into another', async () => {
  const warehouse = await freshWarehouse(shops, { schema: 'star' });
  await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: [saleRow(1)] });
  await warehouse.processed.commit({ rows: { fact_sale: [saleRow(1, { note: 'b' })] } });
  await expect(warehouse.load({ warehouseSchema: 'public' })).rejects.toMatchObject({
    kind: 'config',
    message: expect.stringContaining('WAREHOUSE_SCHEMA is public, but this warehouse has its star in schema star'),
  });
  const tables = "select relname from pg_class where relnamespace = 'public'::regnamespace";
  expect(await warehouse.rows(tables)).toEqual([]);
  await warehouse.load();
  expect(await warehouse.rows('select count(*)::int from star.fact_sale')).toEqual([[2]]);
});
