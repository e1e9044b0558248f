import { beforeAll, describe, expect, test } from 'vitest';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import { int, text } from '../../src/shared/model/column.ts';
import { table } from '../../src/shared/model/table.ts';
import { connectTo } from '../support/postgres.ts';
import { applied, type Harness, harness, sourceServer } from './harness.ts';
import { roleUrl } from './roles.ts';

const item = table('item', { item_id: int().key(), name: text() });
const other = table('other', { other_id: int().key() });

const ITEM = 'create table item (item_id int primary key, name text not null)';
const THREE = `${ITEM}; insert into item values (1, 'one'), (2, 'two'), (3, 'three')`;

async function idsIn(source: Harness, batch: number): Promise<readonly number[]> {
  return (await source.records(batch, 'item')).map((row) => Number(row['item_id'])).toSorted((a, b) => a - b);
}

/** What must hold on every version of PostgreSQL: what changed is read, and all of it. */
export function followsChanges(version: string, binariesDirectory?: string): void {
  describe(`on PostgreSQL ${version}`, () => {
    let server: Cluster;
    beforeAll(async () => {
      server = await sourceServer(binariesDirectory);
    });
    const started = async (): Promise<Harness> => {
      const source = await harness(server, THREE, item);
      expect(await source.rows()).toEqual({ item: 3 });
      return source;
    };

    describe('a batch', () => {
      test('has everything the first time, and empty tables without an object', async () => {
        const source = await harness(server, `${THREE}; create table other (other_id int)`, item, other);
        expect(await source.rows()).toEqual({ item: 3, other: 0 });
        expect(await source.last('item')).toMatchObject({ whole: 'first read', columns: ['item_id', 'name'] });
        expect(await source.last('other')).toMatchObject({ whole: 'first read', rows: 0, parts: [] });
        expect(await source.objects()).toHaveLength(1);
        expect(await source.records(1, 'item')).toContainEqual({ item_id: '2', name: 'two' });
      });

      test('is not made where nothing changed: no entry and no object', async () => {
        const source = await started();
        for (let look = 1; look <= 3; look += 1) {
          expect(await source.rows()).toBeNull();
          // A transaction that is none of ours moves the snapshot on.
          await source.sql.query('create table if not exists elsewhere (); select pg_current_xact_id()');
        }
        expect([await source.entries(), await source.objects()]).toMatchObject([{ length: 1 }, { length: 1 }]);
        expect(source.events.at(-1)).toEqual({ event: 'nothing_new', stage: 'ingest', batch: 1 });
      });

      test('has inserted and updated rows, and not those that were left alone or deleted', async () => {
        const source = await started();
        await source.sql.query(`update item set name = 'TWO' where item_id = 2; insert into item values (4, 'four')`);
        await source.sql.query('delete from item where item_id = 3');
        expect(await source.rows()).toEqual({ item: 2 });
        expect(await source.records(2, 'item')).toEqual([
          { item_id: '2', name: 'TWO' }, { item_id: '4', name: 'four' },
        ]);
        await source.sql.query('delete from item where item_id = 4');
        expect(await source.rows()).toBeNull();
      });

      test('has a row again that was written without being changed', async () => {
        const source = await started();
        await source.sql.query('update item set name = name where item_id = 1');
        expect(await source.rows()).toEqual({ item: 1 });
      });

      test('has nothing of what was rolled back', async () => {
        const source = await started();
        await source.sql.query(`begin; insert into item values (9, 'no'); update item set name = 'no'; rollback`);
        expect(await source.rows()).toBeNull();
      });
    });

    describe('a transaction that commits after a batch that it began before', () => {
      test('is in the next one', async () => {
        const source = await started();
        const late = await connectTo(source.url);
        await late.query(`begin; insert into item values (10, 'late')`);
        await late.query(`update item set name = 'LATE' where item_id = 1`);
        await source.sql.query(`insert into item values (11, 'in time')`);
        expect(await source.rows()).toEqual({ item: 1 });
        await late.query('commit');
        await source.rows();
        expect(await idsIn(source, 3)).toEqual([1, 10, 11]);
        expect(await source.rows()).toBeNull();
      });

      test('counts from its first write, not from its begin', async () => {
        const source = await started();
        const late = await connectTo(source.url);
        await late.query('begin; select from item');
        await source.sql.query(`insert into item values (11, 'in time')`);
        expect(await source.rows()).toEqual({ item: 1 });
        await late.query(`insert into item values (10, 'late'); commit`);
        await source.rows();
        expect(await idsIn(source, 3)).toEqual([10]);
      });

      test('is in it with all of its savepoints', async () => {
        const source = await started();
        const late = await connectTo(source.url);
        await late.query(`begin; insert into item values (10, 'outside')`);
        await late.query(`savepoint a; insert into item values (12, 'a')`);
        await source.sql.query(`insert into item values (11, 'in time')`);
        expect(await source.rows()).toEqual({ item: 1 });
        await late.query(`savepoint b; insert into item values (13, 'b'); rollback to b; savepoint c`);
        await late.query(`update item set name = 'c' where item_id = 2; release c; release a; commit`);
        await source.rows();
        expect(await idsIn(source, 3)).toEqual([2, 10, 11, 12]);
      });

      test('is in it with what exception blocks wrote, more of them than a snapshot has room for', async () => {
        const source = await started();
        const late = await connectTo(source.url);
        await late.query('begin');
        await late.query(blocks(100, 199));
        await source.sql.query(`insert into item values (11, 'in time')`);
        expect(await source.rows()).toEqual({ item: 1 });
        await late.query(blocks(200, 299));
        await late.query('commit');
        await source.rows();
        const odd = Array.from({ length: 200 }, (_, at) => 100 + at).filter((id) => id % 2 === 1);
        expect(await idsIn(source, 3)).toEqual([11, ...odd]);
      });

      test('is in it also when it was prepared, and its session is gone', async () => {
        const source = await started();
        const late = await connectTo(source.url);
        const name = `late_${process.pid}`;
        await late.query(`begin; insert into item values (10, 'late'); prepare transaction '${name}'`);
        await late.end();
        await source.sql.query(`insert into item values (11, 'in time')`);
        expect(await source.rows()).toEqual({ item: 1 });
        await source.sql.query(`commit prepared '${name}'`);
        await source.rows();
        expect(await idsIn(source, 3)).toEqual([10, 11]);
      });
    });

    describe('maintenance', () => {
      test('that freezes rows makes no changes, and hides none', async () => {
        const source = await started();
        await source.sql.query(`insert into item values (4, 'four')`);
        await source.sql.query('vacuum (freeze) item');
        await source.rows();
        expect(await idsIn(source, 2)).toEqual([4]);
        await source.sql.query('vacuum (freeze) item');
        expect(await source.rows()).toBeNull();
      });

      test.each(['vacuum full item', 'cluster item using item_pkey'])('by %s loses nothing', async (rewrite) => {
        const source = await started();
        await source.sql.query(`update item set name = 'TWO' where item_id = 2`);
        await source.sql.query(rewrite);
        await source.rows();
        expect(await idsIn(source, 2)).toContain(2);
        expect((await applied(source, 'item', 'item_id')).get('2')).toEqual({ item_id: '2', name: 'TWO' });
      });

      test('that empties a table and fills it again is read, also where it is filled with frozen rows', async () => {
        const source = await started();
        const frozen = `copy item from program 'echo 5,five' (format csv, freeze)`;
        await source.sql.query(`begin; truncate item; ${frozen}; commit`);
        await source.rows();
        expect(await idsIn(source, 2)).toEqual([5]);
        await source.sql.query('truncate item');
        expect(await source.rows()).toBeNull();
        await source.sql.query(`insert into item values (1, 'one again')`);
        await source.rows();
        expect(await idsIn(source, 3)).toEqual([1]);
      });
    });

    test('a user that may only read the tables can follow them', async () => {
      const source = await started();
      const sourceUrl = await roleUrl(source, 'grant select on item to');
      expect(await source.rows({ sourceUrl })).toBeNull();
      await source.sql.query(`insert into item values (4, 'four')`);
      expect(await source.rows({ sourceUrl })).toEqual({ item: 1 });
    });

    test('a user that may only read some columns is told what is missing', async () => {
      const source = await started();
      const sourceUrl = await roleUrl(source, 'grant select (item_id, name) on item to');
      await expect(source.ingest({ sourceUrl })).rejects.toMatchObject({
        kind: 'source_denied',
        context: { table: 'item' },
        message: expect.stringContaining('SELECT on the whole table'),
      });
    });

    test('a partition that was changed while it was detached is read when it is back', async () => {
      const source = await harness(server, PARTITIONED, item);
      await source.rows();
      await source.sql.query(`alter table item detach partition low; insert into low values (3, 'apart')`);
      await source.sql.query(`insert into item values (101, 'high')`);
      await source.rows();
      await source.sql.query('alter table item attach partition low for values from (0) to (100)');
      await source.rows();
      expect([await idsIn(source, 2), await idsIn(source, 3)]).toEqual([[101], [1, 3]]);
    });
  });
}

const PARTITIONED = `
  create table item (item_id int primary key, name text not null) partition by range (item_id);
  create table low partition of item for values from (0) to (100);
  create table high partition of item for values from (100) to (200);
  insert into item values (1, 'low'), (100, 'high')`;

/** A subtransaction each; those with an even number fail and leave nothing. */
function blocks(from: number, to: number): string {
  return `do $$ begin
    for id in ${from}..${to} loop
      begin
        insert into public.item values (id, 'block');
        if id % 2 = 0 then raise division_by_zero; end if;
      exception when division_by_zero then null;
      end;
    end loop;
  end $$`;
}
