import type { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { int, text } from '../../src/shared/model/column.ts';
import { table } from '../../src/shared/model/table.ts';
import { afterwards, connectTo } from '../support/postgres.ts';
import { applied, follow, type Harness, warnings } from './harness.ts';
import { type Machine, machine, SERVERS } from './machine.ts';

const item = table('item', { item_id: int().key(), name: text() });
const THREE = `create table item (item_id int primary key, name text not null);
  insert into item values (1, 'one'), (2, 'two'), (3, 'three')`;

/** Nothing but the WAL writer flushes: the background writer would, before it writes a page. */
const LAZY = { synchronous_commit: 'off', bgwriter_lru_maxpages: 0, checkpoint_timeout: '1h' };

interface Followed {
  readonly own: Machine;
  readonly source: Harness;
}

async function started(binariesDirectory: string | undefined, settings: Record<string, string | number>): Promise<Followed> {
  const own = await machine({ binariesDirectory, settings });
  const url = await own.start();
  const source = await follow(url, await connectTo(url), [item]);
  await source.sql.query(THREE);
  expect(await source.rows()).toEqual({ item: 3 });
  return { own, source };
}

async function ids(sql: Client): Promise<readonly string[]> {
  return (await sql.query<{ id: string }>('select item_id::text as id from item order by item_id')).rows.map(({ id }) => id);
}

describe.each(SERVERS)('on PostgreSQL %s', (_version, binariesDirectory) => {
  test('a source that crashed is read whole, and said so; one that was stopped in order is not', async () => {
    const { own, source } = await started(binariesDirectory, {});
    await own.stop();
    const sql = await connectTo(await own.start());
    await sql.query(`insert into item values (4, 'four')`);
    expect(await source.rows()).toEqual({ item: 1 });
    expect(warnings(source)).toEqual([]);
    await own.stop('immediate');
    await own.start();
    expect(await source.rows()).toEqual({ item: 4 });
    expect(warnings(source)).toEqual([
      "item is read whole: the source's start of statistics (a crash moves it, and a reset by hand) is not what it was",
    ]);
    expect(await source.rows()).toBeNull();
  });

  test('statistics of the server that somebody resets look like a crash; those of tables do not', async () => {
    const { source } = await started(binariesDirectory, {});
    await source.sql.query(`select pg_stat_reset(), pg_stat_reset_single_table_counters('item'::regclass)`);
    await source.sql.query(`insert into item values (4, 'four')`);
    expect(await source.rows()).toEqual({ item: 1 });
    expect(warnings(source)).toEqual([]);
    await source.sql.query(`select pg_stat_reset_shared('archiver')`);
    // Before 15 a collector of statistics hears of it a while later.
    await expect.poll(async () => source.rows(), { timeout: 30_000 }).toEqual({ item: 4 });
    expect(warnings(source)).toHaveLength(1);
    expect(await source.rows()).toBeNull();
  });

  test('what a batch has, a crash does not take away, though commits are not flushed at once', async () => {
    const { own, source } = await started(binariesDirectory, { ...LAZY, wal_writer_delay: '3s' });
    await source.sql.query(`insert into item values (4, 'four'); update item set name = 'TWO' where item_id = 2`);
    expect(await source.rows()).toEqual({ item: 2 });
    await own.stop('immediate');
    const sql = await connectTo(await own.start());
    const read = await applied(source, 'item', 'item_id');
    expect(await ids(sql)).toEqual([...read.keys()].toSorted());
    expect((await sql.query(`select name from item where item_id = 2`)).rows).toEqual([{ name: 'TWO' }]);
  });

  test('a log that is not flushed in time is an error, nothing is committed, and the next run carries on', async () => {
    const { source } = await started(binariesDirectory, { ...LAZY, wal_writer_delay: '100ms' });
    const writer = `select pid from pg_stat_activity where backend_type = 'walwriter'`;
    const pid = Number((await source.sql.query<{ pid: number }>(writer)).rows[0]?.pid);
    process.kill(pid, 'SIGSTOP');
    afterwards(async () => resume(pid));
    await source.sql.query(`insert into item values (4, 'four')`);
    await expect(source.ingest()).rejects.toMatchObject({
      kind: 'source_failed', retry: 'next_run', message: expect.stringContaining('not flushed'),
    });
    expect(await source.entries()).toHaveLength(1);
    resume(pid);
    expect(await source.rows()).toEqual({ item: 1 });
    expect(warnings(source)).toEqual([]);
  });

  test('what an open transaction has written, and nobody flushes, holds nothing up', async () => {
    const { source } = await started(binariesDirectory, { bgwriter_lru_maxpages: 0, wal_writer_delay: '100ms' });
    await source.sql.query(`insert into item values (4, 'four')`);
    const open = await connectTo(source.url);
    await open.query(`begin; insert into item values (5, 'five')`);
    expect(await source.rows()).toEqual({ item: 1 });
    await open.query('commit');
    expect(await source.rows()).toMatchObject({ item: expect.any(Number) });
    expect([...(await applied(source, 'item', 'item_id')).keys()]).toContain('5');
  });
});

/** It may have ended meanwhile. */
function resume(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch {
    // Gone with its server.
  }
}
