import { beforeAll, describe, expect, test } from 'vitest';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import { int, text } from '../../src/shared/model/column.ts';
import { table } from '../../src/shared/model/table.ts';
import { connectTo } from '../support/postgres.ts';
import { harness, type Harness, sourceServer } from './harness.ts';
import { changedLake, lakeThat, once } from './lakes.ts';

const item = table('item', { item_id: int().key(), name: text() });
const other = table('other', { other_id: int().key() });
const THREE = `create table item (item_id int primary key, name text not null);
  insert into item values (1, 'one'), (2, 'two'), (3, 'three')`;
const OTHER = 'create table other (other_id int); insert into other values (1)';

let server: Cluster;
beforeAll(async () => {
  server = await sourceServer();
});

async function idsIn(source: Harness, batch: number): Promise<readonly number[]> {
  return (await source.records(batch, 'item')).map((row) => Number(row['item_id'])).toSorted((a, b) => a - b);
}

describe('an entry', () => {
  test('says what it was made of, and its objects are named after its attempt', async () => {
    const source = await harness(server, `${THREE}; ${OTHER}`, item, other);
    const now = new Date('2001-02-03T04:05:06.789Z');
    expect(await source.ingest({ now: () => now })).toMatchObject({ stage: 'ingest', batches: 1, head: 1 });
    const [entry] = await source.entries();
    expect(entry).toMatchObject({
      format: 1, batch: 1, snapshot_at: now.toISOString(), committed_at: now.toISOString(),
      snapshot: expect.stringMatching(/^\d+:\d+:[\d,]*$/),
      source: {
        in_recovery: false, timeline: '00000001', port: expect.any(Number), system_identifier: expect.any(String),
      },
    });
    const key = `data/item/${'1'.padStart(20, '0')}/${entry?.attempt}/part-0.csv`;
    const bytes = 'item_id,name\n1,one\n2,two\n3,three\n'.length;
    expect(entry?.tables['item']?.parts).toEqual([{ key, rows: 3, bytes }]);
    expect(await source.objects()).toContain(key);
  });

  test('repeats the id of its log, and has an attempt of its own', async () => {
    const source = await harness(server, THREE, item);
    for (let id = 11; id <= 13; id += 1) {
      await source.sql.query(`insert into item values (${id}, 'x')`);
      await source.ingest();
    }
    const entries = await source.entries();
    expect(entries.map(({ batch }) => batch)).toEqual([1, 2, 3]);
    expect(new Set(entries.map((entry) => entry.log_id)).size).toBe(1);
    expect(new Set(entries.map((entry) => entry.attempt)).size).toBe(3);
  });

  test('is made without any rows where the model is another one and its tables are not', async () => {
    const source = await harness(server, `${THREE}; ${OTHER}`, item, other);
    await source.rows();
    source.declare(other, item);
    expect(await source.rows()).toEqual({ item: 0, other: 0 });
    expect(await source.rows()).toBeNull();
  });

  test('is made the first time, though there is not one row', async () => {
    const source = await harness(server, 'create table item (item_id int, name text)', item);
    expect(await source.rows()).toEqual({ item: 0 });
    expect(await source.objects()).toEqual([]);
    expect(await source.rows()).toBeNull();
  });

  test('is told of as it is made', async () => {
    const source = await harness(server, `${THREE}; create table other (other_id int)`, item, other);
    await source.ingest();
    expect(source.events).toEqual([
      { event: 'table', stage: 'ingest', batch: 1, table: 'item', rows: 3, bytes: expect.any(Number) },
      { event: 'batch', stage: 'ingest', batch: 1, rows: 3, seconds: expect.any(Number) },
    ]);
  });
});

describe('nothing is read', () => {
  test('where no transaction has ended since, not even what one that is still open makes uncertain', async () => {
    const source = await harness(server, THREE, item);
    const open = await connectTo(source.url);
    await open.query('begin; select pg_current_xact_id()');
    await source.sql.query(`insert into item values (4, 'four')`);
    expect(await source.rows()).toEqual({ item: 4 });
    for (let look = 1; look <= 3; look += 1) expect(await source.rows()).toBeNull();
    await source.sql.query('select pg_current_xact_id()');
    expect(await source.rows(), 'what may have come late is read again').toEqual({ item: 1 });
    expect(await idsIn(source, 2)).toEqual([4]);
  });
});

describe('clocks', () => {
  test('of the source do not matter, and those of Starling may go backwards', async () => {
    const source = await harness(server, `${THREE}; alter table item add column at timestamptz default now()`, item);
    await source.rows({ now: () => new Date('2030-01-01T00:00:00Z') });
    await source.sql.query(`insert into item values (4, 'an hour ago', now() - interval '1 hour')`);
    expect(await source.rows({ now: () => new Date('2020-01-01T00:00:00Z') })).toEqual({ item: 1 });
    await source.sql.query(`insert into item values (5, 'in an hour', now() + interval '1 hour')`);
    expect(await source.rows({ now: () => new Date('2025-01-01T00:00:00Z') })).toEqual({ item: 1 });
    await source.sql.query(`update item set name = 'now' where item_id = 1`);
    expect(await source.rows()).toEqual({ item: 1 });
  });
});

