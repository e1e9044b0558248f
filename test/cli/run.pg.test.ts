import { beforeAll, describe, expect, test } from 'vitest';
import { liveOneDay } from '../../src/local/totesys/day.ts';
import { roleUrl } from '../ingest/roles.ts';
import { type Event, eventsOf, runMain } from '../support/cli.ts';
import { countOf, freshPlace, type Place, quietTemplate, rowsOf, type Template } from '../support/totesys.ts';

let template: Template;
beforeAll(async () => {
  template = await quietTemplate();
});

/** Runs a command with --json and gives its objects; an error unless it was done. */
async function events(place: Place, ...argv: readonly string[]): Promise<readonly Event[]> {
  const { status, stdout, stderr } = await runMain([...argv, '--json'], place.environment);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return eventsOf(stdout);
}

/** `event stage batch`, of the events that end a stage's batch. */
function outcomes(all: readonly Event[]): readonly string[] {
  const ends = all.filter(({ event }) => event !== 'table');
  return ends.map(({ event, stage, batch }) => `${String(event)} ${String(stage)} ${String(batch)}`);
}

const FIRST = ['batch ingest 1', 'batch transform 1', 'batch load 1'];

describe('init', () => {
  test('makes the schema, and then finds it made', async () => {
    const place = await freshPlace(template);
    const [first] = await events(place, 'init');
    expect(first).toEqual({ event: 'initialised', statements: expect.any(Number) });
    expect(first?.['statements']).toBeGreaterThan(10);
    expect(await countOf(place.warehouse, 'select count(*) from history_sales_order')).toBe(0);
    expect(await events(place, 'init')).toEqual([{ event: 'initialised', statements: 0 }]);
    const { stdout } = await runMain(['init'], place.environment);
    expect(stdout).toBe('The warehouse is as the model says.\n');
  });

  test('tells people how much it did', async () => {
    const { stdout } = await runMain(['init'], (await freshPlace(template)).environment);
    expect(stdout).toMatch(/^Ran \d+ statements\.\n$/);
  });
});

describe('run', () => {
  test('brings the warehouse up to date, and then has nothing to do', async () => {
    const place = await freshPlace(template);
    const first = await events(place, 'run');
    expect(outcomes(first)).toEqual(FIRST);
    expect(first).toContainEqual({ event: 'table', stage: 'load', batch: 1, table: 'fact_sales_order', rows: 120, bytes: expect.any(Number) });
    expect(await countOf(place.warehouse, 'select count(*) from current_sales_order')).toBe(120);
    const again = ['nothing_new ingest 1', 'nothing_new transform 1', 'nothing_new load 1'];
    expect(outcomes(await events(place, 'run'))).toEqual(again);
    expect((await runMain(['compare'], place.environment)).status).toBe(0);
  });

  test('appends a version of every order that changed, whatever its last_updated says', async () => {
    const place = await freshPlace(template);
    await events(place, 'run');
    const day = await liveOneDay(place.source, { seed: 3 });
    expect(outcomes(await events(place, 'run'))).toEqual(['batch ingest 2', 'batch transform 2', 'batch load 2']);
    const changed = await rowsOf(place.warehouse, `
      select sales_order_id from fact_sales_order group by 1 having count(*) = 2 order by 1`);
    const edited = day.silentEdits.salesOrderIds.toSorted((a, b) => a - b);
    expect(changed).toEqual(edited.map((id) => [String(id)]));
    expect((await runMain(['compare'], place.environment)).status).toBe(0);
  });

  test('tells people what every batch did', async () => {
    const place = await freshPlace(template);
    const { status, stdout, stderr } = await runMain(['run'], place.environment);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(/^ingest {5}batch 1: [\d,]+ rows in \d+\.\d\d s$/);
    expect(lines[1]).toMatch(/^ {11}.*sales_order 120/);
    expect(lines[2]).toMatch(/^transform {2}batch 1: /);
    expect(lines.find((line) => line.startsWith('load'))).toMatch(/^load {7}batch 1: [\d,]+ rows/);
  });

  test('takes flags in place of variables, and schemas of other names', async () => {
    const place = await freshPlace(template);
    await place.source.query('alter schema public rename to "to te"');
    const schemas = ['--source-schema', 'to te', '--warehouse-schema', "st'ar"];
    const { sourceUrl, warehouseUrl, lake } = place;
    const databases = ['--source-url', sourceUrl, '--warehouse-url', warehouseUrl, '--lake-dir', lake];
    const wrong = { SOURCE_URL: 'postgresql://nobody@127.0.0.1:1/x', WAREHOUSE_SCHEMA: 'wrong', LAKE_DIR: '/nowhere' };
    expect(await runMain(['run', ...databases, ...schemas], wrong)).toMatchObject({ status: 0, stderr: '' });
    expect(await runMain(['compare', ...databases, ...schemas], wrong)).toMatchObject({ status: 0, stderr: '' });
    expect(await countOf(place.warehouse, `select count(*) from "st'ar".current_sales_order`)).toBe(120);
  });

  test('needs no more than select on the source and the schemas of the warehouse', async () => {
    const place = await freshPlace(template);
    const { source: sql, sourceUrl, warehouse, warehouseUrl } = place;
    const reader = await roleUrl({ url: sourceUrl, sql }, 'grant select on all tables in schema public to');
    await warehouse.query('create schema star; create schema pipeline');
    const own = ['alter schema star owner to', 'alter schema pipeline owner to'];
    const owner = await roleUrl({ url: warehouseUrl, sql: warehouse }, ...own);
    const theirs = { ...place.environment, SOURCE_URL: reader, WAREHOUSE_URL: owner, WAREHOUSE_SCHEMA: 'star' };
    expect(await runMain(['run'], theirs)).toMatchObject({ status: 0, stderr: '' });
    expect(await runMain(['compare'], theirs)).toMatchObject({ status: 0, stderr: '' });
  });

  test('reads everything again with --whole, and appends nothing that is the same', async () => {
    const place = await freshPlace(template);
    await events(place, 'run');
    const again = await events(place, 'run', '--whole');
    const read = again.find(({ stage, table }) => stage === 'ingest' && table === 'sales_order');
    expect(read).toMatchObject({ event: 'table', batch: 2, rows: 120 });
    expect(await countOf(place.warehouse, 'select count(*) from fact_sales_order')).toBe(120);
  });
});

