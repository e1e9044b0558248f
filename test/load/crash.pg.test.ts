import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { PipelineError } from '../../src/shared/errors.ts';
import { logKey } from '../../src/shared/lake/key.ts';
import type { Lake } from '../../src/shared/lake/lake.ts';
import { itemRow, saleRow, shopRow, shops } from './shops.ts';
import { freshWarehouse, type Warehouse } from './warehouse.ts';

const STATE = `
  select (select jsonb_agg(t order by t) from dim_shop t), (select jsonb_agg(t order by t) from dim_item t),
    (select jsonb_agg(t order by t) from dim_date t),
    (select jsonb_agg(to_jsonb(t) - 'sale_record_id' order by sale_id, batch_id) from fact_sale t),
    (select jsonb_agg(t order by t) from current_sale t), (select jsonb_agg(t order by t) from pipeline.ledger t),
    (select jsonb_agg(to_jsonb(t) - 'quarantine_id' - 'released_at' order by batch_id, record_key)
      from pipeline.quarantine t)`;

const LOADED = `
  select max(l.batch_id)::int, count(distinct f.batch_id)::int
  from pipeline.ledger l full join fact_sale f using (batch_id)`;

/** Two batches pending, of which the second touches every table and releases a row of the first. */
async function twoBatches(): Promise<Warehouse> {
  const warehouse = await freshWarehouse(shops);
  await warehouse.processed.commit({
    rows: {
      dim_shop: [shopRow(1)],
      fact_sale: [saleRow(1), saleRow(2, { shop_id: '2' }), saleRow(3, { shop_id: '9' })],
    },
  });
  await warehouse.processed.commit({
    rows: {
      dim_shop: [shopRow(1, 'renamed'), shopRow(2)],
      dim_item: [itemRow(1)],
      fact_sale: [saleRow(1, { note: 'b', due: '2040-01-01' }), saleRow(4, { shop_id: '8' }), saleRow(5)],
    },
    rejects: [{ table: 'fact_sale', key: '6', column: 'price', reason: 'bad', row: { sale_id: '6' } }],
    partRows: 1,
  });
  return warehouse;
}

/** `lake`, in which something happens before the part number `at` (from 0) is read. */
function interrupted(lake: Lake, at: number, happens: () => Promise<Readable | null>): Lake {
  let parts = 0;
  return {
    location: lake.location,
    get: async (key) => {
      if (!key.startsWith('data/')) return lake.get(key);
      parts += 1;
      return (parts - 1 === at ? await happens() : null) ?? lake.get(key);
    },
    put: async (key, body) => lake.put(key, body),
    putIfAbsent: async (key, body) => lake.putIfAbsent(key, body),
    replace: async (key, body) => lake.replace(key, body),
    list: (prefix, after) => lake.list(prefix, after),
    delete: async (key) => lake.delete(key),
  };
}

const KILL = `
  select pg_terminate_backend(pid) from pg_stat_activity
  where datname = current_database() and application_name = 'starling'`;

const gone = new PipelineError('lake_missing', 'an object is gone');
const failures = [
  [
    'the session is ended',
    'warehouse_unreachable',
    async (warehouse: Warehouse) => {
      await warehouse.client.query(KILL);
      return null;
    },
  ],
  [
    'the lake does not give it',
    'lake_missing',
    async () => {
      throw gone;
    },
  ],
  [
    'the lake breaks off',
    'lake_unavailable',
    async () =>
      new Readable({
        read() {
          this.destroy(new PipelineError('lake_unavailable', 'broke off'));
        },
      }),
  ],
  ['it is no Parquet', 'lake_corrupt', async () => Readable.from([Buffer.from('PAR1, but no more')])],
] as const;

/** Of the 9 parts, two are of batch 1: in the first facts, a dimension, a delta, and the rejects. */
const PLACES = [1, 2, 5, 8];

describe.each(failures)('when a part is to be read and %s', (_, kind, fail) => {
  test('nothing is half done, wherever it happens, and the next load carries on', async () => {
    const calm = await twoBatches();
    await calm.load();
    const expected = await calm.rows(STATE);
    await Promise.all(
      PLACES.map(async (at) => {
        const warehouse = await twoBatches();
        const lake = interrupted(warehouse.processed.lake, at, async () => fail(warehouse));
        const batch = at < 2 ? 1 : 2;
        await expect(warehouse.load({ processed: lake })).rejects.toMatchObject({
          kind,
          context: { stage: 'load', batch },
        });
        expect([at, ...(await warehouse.rows(LOADED))]).toEqual([at, batch === 1 ? [null, 0] : [1, 1]]);
        await warehouse.load();
        expect(withoutLog(await warehouse.rows(STATE))).toEqual(withoutLog(expected));
      }),
    );
  });
});

function withoutLog(state: unknown): unknown {
  return JSON.parse(JSON.stringify(state).replaceAll(/"log_id":"[^"]*"/g, '"log_id":""'));
}

test('a part with another number of rows than its entry says is refused, and nothing of it loaded', async () => {
  const warehouse = await freshWarehouse(shops);
  await warehouse.processed.commit({ rows: { dim_shop: [shopRow(1), shopRow(2)] } });
  const { lake } = warehouse.processed;
  const entry = Buffer.concat(await (await lake.get(logKey(1))).toArray()).toString('utf8');
  await lake.replace(logKey(1), Buffer.from(entry.replaceAll('"rows":2', '"rows":3')));
  await expect(warehouse.load()).rejects.toMatchObject({
    kind: 'lake_corrupt',
    message: expect.stringContaining('holds 2 rows'),
  });
  expect(await warehouse.rows('select from dim_shop')).toEqual([]);
});
