import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Event, eventsOf, runMain } from '../support/cli.ts';
import { freshPlace, type Place, quietTemplate, rowsOf, type Template } from '../support/totesys.ts';

let template: Template;
beforeAll(async () => {
  template = await quietTemplate();
});

async function run({ environment }: Place, ...argv: readonly string[]): Promise<void> {
  expect(await runMain(argv, environment)).toMatchObject({ status: 0 });
}

interface Shown {
  /** Stage, batch, pending, outcome. */
  readonly stages: readonly (readonly unknown[])[];
  readonly freshness: Event | undefined;
  readonly quarantine: readonly Event[];
  readonly errors: readonly unknown[];
}

async function statusOf({ environment }: Place): Promise<Shown> {
  const { status, stdout, stderr } = await runMain(['status', '--json'], environment);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const events = eventsOf(stdout);
  const stages = events.filter(({ event }) => event === 'status');
  return {
    stages: stages.map(({ stage, batch, pending, outcome }) => [stage, batch, pending, outcome]),
    freshness: events.find(({ event }) => event === 'freshness'),
    quarantine: events.filter(({ event }) => event === 'quarantine'),
    errors: stages.map(({ error }) => error),
  };
}

const NEVER = { event: 'freshness', fresh_as_of: null, seconds: null };

describe('how far each stage is', () => {
  test('before anything has run, also without a schema in the warehouse', async () => {
    const place = await freshPlace(template);
    const nothing = [['ingest', 0, 0, null], ['transform', 0, 0, null], ['load', 0, 0, null]];
    expect(await statusOf(place)).toMatchObject({ stages: nothing, freshness: NEVER, quarantine: [] });
    await run(place, 'init');
    expect(await statusOf(place)).toMatchObject({ stages: nothing, freshness: NEVER, quarantine: [] });
    const { stdout } = await runMain(['status'], place.environment);
    expect(stdout).toMatch(/^ingest {9}0 {8}0 {2}never$/m);
    expect(stdout).toContain('Freshness:   nothing is loaded yet\nQuarantine:  empty\n');
  });

  test('counts what the stage before has committed as pending', async () => {
    const place = await freshPlace(template);
    await run(place, 'ingest');
    await place.source.query('update staff set last_name = last_name || $1', ['-Smith']);
    await run(place, 'ingest');
    const pending = [['ingest', 2, 0, 'committed'], ['transform', 0, 2, null], ['load', 0, 0, null]];
    expect((await statusOf(place)).stages).toEqual(pending);
    await run(place, 'transform');
    expect(await statusOf(place)).toMatchObject({ freshness: NEVER });
    expect((await statusOf(place)).stages.slice(1)).toEqual([['transform', 2, 0, 'committed'], ['load', 0, 2, null]]);
    await run(place, 'load');
    expect((await statusOf(place)).stages[2]).toEqual(['load', 2, 0, 'committed']);
  });

  test('is told to people in a table, with how long ago', async () => {
    const place = await freshPlace(template);
    await run(place, 'run');
    const { stdout } = await runMain(['status'], place.environment);
    expect(stdout).toMatch(/^stage {6}batch {2}pending {2}last look {2}outcome$/m);
    expect(stdout).toMatch(/^load {11}1 {8}0 {2}\d+ s ago +committed$/m);
    expect(stdout).toMatch(/^Freshness: {3}the source as of \d+ s ago$/m);
    await run(place, 'run');
    expect((await runMain(['status'], place.environment)).stdout).toMatch(/^load .* nothing new$/m);
    expect((await statusOf(place)).stages[2]).toEqual(['load', 1, 0, 'nothing_new']);
  });
});

async function freshAsOf(place: Place): Promise<number> {
  return new Date(String((await statusOf(place)).freshness?.['fresh_as_of'])).getTime();
}

describe('freshness', () => {
  test('is that of the snapshot that is loaded, and of a later look that found nothing', async () => {
    const place = await freshPlace(template);
    const before = Date.now();
    await run(place, 'run');
    const first = await freshAsOf(place);
    expect(first).toBeGreaterThanOrEqual(before);
    expect(first).toBeLessThanOrEqual(Date.now());
    await run(place, 'ingest');
    expect(await freshAsOf(place)).toBeGreaterThan(first);
  });

  test('stands still while something is pending, however often the source is looked at', async () => {
    const place = await freshPlace(template);
    await run(place, 'run');
    const first = await freshAsOf(place);
    await place.source.query('update staff set last_name = upper(last_name)');
    await run(place, 'ingest');
    await sleep(20);
    await run(place, 'ingest');
    expect(await freshAsOf(place)).toBe(first);
    await run(place, 'transform');
    await run(place, 'load');
    expect(await freshAsOf(place)).toBeGreaterThan(first);
  });
});

test('quarantine is told by table, and never a value', async () => {
  const place = await freshPlace(template);
  await place.source.query(`
    update sales_order set unit_price = 1.005 where sales_order_id in (3, 5);
    update purchase_order set agreed_delivery_date = 'soon' where purchase_order_id = 1`);
  const { status, stdout } = await runMain(['run'], place.environment);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^load .*\(3 to quarantine\)$/m);
  expect((await statusOf(place)).quarantine).toEqual([
    { event: 'quarantine', table: 'fact_purchase_order', rows: 1 },
    { event: 'quarantine', table: 'fact_sales_order', rows: 2 },
  ]);
  const people = await runMain(['status'], place.environment);
  expect(people.stdout).toContain('Quarantine:  fact_purchase_order 1, fact_sales_order 2\n');
  expect(people.stdout).toMatch(/^ +starling quarantine list$/m);
  const reasons = await rowsOf(place.warehouse, 'select reason from pipeline.quarantine');
  expect(`${stdout}${people.stdout}`).not.toContain('1.005');
  expect(reasons).toHaveLength(3);
});

test('the last error of a stage is told, until the stage succeeds', async () => {
  const place = await freshPlace(template);
  await run(place, 'run');
  await place.source.query('alter table design rename to designs');
  expect((await runMain(['ingest'], place.environment)).status).toBe(1);
  const failed = await statusOf(place);
  expect(failed.stages[0]).toEqual(['ingest', 1, 0, 'failed']);
  expect(failed.errors).toEqual([{ kind: 'source_structure', message: expect.stringContaining('design') }, null, null]);
  expect(failed.freshness?.['fresh_as_of']).toEqual(expect.any(String));
  const { stdout } = await runMain(['status'], place.environment);
  expect(stdout).toMatch(/^Last error: {2}ingest: source_structure: source: table design/m);
  await place.source.query('alter table designs rename to design');
  await run(place, 'ingest');
  expect((await statusOf(place)).errors).toEqual([null, null, null]);
});

test('columns and tables of the source that are not declared are told, and by the run that first sees them', async () => {
  const place = await freshPlace(template);
  await run(place, 'run');
  await place.source.query('alter table staff add column nickname text; create table audit (id int)');
  const names = 'staff.nickname, table audit';
  expect(await runMain(['run'], place.environment)).toMatchObject({ status: 0, stderr: expect.stringContaining(names) });
  expect(await runMain(['run'], place.environment)).toMatchObject({ status: 0, stderr: '' });
  expect((await runMain(['status'], place.environment)).stdout).toContain(`Undeclared:  ${names}\n`);
  const events = eventsOf((await runMain(['status', '--json'], place.environment)).stdout);
  expect(events).toContainEqual({ event: 'undeclared', names });
});
