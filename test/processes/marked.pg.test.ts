import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { generateTotesys } from '../../src/local/totesys/generate.ts';
import { runStarling } from '../support/cli.ts';
import { connectTo, freshDatabase, temporaryDirectory } from '../support/postgres.ts';

/** In every text of the source, and in numbers and keys that do not fit; in no output of Starling. */
const CELL = 'marked-cell-7f3a';
const NUMBER = '8675309.8675309';
const PASSWORD = 'marked-password-91c2';

/** All that a run writes for people and programs: its output, its logs, its state; not the data itself. */
let written = '';

describe('a run over marked values, with a marked password', () => {
  let source: Client;
  let warehouse: Client;
  let environment: Record<string, string>;
  let cwd = '';
  const role = `marked_${process.pid}`;

  async function starling(...argv: readonly string[]): Promise<number> {
    for (const flags of [['--json'], []]) {
      const { status, stdout, stderr } = await runStarling([...argv, ...flags], { environment, cwd });
      written += stdout + stderr;
      if (flags.length === 0) return status;
    }
    return 0;
  }

  beforeAll(async () => {
    const [sourceUrl, warehouseUrl] = [await freshDatabase(), await freshDatabase()];
    [source, warehouse] = [await connectTo(sourceUrl), await connectTo(warehouseUrl)];
    await generateTotesys(source, { orders: 40, seed: 9 });
    for (const [table, column] of [['staff', 'first_name'], ['design', 'file_name'], ['counterparty', 'commercial_contact'], ['address', 'phone']]) {
      await source.query(`update ${table} set ${column} = '${CELL}'`);
    }
    await source.query(`update sales_order set unit_price = ${NUMBER} where sales_order_id = 3`);
    await source.query(`update sales_order set agreed_payment_date = '${CELL.slice(0, 10)}' where sales_order_id = 4`);
    await source.query(`create role ${role} login password '${PASSWORD}'; grant select on all tables in schema public to ${role}`);
    const url = new URL(sourceUrl);
    [url.username, url.password] = [role, PASSWORD];
    cwd = await temporaryDirectory();
    environment = { SOURCE_URL: url.href, WAREHOUSE_URL: warehouseUrl, LAKE_DIR: join(cwd, 'lake') };
  });

  test('quarantines what does not fit without saying what it was', async () => {
    expect(await starling('run')).toBe(0);
    const { rows } = await warehouse.query('select record_key from pipeline.quarantine order by 1');
    expect(rows).toEqual([{ record_key: '3' }, { record_key: '4' }]);
    expect(await starling('status')).toBe(0);
    expect(written).toContain('quarantine');
  });

  test('fails on a constraint of somebody else without quoting the row', async () => {
    await warehouse.query(`alter table dim_staff add constraint no_marks check (first_name not like '%-2')`);
    await source.query(`update staff set first_name = '${CELL}-2' where staff_id = 1`);
    expect(await starling('run')).toBe(1);
    expect(written).toContain('23514');
    await warehouse.query('alter table dim_staff drop constraint no_marks');
  });

  test('fails on a key that is there twice without quoting it', async () => {
    await source.query('alter table sales_order drop constraint sales_order_pkey cascade');
    // Both in one batch.
    await source.query('insert into sales_order select * from sales_order where sales_order_id = 5');
    await source.query('update sales_order set units_sold = (ctid::text::point)[1]::int where sales_order_id = 5');
    expect(await starling('run')).toBe(1);
    expect(written).toContain('key_not_unique');
  });

  test('fails on a login, a name and a URL without the password', async () => {
    const known = environment['SOURCE_URL'] ?? '';
    for (const SOURCE_URL of [known.replace(PASSWORD, `${PASSWORD}-wrong`), known.replace(/\/[^/]*$/, '/nowhere'), `${known}#${PASSWORD}@x`]) {
      environment = { ...environment, SOURCE_URL };
      expect(await starling('ingest')).toBeGreaterThan(0);
    }
  });

  test('has left no mark in what it wrote', async () => {
    for (const bucket of ['ingestion', 'processed']) {
      const state = join(cwd, 'lake', bucket, 'state');
      for (const name of await readdir(state)) written += await readFile(join(state, name), 'utf8');
    }
    expect(written.length).toBeGreaterThan(5_000);
    expect(written).toContain('source_denied');
    for (const mark of [CELL.slice(0, 10), NUMBER, PASSWORD]) expect(written).not.toContain(mark);
  });
});
