import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { workRange } from '../../src/load/range.ts';
import { cut, handOut } from '../../src/load/split.ts';
import { startCluster } from '../../src/local/postgres/cluster.ts';
import type { Superuser } from '../../src/local/postgres/databases.ts';
import { processedEntrySchema } from '../../src/shared/lake/entries.ts';
import { batchOfLogKey } from '../../src/shared/lake/key.ts';
import type { Lake } from '../../src/shared/lake/lake.ts';
import { Log } from '../../src/shared/lake/log.ts';
import { addSkip } from '../../src/shared/lake/skips.ts';
import type { RangeRef } from '../../src/shared/lake/split.ts';
import { numeric } from '../../src/shared/model/column.ts';
import { column } from '../../src/shared/model/expression.ts';
import { fact } from '../../src/shared/model/fact.ts';
import { model } from '../../src/shared/model/model.ts';
import { connectTo, ownServer, temporaryDirectory, testServer } from '../support/postgres.ts';
import type { Processed } from '../support/processed.ts';
import {
  dimItem, dimShop, factColumns, factOptions, factSale, item, itemRow, sale, saleRow, shop, shopRow, shops, shopsWith, sourceSale,
} from './shops.ts';
import { loadInRanges, Ranges, SEEN, STAGED_TABLES, STAR, workAll } from './splitting.ts';
import { freshWarehouse, Warehouse } from './warehouse.ts';

const sales = (from: number, to: number, differs: (id: number) => Record<string, string | null> = () => ({})) =>
  Array.from({ length: to - from + 1 }, (_, at) => saleRow(from + at, differs(from + at)));

const shopOf = (id: number) => ({ shop_id: String(1 + (id % 3)) });

/** A first load, deltas, rows that wait and are released, rows that transform refused: all in many parts. */
async function story(processed: Processed): Promise<void> {
  const reject = { table: 'fact_sale', key: '90', column: 'price', reason: 'bad', row: sourceSale('90', { price: '1.001' }) };
  await processed.commit({ rows: { dim_shop: [shopRow(1), shopRow(2)], fact_sale: sales(1, 40, shopOf) }, rejects: [reject], partRows: 6 });
  const changed = (id: number) => ({ ...shopOf(id), note: id % 2 === 0 ? 'changed' : null, due: `20${10 + (id % 80)}-02-03` });
  await processed.commit({ rows: { dim_item: [itemRow(1)], fact_sale: sales(10, 60, changed) }, partRows: 9 });
  await processed.commit({ rows: { dim_shop: [shopRow(3)], fact_sale: sales(10, 30, (id) => ({ ...changed(id), item_id: '7' })) }, partRows: 4 });
  await processed.commit({ rows: { dim_item: [itemRow(7)] } });
}

/** A warehouse with one large batch pending, of five parts. */
async function pending(server: Superuser = testServer): Promise<Warehouse> {
  const warehouse = await freshWarehouse(shops, { server });
  await warehouse.processed.commit({ rows: { dim_shop: [shopRow(1)], fact_sale: sales(1, 50) }, partRows: 10 });
  return warehouse;
}

async function sentBy(warehouse: Warehouse): Promise<readonly RangeRef[]> {
  const ranges = new Ranges();
  expect(await warehouse.load({ split: ranges.split })).toMatchObject({ batches: 0, isUpToDate: false });
  return ranges.take();
}

test('batches that are staged in ranges by three at once, each range twice, end as those that are not', async () => {
  const whole = await freshWarehouse(shops);
  await story(whole.processed);
  await whole.load();
  const inRanges = await freshWarehouse(shops);
  const { lake: processed } = whole.processed;
  const ranges = new Ranges();
  let outcomes: readonly string[] = [];
  while (!(await inRanges.load({ processed, split: ranges.split })).isUpToDate) {
    const refs = ranges.take();
    outcomes = [...outcomes, ...(await workAll(inRanges.context({ processed }), [...refs, ...refs.toReversed()], 3))];
  }
  expect(await inRanges.rows(STAR)).toEqual(await whole.rows(STAR));
  expect(outcomes.filter((outcome) => outcome === 'committed')).toHaveLength(3);
  expect(await inRanges.rows(STAGED_TABLES)).toEqual([[0]]);
});