describe('stages one by one', () => {
  test('each does what the one before it has committed', async () => {
    const place = await freshPlace(template);
    expect(outcomes(await events(place, 'transform'))).toEqual(['nothing_new transform 0']);
    expect(outcomes(await events(place, 'load'))).toEqual(['nothing_new load 0']);
    expect(outcomes(await events(place, 'ingest'))).toEqual(['batch ingest 1']);
    await place.source.query('update sales_order set units_sold = units_sold + 1 where sales_order_id <= 3');
    expect(outcomes(await events(place, 'ingest'))).toEqual(['batch ingest 2']);
    expect(outcomes(await events(place, 'load'))).toEqual(['nothing_new load 0']);
    expect(outcomes(await events(place, 'transform'))).toEqual(['batch transform 1', 'batch transform 2']);
    expect(outcomes(await events(place, 'load'))).toEqual(['batch load 1', 'batch load 2']);
    expect(await countOf(place.warehouse, 'select count(*) from fact_sales_order')).toBe(123);
  });

  test('transform needs no database, and none is started for it', async () => {
    const { environment } = await freshPlace(template);
    const withoutDatabases = { LAKE_DIR: environment['LAKE_DIR'] ?? '' };
    const { status, stdout } = await runMain(['transform'], withoutDatabases);
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'transform  nothing new (batch 0)\n' });
  });

  test('a command that is interrupted before it is through says so and is not done', async () => {
    const { environment } = await freshPlace(template);
    for (const argv of [['run'], ['transform'], ['compare']]) {
      const { status, stderr } = await runMain(argv, environment, AbortSignal.abort());
      expect(status).toBe(1);
      expect(stderr).toMatch(/WARN: interrupted; what is left is done when it is started again/);
    }
  });
});

test('a lake is enough to rebuild a warehouse', async () => {
  const place = await freshPlace(template);
  await events(place, 'run');
  await liveOneDay(place.source, { seed: 3 });
  await events(place, 'run');
  const { warehouseUrl, warehouse } = await freshPlace(template);
  const rebuilt = { ...place.environment, WAREHOUSE_URL: warehouseUrl };
  expect(await runMain(['load'], rebuilt)).toMatchObject({ status: 0, stderr: '' });
  expect((await runMain(['compare'], rebuilt)).status).toBe(0);
  const versions = 'select * from history_sales_order order by sales_order_id, version';
  expect(await rowsOf(warehouse, versions)).toEqual(await rowsOf(place.warehouse, versions));
});
