import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import { int, text } from '../../src/shared/model/column.ts';
import { table } from '../../src/shared/model/table.ts';
import { connectTo } from '../support/postgres.ts';
import { follow, harness, type Harness, sourceServer, warnings } from './harness.ts';
import { machine, SERVERS } from './machine.ts';

const item = table('item', { item_id: int().key(), name: text() });
const ITEM = 'create table item (item_id int primary key, name text not null)';
const MONDAY = `insert into item values (1, 'one'), (2, 'two'), (3, 'three')`;

async function ids(source: Harness): Promise<readonly string[]> {
  const { batch } = (await source.entries()).at(-1) ?? { batch: 0 };
  return (await source.records(batch, 'item')).map((row) => row['item_id'] ?? '').toSorted();
}

describe("the dump of an earlier day, restored over the source's tables", () => {
  let server: Cluster;
  beforeAll(async () => {
    server = await sourceServer();
  });
  const tuesday = async (): Promise<Harness> => {
    const source = await harness(server, `${ITEM}; ${MONDAY}`, item);
    await source.rows();
    await source.sql.query(`update item set name = 'TWO' where item_id = 2; insert into item values (4, 'four')`);
    expect(await source.rows()).toEqual({ item: 2 });
    return source;
  };

  test.each([
    ['that drops and makes them anew is read whole, and said so', `drop table item; ${ITEM}; ${MONDAY}`, 1],
    ['that drops the schema too is', 'drop schema public cascade; create schema public; grant usage on schema public to public;'
      + `${ITEM}; ${MONDAY}; grant select on item to public`, 1],
    ['that brings data alone is read as any other change', `begin; truncate item; ${MONDAY}; commit`, 0],
    ['that deletes row by row is read as any other change', `begin; delete from item; ${MONDAY}; commit`, 0],
  ])('%s', async (_which, restore, told) => {
    const source = await tuesday();
    await source.sql.query(restore);
    expect(await source.rows()).toEqual({ item: 3 });
    expect(await source.records(3, 'item')).toContainEqual({ item_id: '2', name: 'two' });
    expect(warnings(source)).toHaveLength(told);
    expect(await source.rows()).toBeNull();
  });
});

describe.each(SERVERS)('on PostgreSQL %s', (_version, binariesDirectory) => {
  test('a source that is recovered from its archive up to an earlier moment is read whole, and said so', async () => {
    const archive = 'test -d archive || mkdir archive; cp "%p" "archive/%f"';
    const own = await machine({ binariesDirectory, settings: { archive_mode: 'on', archive_command: archive, wal_level: 'replica' } });
    const setUp = await connectTo(await own.start());
    await setUp.query(ITEM);
    await setUp.end();
    await own.stop();
    const backup = await own.copied();
    const url = await own.start();
    const source = await follow(url, await connectTo(url), [item]);
    await source.sql.query(MONDAY);
    await source.sql.query(`select pg_create_restore_point('monday'), pg_switch_wal()`);
    await source.sql.query(`update item set name = 'TWO' where item_id = 2; insert into item values (4, 'four')`);
    expect(await source.rows()).toEqual({ item: 4 });
    await source.sql.end();
    const data = await own.stop();
    await backup.startRecovered(own.port, {
      restore_command: `cp "${join(data, 'archive')}/%f" "%p"`, recovery_target_name: 'monday', recovery_target_action: 'promote',
    });
    const sql = await connectTo(url);
    await sql.query(`insert into item values (5, 'five')`);
    expect(await source.rows()).toEqual({ item: 4 });
    expect(await ids(source)).toEqual(['1', '2', '3', '5']);
    expect(warnings(source)).toEqual(["item is read whole: the source's timeline is not what it was"]);
    expect(await source.rows()).toBeNull();
  });
});
