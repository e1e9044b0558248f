import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { load } from '../../src/load/load.ts';
import { logKey } from '../../src/shared/lake/key.ts';
import { freshProcessed, snapshotOf } from '../support/processed.ts';
import { saleRow, shopRow, shops } from './shops.ts';
import { freshWarehouse, type Warehouse } from './warehouse.ts';

const LEDGER = 'select batch_id::int from pipeline.ledger order by 1';

/** A warehouse with batches 1 to `batches` in its lake, none of them loaded. */
async function pending(batches: number): Promise<Warehouse> {
  const warehouse = await freshWarehouse(shops);
  for (let batch = 1; batch <= batches; batch += 1) {
    const sales = [saleRow(1, { note: `${batch}` }), saleRow(batch + 1)];
    await warehouse.processed.commit({ rows: { dim_shop: [shopRow(1)], fact_sale: sales } });
  }
  return warehouse;
}

const batchesOf = (count: number): readonly number[][] => Array.from({ length: count }, (_, at) => [at + 1]);

test('every batch has one row: whose log, of when, by which model, and what it did', async () => {
  const warehouse = await pending(2);
  expect(await warehouse.load()).toMatchObject({ stage: 'load', batches: 2, head: 2 });
  const counts = {
    dim_shop: { staged: 1, written: 0 },
    fact_sale: { staged: 2, written: 2, quarantined: 0, released: 0 },
  };
  expect(await warehouse.rows('select * from pipeline.ledger where batch_id = 2')).toMatchObject([
    ['2', warehouse.processed.logId, new Date(snapshotOf(2)), new Date('2024-08-08T00:00:00.000Z'), shops.hash, counts],
  ]);
});

test('what is done is told, a table and a batch at a time; and where there is nothing to do, that', async () => {
  const warehouse = await pending(1);
  await warehouse.load();
  expect(warehouse.events).toEqual([
    { event: 'table', stage: 'load', batch: 1, table: 'dim_shop', rows: 1, bytes: expect.any(Number) },
    { event: 'table', stage: 'load', batch: 1, table: 'fact_sale', rows: 2, bytes: expect.any(Number) },
    { event: 'batch', stage: 'load', batch: 1, rows: 3, seconds: expect.any(Number) },
  ]);
  warehouse.events.length = 0;
  expect(await warehouse.load()).toMatchObject({ stage: 'load', batches: 0, head: 1 });
  expect(warehouse.events).toEqual([{ event: 'nothing_new', stage: 'load', batch: 1 }]);
});

test('an empty lake and an empty warehouse have nothing to say to each other', async () => {
  expect(await (await freshWarehouse(shops)).load()).toMatchObject({ stage: 'load', batches: 0, head: 0 });
});

describe('several loaders at once', () => {
  test('load every batch once between them', async () => {
    const warehouse = await pending(8);
    const results = await Promise.all(Array.from({ length: 4 }, async () => load(warehouse.context())));
    expect(results.reduce((sum, { batches }) => sum + batches, 0)).toBe(8);
    expect(results.map(({ head }) => head)).toEqual([8, 8, 8, 8]);
    expect(await warehouse.rows(LEDGER)).toEqual(batchesOf(8));
    expect(await warehouse.rows('select note, batch_id::int from fact_sale where sale_id = 1 order by 2')).toEqual(
      batchesOf(8).map(([batch]) => [`${batch}`, batch]),
    );
    expect(await warehouse.rows('select count(*)::int from current_sale')).toEqual([[9]]);
  });

  test('wait for who has the batch, and then find it loaded', async () => {
    const warehouse = await pending(2);
    await warehouse.initialise();
    await warehouse.client.query('begin');
    const claim = "insert into pipeline.ledger values (1, $1, now(), now(), $2, '{}')";
    await warehouse.client.query(claim, [warehouse.processed.logId, shops.hash]);
    const loading = warehouse.load();
    await waiter(warehouse);
    await warehouse.client.query('commit');
    expect(await loading).toMatchObject({ stage: 'load', batches: 1, head: 2 });
    expect(warehouse.events.map(({ event, batch }) => [event, batch])).toContainEqual(['lost', 1]);
    expect(await warehouse.rows('select distinct batch_id::int from fact_sale')).toEqual([[2]]);
  });

  test('take over when who has the batch gives up', async () => {
    const warehouse = await pending(1);
    await warehouse.initialise();
    await warehouse.client.query('begin');
    const claim = "insert into pipeline.ledger values (1, $1, now(), now(), '', '{}')";
    await warehouse.client.query(claim, [warehouse.processed.logId]);
    const loading = warehouse.load();
    await waiter(warehouse);
    await warehouse.client.query('rollback');
    expect(await loading).toMatchObject({ stage: 'load', batches: 1, head: 1 });
  });

  test('leave it to who has it where they were told not to wait, so that whoever comes next has all of its time', async () => {
    const warehouse = await pending(2);
    await warehouse.initialise();
    await warehouse.client.query('begin');
    const claim = "insert into pipeline.ledger values (1, $1, now(), now(), '', '{}')";
    await warehouse.client.query(claim, [warehouse.processed.logId]);
    expect(await warehouse.load({ waitForLoader: '50ms' })).toMatchObject({ batches: 0, head: 0, isUpToDate: false });
    expect(warehouse.events).toEqual([{ event: 'busy', stage: 'load', batch: 1 }]);
    await warehouse.client.query('rollback');
    expect(await warehouse.load({ waitForLoader: '50ms' })).toMatchObject({ batches: 2, head: 2, isUpToDate: true });
  });
});

