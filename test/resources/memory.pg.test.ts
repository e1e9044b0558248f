/** Memory that does not do: of the process, by its own limit and by the system's; of the warehouse. */

import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { load } from '../../src/load/load.ts';
import { DirectoryLake } from '../../src/local/directory-lake.ts';
import { ingestionEntrySchema, processedEntrySchema } from '../../src/shared/lake/entries.ts';
import { Log } from '../../src/shared/lake/log.ts';
import { saleRow, shopRow, shops } from '../load/shops.ts';
import { freshWarehouse } from '../load/warehouse.ts';
import { expectExact } from '../processes/warehouses.ts';
import { BUNDLE, runMain, runStarling } from '../support/cli.ts';
import { afterwards } from '../support/postgres.ts';
import { skipLoudly } from '../support/skip.ts';
import { freshPlace, type Place, type Template, totesysTemplate } from '../support/totesys.ts';

let template: Template;
beforeAll(async () => {
  template = await totesysTemplate();
  // Builds it, where that is to be done.
  await runStarling(['--version'], { cwd: '/', measured: false });
});

/** A source of which a batch takes more memory to transform than to read, since its mirrors are held whole. */
async function heavyPlace(): Promise<Place> {
  const place = await freshPlace(template);
  await place.source.query("update address set district = repeat('x', 60000000 / (select count(*)::int from address))");
  return place;
}

/** Killed in the middle: ingest was through, transform was not. */
async function expectHalfWayAndCarriesOn(place: Place): Promise<void> {
  const [ingestion, processed] = ['ingestion', 'processed'].map((name) => new DirectoryLake(join(place.lake, name)));
  if (!ingestion || !processed) throw new Error('two lakes');
  expect(await new Log(ingestion, ingestionEntrySchema).head()).toBe(1);
  expect(await new Log(processed, processedEntrySchema).head()).toBe(0);
  expect(await runMain(['run'], place.environment)).toMatchObject({ status: 0, stderr: '' });
  expect(await readdir(join(place.lake, 'processed', '.incoming'))).toEqual([]);
  await expectExact(place);
}

/** Where the system lets this account limit a process' memory, or null, loudly. */
function cgroups(): { readonly folder: string; readonly file: string } | null {
  const known = [['/sys/fs/cgroup', 'memory.max'], ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes']] as const;
  for (const [root, file] of known) {
    const folder = join(root, `starling-${randomUUID()}`);
    if (!existsSync(root) || spawnSync('mkdir', [folder]).status !== 0) continue;
    if (existsSync(join(folder, file))) return { folder, file };
    spawnSync('rmdir', [folder]);
  }
  return skipLoudly('the test of a process that the system kills for its memory', 'no control groups, or no right to make one');
}

const group = cgroups();

describe('a process that has not the memory for a batch', { timeout: 180_000 }, () => {
  test('by its own limit ends in the middle, and the next run, which has it, carries on', async () => {
    const place = await heavyPlace();
    const environment = { ...place.environment, NODE_OPTIONS: '--max-old-space-size=48' };
    const { status, stderr } = await runStarling(['run', '--json'], { cwd: place.directory, environment, measured: false });
    expect(status).toBeGreaterThanOrEqual(128);
    expect(stderr).toContain('JavaScript heap out of memory');
    await expectHalfWayAndCarriesOn(place);
  });

  test.runIf(group)("by the system's is killed in the middle, and the next run, which has it, carries on", async () => {
    if (!group) return;
    afterwards(async () => rmdir(group.folder));
    await mkdir(group.folder, { recursive: true });
    await writeFile(join(group.folder, group.file), String(150 * 1024 * 1024));
    const place = await heavyPlace();
    const argv = ['-c', 'echo $$ > "$0"; exec "$@"', join(group.folder, 'cgroup.procs'), process.execPath, BUNDLE, 'run'];
    const env = { PATH: process.env['PATH'] ?? '', ...place.environment };
    const child = spawn('/bin/sh', argv, { cwd: place.directory, env, stdio: 'ignore' });
    await once(child, 'close');
    expect(child.signalCode).toBe('SIGKILL');
    await expectHalfWayAndCarriesOn(place);
  });
});

describe('a warehouse', () => {
  const ROWS = 5_000;
  const LOADED = 'select (select count(*)::int from pipeline.ledger), (select count(*)::int from current_sale)';

  test('with hardly any memory for a statement loads by the disk, and where that is limited says so, and then carries on', async () => {
    const warehouse = await freshWarehouse(shops);
    await warehouse.batch({ dim_shop: [shopRow(1)], fact_sale: [saleRow(1)] });
    const database = warehouse.client.escapeIdentifier(warehouse.client.database ?? '');
    await warehouse.client.query(`alter database ${database} set work_mem = '64kB'; alter database ${database} set temp_file_limit = '64kB'`);
    const note = 'x'.repeat(200);
    await warehouse.processed.commit({ rows: { fact_sale: Array.from({ length: ROWS }, (_, at) => saleRow(at + 2, { note })) } });
    await expect(load(warehouse.context())).rejects.toMatchObject({
      kind: 'warehouse_failed', message: expect.stringContaining('temp_file_limit'), context: { batch: 2, sqlstate: '53400' },
    });
    expect(await warehouse.rows(LOADED)).toEqual([[1, 1]]);
    await warehouse.client.query(`alter database ${database} reset temp_file_limit`);
    await warehouse.load();
    expect(await warehouse.rows(LOADED)).toEqual([[2, ROWS + 1]]);
  });
});
