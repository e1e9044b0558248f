import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventsOf, type Ran, runMain } from '../support/cli.ts';
import { freshPlace, type Place, quietTemplate, rowsOf, type Template } from '../support/totesys.ts';

let template: Template;
beforeAll(async () => {
  template = await quietTemplate();
});

let place: Place;
beforeEach(async () => {
  place = await freshPlace(template);
  await starling('run');
});

async function command(...argv: readonly string[]): Promise<Ran> {
  return runMain(argv, place.environment);
}

async function starling(...argv: readonly string[]): Promise<void> {
  expect(await command(...argv)).toMatchObject({ status: 0 });
}

async function change(): Promise<void> {
  await place.source.query(`
    update sales_order set units_sold = units_sold + 1 where sales_order_id <= 3;
    update design set design_name = 'Changed' where design_id = 1`);
}

/** The file of a table that batch 2 brought. */
async function objectOf(bucket: string, table: string): Promise<string> {
  const directory = join(place.lake, bucket, 'data', table, '2'.padStart(20, '0'));
  const names = await readdir(directory, { recursive: true });
  return join(directory, names.find((name) => /\.(csv|parquet)$/.test(name)) ?? '');
}

async function skipped(batch: number): Promise<readonly (readonly string[])[]> {
  return rowsOf(place.warehouse, `
    select key, value ->> 'skipped' from pipeline.ledger, jsonb_each(counts)
    where batch_id = ${batch} and value ? 'skipped' order by key`);
}

const DESIGN = 'select design_name from dim_design where design_id = 1';
const VERSIONS = 'select count(*) from fact_sales_order where sales_order_id = 1';

describe('a batch that cannot be used', () => {
  test('because an object of a source table is gone goes on without it, and a whole read brings it back', async () => {
    await change();
    await starling('ingest');
    await rm(await objectOf('ingestion', 'sales_order'));
    expect(await command('run')).toMatchObject({ status: 1, stderr: expect.stringContaining('data/sales_order/') });
    const asked = await command('skip', '2', '--table', 'sales_order', '--json');
    expect(asked).toMatchObject({ status: 0, stderr: '' });
    expect(eventsOf(asked.stdout)).toEqual([{ event: 'skip', batch: 2, table: 'sales_order', before: false }]);
    const after = await command('run');
    expect(after).toMatchObject({ status: 0, stderr: expect.stringContaining('sales_order is skipped, as was asked for: 3 rows') });
    expect(await skipped(2)).toEqual([['sales_order', '3']]);
    expect(await rowsOf(place.warehouse, DESIGN)).toEqual([['Changed']]);
    expect((await command('compare')).status).toBe(1);
    await starling('run', '--whole');
    await starling('compare');
    expect(await rowsOf(place.warehouse, VERSIONS)).toEqual([['2']]);
  });

  test('because a key is there twice goes on without the fact', async () => {
    await place.source.query(`
      alter table sales_order drop constraint sales_order_pkey cascade;
      insert into sales_order select * from sales_order where sales_order_id = 2`);
    await change();
    expect(await command('run')).toMatchObject({ status: 1, stderr: expect.stringContaining('key_not_unique') });
    await starling('skip', '2', '--table', 'fact_sales_order');
    expect(await command('run')).toMatchObject({ status: 0, stderr: expect.stringContaining('fact_sales_order is skipped') });
    expect(await skipped(2)).toEqual([['fact_sales_order', '4']]);
    expect(await rowsOf(place.warehouse, DESIGN)).toEqual([['Changed']]);
    await place.source.query(`
      delete from sales_order a using sales_order b
      where a.sales_order_id = b.sales_order_id and a.ctid < b.ctid`);
    await starling('run', '--whole');
    await starling('compare');
  });

  test.each(['dim_design', 'design'])('because of a dimension goes on without %s, which the next batch makes whole', async (table) => {
    await change();
    await starling('ingest');
    await starling('transform');
    await writeFile(await objectOf('processed', 'dim_design'), 'not Parquet');
    expect(await command('run')).toMatchObject({ status: 1, stderr: expect.stringContaining('lake_corrupt') });
    await starling('skip', '2', '--table', table);
    await starling('run');
    expect(await skipped(2)).toEqual([['dim_design', '1']]);
    expect(await rowsOf(place.warehouse, DESIGN)).not.toEqual([['Changed']]);
    expect(await rowsOf(place.warehouse, VERSIONS)).toEqual([['2']]);
    await place.source.query('update sales_order set units_sold = units_sold + 1 where sales_order_id = 9');
    await starling('run');
    await starling('compare');
    expect(await rowsOf(place.warehouse, DESIGN)).toEqual([['Changed']]);
  });

  test('can be told before transform has come to it to do without a dimension, or a fact', async () => {
    await change();
    await starling('ingest');
    await starling('skip', '2', '--table', 'dim_design');
    await starling('skip', '2', '--table', 'fact_sales_order');
    await starling('run');
    expect(await skipped(2)).toEqual([['dim_design', '1'], ['fact_sales_order', '3']]);
    expect(await rowsOf(place.warehouse, DESIGN)).not.toEqual([['Changed']]);
    expect(await rowsOf(place.warehouse, VERSIONS)).toEqual([['1']]);
    await starling('run', '--whole');
    await starling('compare');
  });
});

