/** A disk under the warehouse that is full: a real one, for its tables, and for its log. */

import { spawnSync } from 'node:child_process';
import { chown, cp, mkdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { load } from '../../src/load/load.ts';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import { saleRow, shopRow, shops } from '../load/shops.ts';
import { freshWarehouse, type Warehouse } from '../load/warehouse.ts';
import { connectTo, ownServer, temporaryDirectory } from '../support/postgres.ts';
import { canMount, smallDisk } from '../support/small-disk.ts';

const mayMount = canMount("all tests of a warehouse's disk that is full");

const ROWS = 20_000;
const LOADED = 'select (select count(*)::int from pipeline.ledger), (select count(*)::int from fact_sale), (select count(*)::int from current_sale)';

/** A batch of some 20 MB in the warehouse. */
async function commitLarge({ processed }: Warehouse): Promise<void> {
  const note = 'x'.repeat(500);
  const fact_sale = Array.from({ length: ROWS }, (_, at) => saleRow(at + 2, { note }));
  await processed.commit({ rows: { fact_sale } });
}

async function dataOf(server: Cluster): Promise<string> {
  const client = await connectTo(server.superuserUrl('postgres'));
  const { rows } = await client.query<{ data_directory: string }>('show data_directory');
  await client.end();
  return rows[0]?.data_directory ?? '';
}

/** Makes a folder that belongs to the server's account. */
async function folderFor(server: Cluster, folder: string): Promise<void> {
  await mkdir(folder, { mode: 0o700 });
  const { uid, gid } = await stat(await dataOf(server));
  await chown(folder, uid, gid);
}

describe.runIf(mayMount)('a disk that is full', () => {
  test("under the warehouse's tables is warehouse_full, nothing of the batch is loaded, and the next load does it all", async () => {
    const [server, disk] = [await ownServer(), await smallDisk(160)];
    const folder = join(disk.directory, 'tables');
    await folderFor(server, folder);
    const admin = await connectTo(server.superuserUrl('postgres'));
    await admin.query(`create tablespace small location '${folder}'`);
    await admin.query('create database warehouse tablespace small');
    const warehouse = await freshWarehouse(shops, { url: server.superuserUrl('warehouse'), server });
    await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: [saleRow(1)] });
    await commitLarge(warehouse);
    await disk.fill(2_000_000);
    for (let run = 1; run <= 2; run += 1) {
      await expect(load(warehouse.context())).rejects.toMatchObject({
        kind: 'warehouse_full', message: expect.stringMatching(/No space left on device/), context: { stage: 'load', batch: 2, sqlstate: '53100' },
      });
      expect(await warehouse.rows(LOADED)).toEqual([[1, 1, 1]]);
    }
    await disk.free();
    await warehouse.load();
    expect(await warehouse.rows(LOADED)).toEqual([[2, ROWS + 1, ROWS + 1]]);
  });

  test("under the server's log stops the server: warehouse_unreachable, nothing half loaded, and once it is up again the next load does it all", async () => {
    const directory = join(await temporaryDirectory(), 'postgres');
    // No checkpoint that would give a segment of the log back in the meantime.
    const options = { directory, settings: { max_wal_size: '1GB', checkpoint_timeout: '1h', wal_recycle: 'off', autovacuum: 'off' } };
    const first = await ownServer(options);
    const data = await dataOf(first);
    const disk = await smallDisk(64);
    await folderFor(first, join(disk.directory, 'pg_wal'));
    await first.stop();
    await cp(join(data, 'pg_wal'), join(disk.directory, 'pg_wal'), { recursive: true, preserveTimestamps: true });
    spawnSync('chown', ['-R', `--reference=${data}`, join(disk.directory, 'pg_wal')]);
    await rm(join(data, 'pg_wal'), { recursive: true });
    await symlink(join(disk.directory, 'pg_wal'), join(data, 'pg_wal'));
    const server = await ownServer(options);
    const url = server.superuserUrl('postgres');
    const warehouse = await freshWarehouse(shops, { url, server });
    await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: [saleRow(1)] });
    await commitLarge(warehouse);
    await disk.fill();
    await expect(load(warehouse.context())).rejects.toMatchObject({ kind: 'warehouse_unreachable', context: { stage: 'load', batch: 2 } });
    await expect(load(warehouse.context())).rejects.toMatchObject({ kind: 'warehouse_unreachable' });
    expect(await readFile(server.logPath, 'utf8')).toContain('PANIC:');
    await disk.free();
    const again = await ownServer(options);
    const client = await connectTo(again.superuserUrl('postgres'));
    const loaded = async () => (await client.query<unknown[]>({ text: LOADED, rowMode: 'array' })).rows;
    expect(await loaded()).toEqual([[1, 1, 1]]);
    await load(warehouse.context({ warehouseUrl: again.superuserUrl('postgres') }));
    expect(await loaded()).toEqual([[2, ROWS + 1, ROWS + 1]]);
  }, 180_000);
});