/** Until somebody waits for a lock in this database. */
async function waiter({ client }: Warehouse): Promise<void> {
  const waits = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
  while ((await client.query(waits)).rowCount === 0) {
    await delay(10);
    // In a transaction, the activity is what it was when it was first looked at.
    await client.query('select pg_stat_clear_snapshot()');
  }
}

describe('a lake that is not the one the warehouse was loaded from is refused', () => {
  const foreign = { kind: 'lake_foreign', hint: expect.stringContaining('do not belong together') };

  test.each([
    ['shorter', 1],
    ['as long', 2],
    ['longer', 3],
  ])('where it is %s', async (_, length) => {
    const warehouse = await pending(2);
    await warehouse.load();
    const other = await freshProcessed(shops);
    for (let batch = 1; batch <= length; batch += 1)
      await other.commit({ rows: { fact_sale: [saleRow(100 + batch)] } });
    await expect(warehouse.load({ processed: other.lake })).rejects.toMatchObject(foreign);
    expect(await warehouse.rows(LEDGER)).toEqual([[1], [2]]);
    expect(await warehouse.rows('select from fact_sale where sale_id > 100')).toEqual([]);
  });

  test('where it is empty, or ends before the warehouse does', async () => {
    const warehouse = await pending(2);
    await warehouse.load();
    await expect(warehouse.load({ processed: (await freshProcessed(shops)).lake })).rejects.toMatchObject(foreign);
    await rm(join(warehouse.processed.lake.location, logKey(2)));
    await expect(warehouse.load()).rejects.toMatchObject({
      ...foreign,
      message: expect.stringContaining('ends at batch 1'),
    });
  });

  test('where somebody else puts a batch of another log into the ledger meanwhile', async () => {
    const warehouse = await pending(1);
    await warehouse.initialise();
    await warehouse.client.query('begin');
    await warehouse.client.query("insert into pipeline.ledger values (1, gen_random_uuid(), now(), now(), '', '{}')");
    const loading = warehouse.load();
    loading.catch(() => undefined);
    await waiter(warehouse);
    await warehouse.client.query('commit');
    await expect(loading).rejects.toMatchObject({ ...foreign, context: { batch: 1, stage: 'load' } });
    expect(await warehouse.rows('select from dim_shop')).toEqual([]);
  });
});

test('a gap in the log stops the load before it, with the key of the entry that is gone', async () => {
  const warehouse = await pending(3);
  await rm(join(warehouse.processed.lake.location, logKey(2)));
  await expect(warehouse.load()).rejects.toMatchObject({ kind: 'lake_missing', context: { key: logKey(2) } });
});

test('when it is told to stop, the batch in hand is finished and no other begun', async () => {
  const warehouse = await pending(3);
  const stop = new AbortController();
  const result = await warehouse.load({
    signal: stop.signal,
    report: ({ event, batch }) => (event === 'batch' && batch === 2 ? stop.abort() : undefined),
  });
  expect(result).toMatchObject({ stage: 'load', batches: 2, head: 2 });
  expect(await warehouse.load({ signal: AbortSignal.abort() })).toMatchObject({ stage: 'load', batches: 0, head: 2 });
  expect(await warehouse.load()).toMatchObject({ stage: 'load', batches: 1, head: 3 });
});