function refused(message: string): object {
  return { status: 1, stderr: expect.stringContaining(`${message}. Nothing was changed`) };
}

/** Two rows of one key that both do not fit. */
async function rejectedTwice(): Promise<void> {
  await place.source.query(`
    alter table sales_order drop constraint sales_order_pkey cascade;
    insert into sales_order select * from sales_order where sales_order_id = 2;
    update sales_order set unit_price = 1.005 where sales_order_id = 2`);
}

describe('a skip', () => {
  test.each(['fact_sales_order', 'sales_order', 'quarantine'])('of %s leaves out the rows that were rejected, too', async (table) => {
    await rejectedTwice();
    expect(await command('run')).toMatchObject({ status: 1, stderr: expect.stringContaining('key_not_unique') });
    await starling('skip', '2', '--table', table);
    await starling('run');
    expect(await skipped(2)).toEqual([[table === 'quarantine' ? table : 'fact_sales_order', '2']]);
    expect(await rowsOf(place.warehouse, 'select from pipeline.quarantine')).toEqual([]);
  });

  test('is of the batch as it was read: one that is taken back and read again comes whole', async () => {
    await change();
    await starling('ingest');
    await starling('skip', '2', '--table', 'sales_order');
    await rm(join(place.lake, 'ingestion', 'log', `${'2'.padStart(20, '0')}.json`));
    await starling('run');
    expect(await skipped(2)).toEqual([]);
    await starling('compare');
  });

  test('has the processed bucket rebuilt as it was: what is skipped behind transform is still in the mirrors', async () => {
    await place.source.query(`update staff set first_name = 'Renamed' where staff_id = 1`);
    await starling('ingest');
    await starling('transform');
    await starling('skip', '2', '--table', 'staff');
    await place.source.query('update sales_order set units_sold = units_sold + 1 where sales_order_id = 9');
    await starling('run');
    await starling('compare');
    await rm(join(place.lake, 'processed', 'log'), { recursive: true });
    await starling('transform');
    await place.source.query(`update department set department_name = department_name || '!'`);
    await starling('run');
    expect((await command('compare')).status).toBe(0);
  });

  test('waits for whoever is loading, and says so when that takes too long', async () => {
    await change();
    await starling('ingest');
    await place.warehouse.query(`begin; lock table pipeline.ledger in row exclusive mode`);
    const asked = await command('skip', '2', '--table', 'sales_order');
    await place.warehouse.query('rollback');
    expect(asked).toMatchObject({ status: 1, stderr: expect.stringContaining('warehouse_locked') });
    await starling('run');
    expect(await skipped(2)).toEqual([]);
  });
});

describe('skip is refused', () => {
  test('where there is nothing to skip', async () => {
    expect(await command('skip', '2', '--table', 'design')).toMatchObject(refused('there is no batch 2 yet'));
    expect(await command('skip', '1', '--table', 'design')).toMatchObject(refused('batch 1 is loaded already'));
    await change();
    await starling('ingest');
    expect(await command('skip', '2', '--table', 'staff')).toMatchObject(refused('batch 2 brings nothing of staff'));
    await starling('transform');
    expect(await command('skip', '2', '--table', 'staff')).toMatchObject(refused('batch 2 brings nothing that shows staff'));
    await starling('run');
    await starling('compare');
  });

  test.each([
    ['2', 'nothing_of_the_kind', "there is no table 'nothing_of_the_kind' in the model; there are: address,"],
    ['two', 'design', 'skip takes the number of a batch'],
    ['0', 'design', 'skip takes the number of a batch'],
  ])('of batch %s and table %s as wrong usage', async (batch, table, message) => {
    expect(await command('skip', batch, '--table', table)).toMatchObject({ status: 2, stderr: expect.stringContaining(message) });
  });

  test('without a table as wrong usage', async () => {
    expect(await command('skip', '2')).toMatchObject({ status: 2, stderr: expect.stringContaining('--table') });
  });
});

test('asking twice is the same as once', async () => {
  await change();
  await starling('ingest');
  await starling('skip', '2', '--table', 'sales_order');
  const again = await command('skip', '2', '--table', 'sales_order');
  expect(again).toMatchObject({ status: 0, stdout: expect.stringContaining('as was asked for before') });
});
