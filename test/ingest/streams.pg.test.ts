import { once as listening } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { Client } from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import type { Lake } from '../../src/shared/lake/lake.ts';
import { int, text } from '../../src/shared/model/column.ts';
import { table } from '../../src/shared/model/table.ts';
import { afterwards, connectTo } from '../support/postgres.ts';
import { harness, type Harness, sourceServer, warnings } from './harness.ts';
import { changedLake, lakeThat, once } from './lakes.ts';
import { SERVERS } from './machine.ts';

const big = table('big', { id: int().key(), name: text() });
const first = table('first', { id: int().key() });

/** About 20 MB: enough to be shared, and some of it out of line. */
const ROWS = `select id, case when id % 500 = 0
    then (select string_agg(md5(id::text || n), '') from generate_series(1, 400) as n)
    else repeat(md5(id::text), 28) end
  from generate_series(1, 22000) as id`;
const BIG = `create table big (id int primary key, name text not null); insert into big ${ROWS}`;

/** Old versions of rows, new ones at the end and in between, and none. */
const LIVED = `
  update big set name = 'new ' || id where id % 97 = 0;
  delete from big where id % 101 = 0;
  update big set name = repeat('twice', 200) where id % 194 = 0`;

const SHAPES: readonly (readonly [shape: string, setUp: string])[] = [
  ['a table', `${BIG}; ${LIVED}`],
  ['partitions of unlike lengths', `
    create table big (id int not null, name text not null) partition by range (id);
    create table low partition of big for values from (0) to (2000);
    create table middle partition of big for values from (2000) to (15000);
    create table none partition of big for values from (30000) to (40000);
    create table high partition of big for values from (15000) to (30000);
    insert into big ${ROWS}; ${LIVED}`],
  ['a table with a child', `${BIG}; create table child (more int) inherits (big);
    insert into child select 100000 + id, repeat('child', 100), id from generate_series(1, 15000) as id; ${LIVED}`],
];

async function inSource(sql: Client): Promise<readonly unknown[]> {
  return (await sql.query(`select id::text, name from big order by big.id`)).rows;
}

async function inBatch(source: Harness, batch: number): Promise<readonly unknown[]> {
  const records = await source.records(batch, 'big');
  return records.toSorted((one, other) => Number(one['id']) - Number(other['id']));
}

/** A lake that takes no object before somebody is at another one too; then `during`. */
function together(lake: Lake, during: () => Promise<unknown> = async () => undefined): Lake {
  let [arrive, arrived] = [() => {}, 0];
  const both = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const done = both.then(during);
  return lakeThat(lake, async () => {
    arrived += 1;
    if (arrived === 2) arrive();
    await done;
  });
}

/** `during` the first time that the lake is given something. */
function interrupted(lake: Lake, during: () => Promise<unknown>): Lake {
  return lakeThat(lake, once(async () => {
    await during();
  }));
}

/** A lake that says how many objects it was given at the same time. */
function counting(lake: Lake): { readonly lake: Lake; most: number } {
  let now = 0;
  const counted = {
    most: 0,
    lake: changedLake(lake, {
      put: async (key, body) => {
        now += 1;
        counted.most = Math.max(counted.most, now);
        return lake.put(key, body).finally(() => {
          now -= 1;
        });
      },
    }),
  };
  return counted;
}

/** In front of a server, like a pooler that has one connection to it: the first comes through, the others wait. */
async function narrowDoor(target: number): Promise<{ readonly port: number; readonly waiting: readonly Socket[] }> {
  const waiting: Socket[] = [];
  let isFirst = true;
  const door = createServer((client) => {
    client.on('error', () => undefined);
    if (!isFirst) waiting.push(client.resume());
    if (isFirst) client.pipe(connect(target, '127.0.0.1').on('error', () => undefined)).pipe(client);
    isFirst = false;
  });
  door.listen(0, '127.0.0.1');
  await listening(door, 'listening');
  afterwards(async () => {
    for (const client of waiting) client.destroy();
    door.close();
  });
  const address = door.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, waiting };
}

const SESSIONS = `select from pg_stat_activity where application_name = 'starling' and datname = current_database()`;

async function expectNobodyLeft(source: Harness): Promise<void> {
  await expect.poll(async () => (await source.sql.query(SESSIONS)).rowCount, { timeout: 10_000 }).toBe(0);
}

/** Of those who read, the last one that has come. */
const KILL_SECOND = `
  select pg_terminate_backend(pid) from pg_stat_activity
  where application_name = 'starling' and datname = current_database() order by backend_start desc limit 1`;