test('nobody sees anything of a batch before all of it is staged, and then all at once', async () => {
  const warehouse = await pending();
  const refs = await sentBy(warehouse);
  expect(refs).toHaveLength(5);
  for (const [at, ref] of refs.entries()) {
    expect(await warehouse.rows(SEEN)).toEqual([[0, 0, 0, 0]]);
    expect(await workRange(warehouse.context(), ref)).toBe(at === 4 ? 'committed' : 'done');
  }
  expect(await warehouse.rows(SEEN)).toEqual([[50, 50, 1, 1]]);
  expect(await workRange(warehouse.context(), { ...refs[0], batch: 1, attempt: refs[0]?.attempt ?? '', range: 0 })).toBe('gone');
  expect(await warehouse.rows(SEEN)).toEqual([[50, 50, 1, 1]]);
});

test('a worker that is cut off in the middle of a range leaves it missing, and the next look sends it again', async () => {
  const warehouse = await pending();
  const refs = await sentBy(warehouse);
  await workAll(warehouse.context(), refs.slice(3), 2);
  const working = workAll(warehouse.context({ processed: interruptedAt(warehouse, 3) }), refs.slice(0, 3), 1);
  await expect(working).rejects.toMatchObject({ kind: 'warehouse_unreachable', context: { batch: 1 } });
  expect(await warehouse.rows(SEEN)).toEqual([[0, 0, 0, 0]]);
  expect(await sentBy(warehouse)).toEqual(refs.slice(2, 3));
  expect(await loadInRanges(warehouse)).toEqual(['committed']);
  expect(await warehouse.rows(SEEN)).toEqual([[50, 50, 1, 1]]);
});

/** The lake of a warehouse whose sessions are ended before the object number `at` is read. */
function interruptedAt({ processed: { lake }, client }: Warehouse, at: number): Lake {
  let objects = 0;
  return changed(lake, async (key, read) => {
    if (key.startsWith('data/') && (objects += 1) === at) await client.query(KILL);
    return read();
  });
}

const KILL = `
  select pg_terminate_backend(pid) from pg_stat_activity
  where datname = current_database() and application_name = 'starling'`;

function changed(lake: Lake, get: (key: string, read: () => Promise<Readable>) => Promise<Readable>): Lake {
  return {
    location: lake.location,
    get: async (key) => get(key, async () => lake.get(key)),
    put: async (key, body) => lake.put(key, body),
    putIfAbsent: async (key, body) => lake.putIfAbsent(key, body),
    replace: async (key, body) => lake.replace(key, body),
    list: (prefix, after) => lake.list(prefix, after),
    delete: async (key) => lake.delete(key),
  };
}

test('a server that crashes between ranges empties what is staged: all ranges are sent again, and nothing is lost', async () => {
  const directory = join(await temporaryDirectory(), 'postgres');
  const server = await ownServer({ directory });
  const before = await pending(server);
  const refs = await sentBy(before);
  await workAll(before.context(), refs.slice(0, 3), 2);
  await server.stop('immediate');
  await startCluster({ directory, fsync: false, port: server.port });
  const warehouse = new Warehouse(shops, before.schema, before.url, before.processed, await connectTo(before.url));
  expect(await workAll(warehouse.context(), refs.slice(3), 2)).toEqual(['gone', 'gone']);
  expect(await sentBy(warehouse)).toEqual(refs);
  expect(await loadInRanges(warehouse)).toContain('committed');
  expect(await warehouse.rows(SEEN)).toEqual([[50, 50, 1, 1]]);
  expect(await warehouse.rows('select sum(sale_id)::int from current_sale')).toEqual([[1275]]);
});