describe('two ingests at once', () => {
  test('both succeed, and the one that comes second looks again', async () => {
    const source = await harness(server, THREE, item);
    await source.rows();
    await source.sql.query(`insert into item values (4, 'four')`);
    const ingestion = lakeThat(source.lake, once(async () => {
      expect(await source.ingest()).toMatchObject({ stage: 'ingest', batches: 1, head: 2 });
      await source.sql.query(`insert into item values (5, 'five')`);
    }));
    expect(await source.ingest({ ingestion })).toMatchObject({ stage: 'ingest', batches: 1, head: 3 });
    expect([await idsIn(source, 2), await idsIn(source, 3)]).toEqual([[4], [5]]);
    expect(source.events.filter(({ event }) => event === 'lost')).toMatchObject([{ batch: 2 }]);
    expect(await source.rows()).toBeNull();
  });

  test('both succeed where the second has nothing left to do', async () => {
    const source = await harness(server, THREE, item);
    const ingestion = lakeThat(source.lake, once(async () => {
      await source.ingest();
    }));
    expect(await source.ingest({ ingestion })).toMatchObject({ stage: 'ingest', batches: 0, head: 1 });
    expect(await source.entries()).toHaveLength(1);
  });

  test('or five, again and again, leave each change in the log exactly once and no gap', async () => {
    const source = await harness(server, THREE, item);
    for (let round = 0; round < 5; round += 1) {
      await source.sql.query(`insert into item values (${10 + round}, 'new')`);
      await Promise.all(Array.from({ length: 5 }, async () => source.ingest()));
    }
    const entries = await source.entries();
    const ids = await Promise.all(entries.map(async ({ batch }) => idsIn(source, batch)));
    expect(entries.map(({ batch }) => batch)).toEqual([1, 2, 3, 4, 5]);
    expect(ids).toEqual([[1, 2, 3, 10], [11], [12], [13], [14]]);
  });

  test('of which one always loses: it says so in the end', async () => {
    const source = await harness(server, THREE, item);
    let next = 10;
    const ingestion = changedLake(source.lake, {
      putIfAbsent: async (key, body) => {
        next += 1;
        await source.sql.query(`insert into item values (${next}, 'x')`);
        const mine = Buffer.from(body).toString();
        const [, attempt = ''] = /"attempt":"([^"]+)"/.exec(mine) ?? [];
        await source.lake.putIfAbsent(key, Buffer.from(mine.replaceAll(attempt, crypto.randomUUID())));
        return 'exists';
      },
    });
    await expect(source.ingest({ ingestion })).rejects.toMatchObject({ kind: 'lake_unavailable' });
    expect(await source.entries()).toHaveLength(10);
  });
});

describe('a large table', () => {
  test('is streamed: never more of it in memory than a few pieces', async () => {
    const source = await harness(server, `create table item (item_id int, name text);
      insert into item select id, repeat('x', 200) from generate_series(1, 200000) id`, item);
    const seen: Seen = { largest: 0, chunks: 0, bytes: 0, ahead: 0, pause: Promise.resolve() };
    const ingestion = changedLake(source.lake, { put: async (key, body) => source.lake.put(key, watched(body, seen)) });
    expect(await source.ingest({ ingestion })).toMatchObject({ batches: 1 });
    const { rows, parts } = await source.last('item');
    const sum = (of: 'rows' | 'bytes') => parts.reduce((all, part) => all + part[of], 0);
    expect([rows, sum('rows'), sum('bytes')]).toEqual([200_000, 200_000, seen.bytes]);
    expect(seen.bytes).toBeGreaterThan(40_000_000);
    expect(seen.chunks).toBeGreaterThan(100);
    expect(seen.largest).toBeLessThanOrEqual(1024 * 1024);
    expect(seen.ahead, 'bytes that were read while the lake was slow').toBeLessThan(4 * 1024 * 1024);
  });
});

interface Seen {
  largest: number;
  chunks: number;
  bytes: number;
  ahead: number;
  pause: Promise<void>;
}

/** Passes chunks on, and takes its time once, for all who read: what others go on with would be counted too. */
async function* watched(body: AsyncIterable<Uint8Array>, seen: Seen): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    seen.largest = Math.max(seen.largest, chunk.byteLength);
    seen.bytes += chunk.byteLength;
    seen.chunks += 1;
    if (seen.chunks === 4) seen.pause = stand(seen);
    await seen.pause;
    yield chunk;
  }
}

async function stand(seen: Seen): Promise<void> {
  const before = process.memoryUsage().arrayBuffers;
  await new Promise((resolve) => setTimeout(resolve, 700));
  seen.ahead = process.memoryUsage().arrayBuffers - before;
}
