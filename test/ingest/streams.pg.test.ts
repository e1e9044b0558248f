import { randomUUID } from 'node:crypto';
import { once as listening } from 'node:events';
import { connect as dial, createServer, type Socket } from 'node:net';
import type { Client } from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { SOURCE_SETTINGS } from '../../src/ingest/session.ts';
import { copyByStreams } from '../../src/ingest/streams.ts';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import type { Lake } from '../../src/shared/lake/lake.ts';
import { int, text } from '../../src/shared/model/column.ts';
import { table } from '../../src/shared/model/table.ts';
import { close, connect } from '../../src/shared/postgres/client.ts';
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

/** A few pages, and 20 MB beside them. */
const OUT_OF_LINE = `
  create table big (id int primary key, name text not null);
  alter table big alter name set storage external;
  insert into big select id, repeat(md5(id::text), 640) from generate_series(1, 1000) as id`;

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

/**
 * In front of a server, like a pooler that has one connection to it: the first comes through, the others wait.
 * @param until What the others may send: from there on they wait.
 */
async function narrowDoor(
  target: number,
  until?: string,
): Promise<{ readonly port: number; readonly waiting: readonly Socket[] }> {
  const waiting: Socket[] = [];
  let isFirst = true;
  const door = createServer((client) => {
    client.on('error', () => undefined);
    const server = isFirst || until !== undefined ? dial(target, '127.0.0.1').on('error', () => undefined) : null;
    if (!isFirst) waiting.push(client);
    if (isFirst) client.pipe(server ?? client);
    else client.on('data', (bytes) => (until !== undefined && !bytes.includes(until) ? server?.write(bytes) : undefined));
    client.on('close', () => server?.end());
    server?.pipe(client);
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

/** When a session asked for nothing the last time. */
const LOOKED_UP = `
  select state_change::text as at from pg_stat_activity
  where pid = $1 and state = 'idle in transaction' and query = 'select'`;

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

  test.runIf(canShare)('is read by one where no snapshot may be shown to others, and nobody is told', async () => {
    const source = await harness(server, BIG, big);
    await source.sql.query('revoke execute on function pg_catalog.pg_export_snapshot() from public');
    expect(await source.rows()).toEqual({ big: 22_000 });
    expect(await inBatch(source, 1)).toEqual(await inSource(source.sql));
    expect(source.events.map(({ event }) => event)).toEqual(['table', 'batch']);
  });

  test.runIf(canShare)('is shared by what it takes with all that lies out of line', async () => {
    const source = await harness(server, OUT_OF_LINE, big);
    const ingestion = together(source.lake);
    expect(await source.rows({ ingestion })).toEqual({ big: 1000 });
    expect(await inBatch(source, 1)).toEqual(await inSource(source.sql));
    expect((await source.last('big')).parts.length).toBeGreaterThan(1);
  });

  test.runIf(canShare)('keeps the connection of its batch awake while others read the last of it', async () => {
    const source = await harness(server, BIG, big);
    const connectMore = async () => connect('source', source.readerUrl, SOURCE_SETTINGS);
    const client = await connectMore();
    afterwards(async () => close(client));
    await client.query('begin isolation level repeatable read read only; lock table public.big in access share mode');
    const { rows: [own] } = await client.query<{ pid: string }>('select pg_backend_pid() as pid');
    const lookUps = new Set<unknown>();
    const lookedUp = async (): Promise<number> => {
      const { rows } = await source.sql.query<{ at: string }>(LOOKED_UP, [own?.pid]);
      for (const { at } of rows) lookUps.add(at);
      return lookUps.size;
    };
    let isShared = false;
    // The first slice is the batch's own. It is kept until another one is at the second, and that until the first waits.
    const lake = lakeThat(source.lake, async (key) => {
      isShared ||= key.endsWith('/part-1.csv');
      const isTime = key.endsWith('/part-0.csv') ? async () => isShared : async () => (await lookedUp()) > 2;
      await expect.poll(isTime, { timeout: 60_000 }).toBe(true);
    });
    const input = { client, connectMore, lake, schema: 'public', batch: 1, attempt: randomUUID() };
    const { parts } = await copyByStreams(input, big.spec, [{ from: 0, to: 1000 }, { from: 1000, to: null }], 20);
    expect(parts.reduce((rows, part) => rows + part.rows, 0)).toBe(22_000);
    expect((await client.query('select 1 as one')).rowCount).toBe(1);
  }, 90_000);

  test.runIf(canShare).each([
    ['before they are let in', undefined],
    ['when they have come in', 'begin isolation'],
    ['when they ask for the lock', 'lock table'],
    ['when they look at the snapshot', 'set transaction snapshot'],
  ])('is read by one where the others are kept waiting %s, and they are not waited for', async (_when, until) => {
    const source = await harness(server, BIG, big);
    const door = await narrowDoor(server.port, until);
    const sourceUrl = new URL(source.readerUrl);
    sourceUrl.port = String(door.port);
    expect(await source.rows({ sourceUrl: sourceUrl.href })).toEqual({ big: 22_000 });
    expect(await inBatch(source, 1)).toEqual(await inSource(source.sql));
    expect(door.waiting.length).toBeGreaterThan(0);
    await expect.poll(() => door.waiting.filter((socket) => !socket.closed)).toEqual([]);
  });
});