test('a batch is loaded though somebody reads what is staged, which the next batch drops', async () => {
  const warehouse = await pending();
  const refs = await sentBy(warehouse);
  const reader = await connectTo(warehouse.url);
  await reader.query('begin; lock table pipeline.staged_part in access share mode');
  expect((await workAll(warehouse.context(), refs, 1)).at(-1)).toBe('committed');
  expect(await warehouse.rows(SEEN)).toEqual([[50, 50, 1, 1]]);
  expect(await warehouse.rows(STAGED_TABLES)).toEqual([[2]]);
  await reader.query('commit');
  await warehouse.batch({ dim_shop: [shopRow(2)] });
  expect(await warehouse.rows(STAGED_TABLES)).toEqual([[0]]);
});

test('who stages the last range with little time left leaves the batch to the next look', async () => {
  const warehouse = await pending();
  const refs = await sentBy(warehouse);
  expect(await workAll(warehouse.context({ mayLoad: () => false }), refs, 2)).toEqual(['done', 'done', 'done', 'done', 'done']);
  expect(await warehouse.rows(SEEN)).toEqual([[0, 0, 0, 0]]);
  const ranges = new Ranges();
  expect(await warehouse.load({ split: ranges.split })).toMatchObject({ batches: 1, isUpToDate: true });
  expect([await warehouse.rows(SEEN), ranges.waiting]).toEqual([[[50, 50, 1, 1]], []]);
});

test('a range that another worker is at is left to that one, however long it takes', async () => {
  const warehouse = await pending();
  const [ref, ...others] = await sentBy(warehouse);
  const working = await connectTo(warehouse.url);
  await working.query('begin; select 1 from pipeline.staged_part where range_number = 0 for update');
  const context = warehouse.context({ waitForLoader: '100ms' });
  expect(await workAll(context, ref ? [ref, ...others] : [], 1)).toEqual(['done', 'done', 'done', 'done', 'done']);
  await working.query('rollback');
  expect(await sentBy(warehouse)).toEqual([ref]);
});

describe('a large batch', () => {
  test('that others are loading is waited for, and nothing of it handed out', async () => {
    const warehouse = await pending();
    await warehouse.initialise();
    const loading = await connectTo(warehouse.url);
    await loading.query('begin; select pg_advisory_xact_lock(7350, 4)');
    expect(await sentBy(warehouse)).toEqual([]);
    await loading.query('rollback');
    expect(await sentBy(warehouse)).toHaveLength(5);
  });

  test('that others have loaded meanwhile is not waited for', async () => {
    const warehouse = await pending();
    await warehouse.load();
    const entry = await new Log(warehouse.processed.lake, processedEntrySchema).read(1);
    const { client, model: of, processed: { lake } } = warehouse;
    const ranges = new Ranges();
    expect(await handOut({ client, lake, entry, model: of }, ranges.split)).toBe(false);
    expect([ranges.waiting, await warehouse.rows(STAGED_TABLES)]).toEqual([[], [[0]]]);
  });
});