describe.each(SERVERS)('a large table on PostgreSQL %s', (version, binariesDirectory) => {
  const canShare = !(Number.parseInt(version, 10) < 14);
  let server: Cluster;
  beforeAll(async () => {
    server = await sourceServer(binariesDirectory);
  });

  test.each(SHAPES)('is read whole by several, %s', async (_shape, setUp) => {
    const source = await harness(server, setUp, big);
    // Without a second one this waits for ever.
    const ingestion = canShare ? together(source.lake) : source.lake;
    const all = await inSource(source.sql);
    expect(await source.rows({ ingestion })).toEqual({ big: all.length });
    expect(await inBatch(source, 1)).toEqual(all);
    const { parts, rows_in_source, witnesses = [] } = await source.last('big');
    expect([parts.length > 2, rows_in_source, witnesses.length]).toEqual([canShare, all.length, 10]);
    await expectNobodyLeft(source);
    await source.sql.query(`update big set name = 'later' where id = 7`);
    expect(await source.rows()).toEqual({ big: 1 });
    expect(warnings(source)).toEqual([]);
  });

  test('is of one moment, though rows come, go and move before and while it is read', async () => {
    const source = await harness(server, `create table first (id int); insert into first values (1); ${BIG}`, first, big);
    const before = await inSource(source.sql);
    const change = async (by: number): Promise<unknown> => source.sql.query(`
      insert into big select ${by} + id, repeat('late', 100) from generate_series(1, 9000) as id;
      update big set name = 'moved' where id % 7 = ${by % 7}; delete from big where id % 11 = ${by % 11}`);
    // The batch has its snapshot, and who is to help with the large table is not there yet.
    const early = lakeThat(source.lake, once(async () => {
      await change(30_000);
    }));
    const whileRead = (canShare ? together : interrupted)(source.lake, async () => change(50_000));
    const ingestion = changedLake(source.lake, {
      put: async (key, body) => (key.includes('/first/') ? early : whileRead).put(key, body),
    });
    await source.ingest({ ingestion });
    expect(await inBatch(source, 1)).toEqual(before);
    await source.ingest();
    const after = await inSource(source.sql);
    expect(await inBatch(source, 2)).toEqual(after.filter((row) => /late|moved/.test(JSON.stringify(row))));
    expect((await source.last('big')).rows_in_source).toBe(after.length);
    expect(warnings(source)).toEqual([]);
  });

  test('cannot be rewritten or emptied while it is read', async () => {
    const source = await harness(server, BIG, big);
    const session = await connectTo(source.url);
    await session.query(`set lock_timeout = '200ms'`);
    const results: string[] = [];
    const ingestion = (canShare ? together : interrupted)(source.lake, async () => {
      for (const statement of ['truncate big', 'vacuum full big', 'cluster big using big_pkey']) {
        results.push(await session.query(statement).then(() => 'done', String));
      }
    });
    await source.ingest({ ingestion });
    expect(results).toEqual(Array(3).fill('error: canceling statement due to lock timeout'));
    expect(await inBatch(source, 1)).toEqual(await inSource(source.sql));
  });

  test.runIf(canShare)('that somebody waits to empty is read by one, who has it locked', async () => {
    const source = await harness(server, `create table first (id int); insert into first values (1); ${BIG}`, first, big);
    const all = await inSource(source.sql);
    const session = await connectTo(source.url);
    let emptied: Promise<unknown> = Promise.resolve();
    const counted = counting(lakeThat(source.lake, once(async () => {
      emptied = session.query('truncate big');
      await expect.poll(async () => (await source.sql.query('select from pg_locks where not granted')).rowCount).toBe(1);
    })));
    expect(await source.rows({ ingestion: counted.lake })).toEqual({ first: 1, big: all.length });
    await emptied;
    expect(counted.most).toBeLessThan(2);
    expect(await inBatch(source, 1)).toEqual(all);
  });

  test.runIf(canShare)('fails with whoever of its readers is killed, and the next attempt reads it', async () => {
    const source = await harness(server, BIG, big);
    const ingestion = together(source.lake, async () => source.sql.query(KILL_SECOND));
    await expect(source.ingest({ ingestion })).rejects.toMatchObject({ kind: 'source_unreachable', context: { stage: 'ingest' } });
    expect(await source.entries()).toEqual([]);
    await expectNobodyLeft(source);
    expect(await source.rows()).toEqual({ big: 22_000 });
    expect(await inBatch(source, 1)).toEqual(await inSource(source.sql));
  });

  test.runIf(canShare)('fails with the lake, as it was told, and nobody goes on with what is left', async () => {
    const source = await harness(server, BIG, big);
    const full = new Error('no more');
    let ended = false;
    const ingestion = lakeThat(source.lake, async (key) => {
      if (key.endsWith('/part-1.csv')) throw full;
      // The other one's connection ends though it has something to do.
      await expectNobodyLeft(source);
      ended = true;
    });
    await expect(source.ingest({ ingestion })).rejects.toBe(full);
    expect([ended, await source.entries()]).toEqual([true, []]);
  });

  test.runIf(canShare)('is read by one where no more are let in, and nobody is told', async () => {
    const source = await harness(server, BIG, big);
    await source.sql.query(`alter role ${new URL(source.readerUrl).username} connection limit 1`);
    const counted = counting(source.lake);
    expect(await source.rows({ ingestion: counted.lake })).toEqual({ big: 22_000 });
    expect(counted.most).toBe(1);
    expect(await inBatch(source, 1)).toEqual(await inSource(source.sql));
    expect(source.events.map(({ event }) => event)).toEqual(['table', 'batch']);
  });

  test.runIf(canShare)('is read by one where the others are kept waiting, and they are not waited for', async () => {
    const source = await harness(server, BIG, big);
    const door = await narrowDoor(server.port);
    const sourceUrl = new URL(source.readerUrl);
    sourceUrl.port = String(door.port);
    expect(await source.rows({ sourceUrl: sourceUrl.href })).toEqual({ big: 22_000 });
    expect(await inBatch(source, 1)).toEqual(await inSource(source.sql));
    expect(door.waiting.length).toBeGreaterThan(0);
    await expect.poll(() => door.waiting.filter((socket) => !socket.closed)).toEqual([]);
  });
});
