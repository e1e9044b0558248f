import { describe, expect, test } from 'vitest';
import { int, text } from '../../src/shared/model/column.ts';
import { table } from '../../src/shared/model/table.ts';
import { afterwards, connectTo, otherServers } from '../support/postgres.ts';
import { applied, follow, harness, sourceServer } from './harness.ts';
import { machine, SERVERS } from './machine.ts';
import { Divided, Handed, repeatedIn } from './splitting.ts';

const item = table('item', { item_id: int().key(), name: text() });
const THOUSANDS = `create table item (item_id int primary key, name text not null);
  insert into item select id, 'first' from generate_series(1, 20000) id; analyze item`;

/** About ten ranges. */
const RANGE_BYTES = 100_000;

/** Those that read a range of blocks without all that is before and behind it. */
const [NEW, OLD] = [
  SERVERS.filter(([version]) => !(Number(version) < 14)),
  otherServers().filter(({ major }) => major < 14),
];

describe.each(NEW)('on PostgreSQL %s', (_version, binariesDirectory) => {
  test('a large table is read in ranges, and what changes meanwhile by the next batch', async () => {
    const server = await sourceServer(binariesDirectory);
    const batch = new Divided(await harness(server, THOUSANDS, item), new Handed(RANGE_BYTES), item);
    await batch.look();
    const refs = batch.handed.take();
    expect(refs.length).toBeGreaterThan(5);
    for (const ref of refs.slice(1)) expect(await batch.work(ref)).toBe('done');
    const move = `update item set name = 'second' where item_id % 3 = 0; delete from item where item_id % 100 = 1`;
    await batch.source.sql.query(move);
    expect(await Promise.all(refs.slice(0, 1).map(async (ref) => batch.work(ref)))).toEqual(['committed']);
    await batch.source.ingest();
    const rows = await applied(batch.source, 'item', 'item_id');
    const { rows: now } = await batch.source.sql.query<{ id: string; name: string }>('select item_id::text as id, name from item');
    expect(now.filter(({ id, name }) => rows.get(id)?.['name'] !== name)).toEqual([]);
    expect(await repeatedIn(batch, 'item', 'item_id')).toEqual([]);
    // The first batch has the range that was read late without what was written before; the second one has that alone.
    const second = await batch.source.records(2, 'item');
    expect([(await batch.source.last('item')).whole, new Set(second.map(({ name }) => name))]).toEqual([null, new Set(['second'])]);
  });

  test('a range counts only once all that it has seen is flushed: a crash cannot bring back what it found deleted', async () => {
    const lazy = { synchronous_commit: 'off', bgwriter_lru_maxpages: 0, checkpoint_timeout: '1h', wal_writer_delay: '100ms' };
    const own = await machine({ binariesDirectory, settings: lazy });
    const url = await own.start();
    const batch = new Divided(await follow(url, await connectTo(url), [item]), new Handed(RANGE_BYTES), item);
    await batch.source.sql.query(THOUSANDS);
    await batch.look();
    const [first] = batch.handed.take();
    if (!first) throw new Error('nothing was cut');
    const writer = `select pid from pg_stat_activity where backend_type = 'walwriter'`;
    const pid = Number((await batch.source.sql.query<{ pid: number }>(writer)).rows[0]?.pid);
    process.kill(pid, 'SIGSTOP');
    afterwards(async () => void process.kill(pid, 'SIGCONT'));
    await batch.source.sql.query('delete from item where item_id < 10');
    await expect(batch.work(first)).rejects.toMatchObject({
      kind: 'source_failed', context: { stage: 'ingest', batch: 1 }, message: expect.stringContaining('not flushed'),
    });
    expect(await batch.known(1)).toEqual(['plan.json']);
    process.kill(pid, 'SIGCONT');
    expect(await batch.work(first)).toBe('done');
  });

  test('a crash between two ranges makes the plan void', async () => {
    const own = await machine({ binariesDirectory });
    const url = await own.start();
    const batch = new Divided(await follow(url, await connectTo(url), [item]), new Handed(RANGE_BYTES), item);
    await batch.source.sql.query(THOUSANDS);
    await batch.look();
    const [first, second] = batch.handed.take();
    if (!first || !second) throw new Error('nothing was cut');
    expect(await batch.work(first)).toBe('done');
    await own.stop('immediate');
    await own.start();
    expect(await batch.work(second)).toBe('gone');
    expect(batch.warnings()).toEqual([expect.stringMatching(/^item: the source's start of statistics .* is not what it was when its batch was begun$/)]);
    await batch.look();
    expect(batch.handed.take()[0]?.attempt).not.toBe(first.attempt);
  });
});

describe.each(OLD)('on PostgreSQL $major', ({ binariesDirectory }) => {
  test('a large table is read at once: each range would be a scan of all of it', async () => {
    const server = await sourceServer(binariesDirectory);
    const batch = new Divided(await harness(server, THOUSANDS, item), new Handed(RANGE_BYTES), item);
    expect(await batch.look()).toMatchObject({ batches: 1, isUpToDate: true });
    expect([batch.handed.take(), await batch.source.last('item')]).toMatchObject([[], { rows: 20_000 }]);
  });
});