describe('what is staged is not used', () => {
  test('where it is not whole and nobody waits for the rest, and is dropped', async () => {
    const warehouse = await pending();
    const refs = await sentBy(warehouse);
    await workAll(warehouse.context(), refs.slice(1), 2);
    expect(await warehouse.load()).toMatchObject({ batches: 1, isUpToDate: true });
    expect(await warehouse.rows(SEEN)).toEqual([[50, 50, 1, 1]]);
    expect(await warehouse.rows(STAGED_TABLES)).toEqual([[0]]);
    expect(await workAll(warehouse.context(), refs, 2)).toEqual(['gone', 'gone', 'gone', 'gone', 'gone']);
  });

  test('where another build has other columns: it begins anew, and ranges of the old one are gone', async () => {
    const warehouse = await pending();
    const refs = await sentBy(warehouse);
    await workAll(warehouse.context(), refs.slice(0, 4), 2);
    const grown = shopsWith(fact('fact_sale', sale, factOptions, { ...factColumns, price: column().as(numeric(12, 4)) }));
    // A batch of the other build follows, so that it may take this one.
    await warehouse.processed.commit({ model: grown });
    const ranges = new Ranges();
    expect(await warehouse.load({ model: grown, split: ranges.split })).toMatchObject({ isUpToDate: false });
    expect(ranges.waiting).toHaveLength(5);
    expect(await workAll(warehouse.context(), refs, 1)).toEqual(['gone', 'gone', 'gone', 'gone', 'gone']);
    await workAll(warehouse.context({ model: grown }), ranges.take(), 2);
    expect(await warehouse.rows('select count(*)::int, min(price), max(price) from fact_sale')).toEqual([[50, '9.9900', '9.9900']]);
  });

  test('where an operator has skipped the table, a part of which cannot be read: the other one is loaded', async () => {
    const sold = fact('fact_sold', sale, { ...factOptions, recordKey: 'sold_record_id' }, factColumns);
    const warehouse = await freshWarehouse(model({ tables: [shop, item, sale], dimensions: [dimShop, dimItem], facts: [factSale, sold] }));
    const rows = { dim_shop: [shopRow(1)], fact_sale: sales(1, 50), fact_sold: sales(1, 50) };
    await warehouse.processed.commit({ rows, partRows: 10 });
    const ingested = '7f1f1f1f-0000-4000-8000-000000000001';
    const processed = changed(warehouse.processed.lake, async (key, read) => {
      if (key.includes('/fact_sale/') && key.endsWith('part-1.parquet')) return Readable.from([Buffer.from('nothing of the kind')]);
      const object = await read();
      if (batchOfLogKey(key) === null) return object;
      const entry: unknown = JSON.parse(Buffer.concat(await object.toArray()).toString());
      return Readable.from([Buffer.from(JSON.stringify({ ...Object(entry), ingested }))]);
    });
    const ranges = new Ranges();
    await warehouse.load({ processed, split: ranges.split });
    const worked = await Promise.allSettled(ranges.take().map(async (ref) => workRange(warehouse.context({ processed }), ref)));
    expect(worked.filter(({ status }) => status === 'rejected')).toHaveLength(1);
    await addSkip(warehouse.processed.lake, { batch: 1, attempt: ingested }, 'fact_sale', new Date());
    expect(await warehouse.load({ processed, split: ranges.split })).toMatchObject({ batches: 1, isUpToDate: true });
    expect(await warehouse.rows(SEEN)).toEqual([[0, 0, 1, 1]]);
    expect(await warehouse.rows('select count(*)::int from fact_sold')).toEqual([[50]]);
    expect(await warehouse.rows(STAGED_TABLES)).toEqual([[0]]);
  });
});

describe('ranges', () => {
  test('are runs of parts of one fact up to a size, and all parts are in one', async () => {
    const warehouse = await freshWarehouse(shops);
    await warehouse.processed.commit({ rows: { fact_sale: sales(1, 100) }, partRows: 10 });
    const entry = await new Log(warehouse.processed.lake, processedEntrySchema).read(1);
    const parts = entry.outputs['fact_sale']?.parts ?? [];
    const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
    const { split } = new Ranges();
    const ranges = cut(entry, shops, () => false, { ...split, rangeBytes: bytes / 3 });
    expect(ranges.flat()).toEqual(parts);
    expect(ranges.length).toBeGreaterThan(2);
    for (const range of ranges) expect(range.reduce((sum, part) => sum + part.bytes, 0)).toBeLessThanOrEqual(bytes / 3);
    expect(cut(entry, shops, () => false, { ...split, rangeBytes: 1 })).toHaveLength(10);
    expect(cut(entry, shops, () => false, { ...split, thresholdBytes: bytes })).toEqual([]);
    expect(cut(entry, shops, () => true, split)).toEqual([]);
  });

  test('are sent again only when none is on its way', async () => {
    const warehouse = await pending();
    const ranges = new Ranges();
    await warehouse.load({ split: ranges.split });
    await warehouse.load({ split: ranges.split });
    expect(ranges.waiting).toHaveLength(5);
    ranges.take();
    await warehouse.load({ split: ranges.split });
    expect(ranges.waiting).toHaveLength(5);
  });
});
