import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { freePort } from '../../src/local/postgres/port.ts';
import { int, text } from '../../src/shared/model/column.ts';
import { table } from '../../src/shared/model/table.ts';
import { connectTo } from '../support/postgres.ts';
import { follow, type Harness, warnings } from './harness.ts';
import { type Machine, machine, SERVERS } from './machine.ts';

const item = table('item', { item_id: int().key(), name: text() });
const THREE = `create table item (item_id int primary key, name text not null);
  insert into item values (1, 'one'), (2, 'two'), (3, 'three')`;

/** Each by a transaction of its own. */
async function insert(sql: Client, from: number, to: number): Promise<void> {
  for (let id = from; id <= to; id += 1) await sql.query(`insert into item values (${id}, 'new')`);
}

async function seen(sql: Client, id: number): Promise<void> {
  for (;;) {
    const { rowCount } = await sql.query('select from item where item_id = $1', [id]);
    if (rowCount === 1) return;
    await sleep(20);
  }
}

type Standby = (primary: Machine, url: string) => Promise<Machine>;

const copied: Standby = async (primary) => {
  await primary.stop();
  const standby = await primary.copied();
  await primary.start();
  return standby;
};
const backedUp: Standby = async (primary, url) => primary.backedUp(url);

/** A primary that is followed, and a standby that streams from it until it has the fourth row, and no longer. */
async function pair(binariesDirectory: string | undefined, make: Standby) {
  const primary = await machine({ binariesDirectory });
  const url = await primary.start();
  const before = await connectTo(url);
  await before.query(THREE);
  const standby = await make(primary, url);
  const standbyUrl = await standby.startAsStandby(url, await freePort());
  const sql = await connectTo(url);
  await insert(sql, 4, 4);
  const reader = await connectTo(standbyUrl);
  await seen(reader, 4);
  return { primary, standby, url, sql, standbyUrl, reader };
}

async function idsOfLast(source: Harness): Promise<readonly number[]> {
  const { batch } = (await source.entries()).at(-1) ?? { batch: 0 };
  return (await source.records(batch, 'item')).map((row) => Number(row['item_id'])).toSorted((a, b) => a - b);
}

describe.each(SERVERS)('on PostgreSQL %s', (version, binariesDirectory) => {
  // It does not come with Starling.
  const hasBackup = binariesDirectory !== undefined && existsSync(join(binariesDirectory, 'pg_basebackup'));
  const ways: readonly (readonly [string, Standby])[] = [
    ['a cold copy', copied], ...(hasBackup ? [['pg_basebackup', backedUp] as const] : []),
  ];
  describe.each(ways)('a standby made from %s', (_way, make) => {
    test('that lags and is promoted in the place of its primary is read whole, and said so', async () => {
      const { primary, standby, url, sql } = await pair(binariesDirectory, make);
      await standby.stop();
      const source = await follow(url, sql, [item]);
      await insert(sql, 10, 14);
      expect(await source.rows()).toEqual({ item: 9 });
      await primary.stop('immediate');
      await standby.startAsStandby(url, primary.port);
      const promoted = await connectTo(url);
      await promoted.query('select pg_promote()');
      // The ids of five transactions that the batch has seen, and of five more.
      await insert(promoted, 20, 29);
      expect(await source.rows()).toEqual({ item: 14 });
      expect(await idsOfLast(source)).toEqual([1, 2, 3, 4, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
      expect(warnings(source)).toEqual(["item is read whole: the source's timeline is not what it was"]);
      expect((await source.entries()).map((entry) => entry.source.timeline)).toEqual(['00000001', '00000002']);
      expect(await source.rows()).toBeNull();
    });
  });

  test('a standby can be followed, also over its restart, and is read whole once it is promoted', async () => {
    const { primary, standby, sql, standbyUrl, reader } = await pair(binariesDirectory, copied);
    const source = await follow(standbyUrl, reader, [item]);
    expect(await source.rows()).toEqual({ item: 4 });
    expect((await source.entries())[0]).toMatchObject({ lsn: null, source: { timeline: null, in_recovery: true } });
    await insert(sql, 10, 11);
    await seen(reader, 11);
    expect(await source.rows()).toEqual({ item: 2 });
    await standby.stop();
    await standby.startAsStandby(primaryUrl(standbyUrl, primary), standby.port);
    const again = await connectTo(standbyUrl);
    await insert(sql, 12, 12);
    await seen(again, 12);
    // Before 15 a standby forgets its statistics when it is stopped, which cannot be told from a crash: a superset.
    const forgets = Number.parseInt(version, 10) < 15;
    expect(await source.rows()).toEqual({ item: forgets ? 7 : 1 });
    expect(warnings(source)).toHaveLength(forgets ? 1 : 0);
    await primary.stop('immediate');
    await again.query('select pg_promote()');
    await insert(again, 20, 20);
    expect(await source.rows()).toEqual({ item: 8 });
    expect(warnings(source).at(-1)).toBe("item is read whole: the source's role (primary or standby) is not what it was");
  });
});

test('a source that answers at another address may be another one: it is read whole, and said so', async () => {
  const own = await machine();
  const url = await own.start();
  const source = await follow(url, await connectTo(url), [item]);
  await source.sql.query(THREE);
  expect(await source.rows()).toEqual({ item: 3 });
  await own.stop();
  const sourceUrl = await own.start(await freePort());
  expect(await source.rows({ sourceUrl })).toEqual({ item: 3 });
  expect(warnings(source)).toEqual(["item is read whole: the source's address is not what it was"]);
  expect(await source.rows({ sourceUrl })).toBeNull();
});

function primaryUrl(standbyUrl: string, primary: Machine): string {
  const url = new URL(standbyUrl);
  url.port = String(primary.port);
  return url.href;
}
