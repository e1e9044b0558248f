import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { freePort } from '../../src/local/postgres/port.ts';
import { int, text } from '../../src/shared/model/column.ts';
import { table } from '../../src/shared/model/table.ts';
import { connectTo } from '../support/postgres.ts';
import { follow, type Harness } from './harness.ts';
import { changedLake, lakeThat, once } from './lakes.ts';
import { machine, SERVERS } from './machine.ts';

const item = table('item', { item_id: int().key(), name: text() });
const SETUP = `create table item (item_id int primary key, name text not null);
  insert into item select id, 'old' from generate_series(1, 100) id`;

/** Ends readers at once that are in the way of what it replays, and lets the primary vacuum what they may need. */
const IMPATIENT = { max_standby_streaming_delay: 0, hot_standby_feedback: 'off' };

interface Pair {
  readonly primaryUrl: string;
  readonly primary: Client;
  readonly standby: Client;
  readonly source: Harness;
}

async function pair(binariesDirectory: string | undefined): Promise<Pair> {
  const own = await machine({ binariesDirectory, settings: IMPATIENT });
  const url = await own.start();
  const setUp = await connectTo(url);
  await setUp.query(SETUP);
  await setUp.end();
  await own.stop();
  const copy = await own.copied();
  await own.start();
  const standbyUrl = await copy.startAsStandby(url, await freePort());
  const [primary, standby] = [await connectTo(url), await connectTo(standbyUrl)];
  return { primaryUrl: url, primary, standby, source: await follow(standbyUrl, standby, [item]) };
}

/** Until the standby has replayed all that the primary has done. */
async function caughtUp({ primary, standby }: Pair): Promise<void> {
  // A vacuum alone has nothing flushed; this has.
  const { lsn } = (await primary.query<{ lsn: string }>('select pg_switch_wal()::text as lsn')).rows[0] ?? {};
  for (;;) {
    const { rows } = await standby.query<{ done: boolean }>('select pg_last_wal_replay_lsn() >= $1 as done', [lsn]);
    if (rows[0]?.done === true) return;
    await sleep(20);
  }
}

/** Takes away what the standby's readers may still see. */
async function inTheWay(both: Pair, from: number): Promise<void> {
  await both.primary.query(`update item set name = 'new' where item_id between ${from} and ${from + 9}`);
  await both.primary.query('vacuum item');
  await caughtUp(both);
}

const values = async (source: Harness, batch: number) => new Set((await source.records(batch, 'item')).map((row) => row['name']));

describe.each(SERVERS)('a standby on PostgreSQL %s', (_version, binariesDirectory) => {
  test('that ends a look for its replay is looked at again, and all of one snapshot is read', async () => {
    const both = await pair(binariesDirectory);
    const { source } = both;
    const ingestion = lakeThat(source.lake, once(async () => inTheWay(both, 1)));
    expect(await source.ingest({ ingestion })).toMatchObject({ batches: 1, head: 1 });
    expect(await source.records(1, 'item')).toHaveLength(100);
    expect(await values(source, 1)).toEqual(new Set(['old', 'new']));
    expect(source.events.filter(({ event }) => event === 'warning')).toEqual([
      expect.objectContaining({ message: expect.stringMatching(/due to conflict with recovery \(40001\).*looked at again$/) }),
    ]);
    await both.primary.query(`update item set name = 'newer' where item_id <= 2`);
    await caughtUp(both);
    expect(await source.rows()).toEqual({ item: 2 });
  });

  test('that ends each look is an error that says so, nothing is committed, and a quieter run carries on', async () => {
    const both = await pair(binariesDirectory);
    const { source } = both;
    let looks = 0;
    const ingestion = changedLake(source.lake, {
      put: async (key, body) => {
        looks += 1;
        await inTheWay(both, 10 * looks);
        return source.lake.put(key, body);
      },
    });
    await expect(source.ingest({ ingestion })).rejects.toMatchObject({
      kind: 'source_failed', retry: 'next_run', context: { sqlstate: '40001', batch: 1 },
      message: expect.stringContaining('conflict with recovery'),
    });
    expect([looks, await source.entries()]).toEqual([3, []]);
    expect(await source.rows()).toEqual({ item: 100 });
  });

  test('that replays a lock of its primary looks again, and sees the table behind it', async () => {
    const both = await pair(binariesDirectory);
    const { source } = both;
    const truncate = async () => {
      await both.primary.query(`begin; truncate item; insert into item values (7, 'left'); commit`);
      await caughtUp(both);
    };
    await source.ingest({ ingestion: lakeThat(source.lake, once(truncate)) });
    expect(await source.records(1, 'item')).toEqual([{ item_id: '7', name: 'left' }]);
  });

  test('has what its primary commits late in the next look, savepoints and all, though it does not say who is at work', async () => {
    const both = await pair(binariesDirectory);
    const { source, primary } = both;
    await primary.query(`begin; update item set name = 'late' where item_id = 1; savepoint a; update item set name = 'late' where item_id = 2`);
    const other = await connectTo(both.primaryUrl);
    await other.query(`update item set name = 'in time' where item_id = 3`);
    await caughtUp({ ...both, primary: other });
    expect(await source.rows()).toEqual({ item: 100 });
    expect(await values(source, 1)).toEqual(new Set(['old', 'in time']));
    await primary.query('commit');
    await caughtUp(both);
    await source.rows();
    const late = (await source.records(2, 'item')).filter((row) => row['name'] === 'late').map((row) => row['item_id']);
    expect(late).toEqual(['1', '2']);
  });
});
