import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { demo } from '../../src/cli/demo.ts';
import { main } from '../../src/cli/main.ts';
import { createOutput } from '../../src/cli/output.ts';
import { roleUrl } from '../ingest/roles.ts';
import { Capture, type Environment, type Event, eventsOf, runMain, runStarling } from '../support/cli.ts';
import { contextOf, countOf, freshPlace, type Place, quietTemplate, type Template } from '../support/totesys.ts';

let template: Template;
beforeAll(async () => {
  template = await quietTemplate();
});

interface Failed {
  readonly status: number;
  readonly events: readonly Event[];
  readonly logs: readonly Event[];
  /** All that was printed. */
  readonly all: string;
}

async function run(environment: Environment, ...argv: readonly string[]): Promise<Failed> {
  const { status, stdout, stderr } = await runMain([...(argv.length > 0 ? argv : ['run']), '--json'], environment);
  return { status, events: eventsOf(stdout), logs: eventsOf(stderr), all: stdout + stderr };
}

function committed({ events }: Failed): readonly unknown[] {
  return events.filter(({ event }) => event === 'batch').map(({ stage, batch }) => `${String(stage)} ${String(batch)}`);
}

const NOBODY_THERE = 'postgresql://reader:s3cret@127.0.0.1:1/totesys';

describe('a stage that fails', () => {
  test('does not keep the later ones from what is pending: a source that is down', async () => {
    const { environment, warehouse } = await freshPlace(template);
    await runMain(['ingest'], environment);
    const ran = await run({ ...environment, SOURCE_URL: NOBODY_THERE });
    expect(ran.status).toBe(1);
    expect(committed(ran)).toEqual(['transform 1', 'load 1']);
    expect(ran.logs).toMatchObject([{ level: 50, kind: 'source_unreachable', stage: 'ingest' }]);
    expect(ran.logs[0]?.['hint']).toContain('SOURCE_URL');
    expect(await countOf(warehouse, 'select count(*) from fact_sales_order')).toBe(120);
  });

  test('does not keep the earlier ones from theirs: a warehouse that is down', async () => {
    const { environment } = await freshPlace(template);
    const ran = await run({ ...environment, WAREHOUSE_URL: 'postgresql://u:s3cret@127.0.0.1:1/x' });
    expect(ran.status).toBe(1);
    expect(committed(ran)).toEqual(['ingest 1', 'transform 1']);
    expect(ran.logs).toMatchObject([{ level: 50, kind: 'warehouse_unreachable', stage: 'load' }]);
    expect(committed(await run(environment))).toEqual(['load 1']);
  });

  test('is told by status, which shows what it can without the warehouse', async () => {
    const { environment } = await freshPlace(template);
    await run(environment);
    const down = { ...environment, WAREHOUSE_URL: NOBODY_THERE };
    const shown = await run(down, 'status');
    expect(shown.status).toBe(1);
    expect(shown.events.map(({ stage, batch }) => [stage, batch]).slice(0, 3)).toEqual([
      ['ingest', 1],
      ['transform', 1],
      ['load', 1],
    ]);
    expect(shown.logs).toMatchObject([{ kind: 'warehouse_unreachable' }]);
    const { stdout } = await runMain(['status'], down);
    expect(stdout).toContain('Freshness:   not known: the warehouse did not answer\nQuarantine:  not known');
  });

  test('is told for each of several', async () => {
    const { lake } = await freshPlace(template);
    const ran = await run({ LAKE_DIR: lake, SOURCE_URL: NOBODY_THERE, WAREHOUSE_URL: NOBODY_THERE });
    expect(ran.status).toBe(1);
    expect(ran.logs.map(({ kind }) => kind)).toEqual(['source_unreachable', 'warehouse_unreachable']);
  });

  test('is told where it happens, before what the later stages did', async () => {
    const { environment } = await freshPlace(template);
    await runMain(['ingest'], environment);
    const both = new Capture();
    const settings = { ...environment, SOURCE_URL: NOBODY_THERE };
    const { signal } = new AbortController();
    await main(['run'], { stdout: both, stderr: both, environment: settings, signal, version: '1' });
    expect(both.text).toMatch(/ERROR: source at 127\.0\.0\.1:1\/totesys: [\s\S]*\ntransform /);
  });

  test('by itself is exit status 1 as well', async () => {
    const { environment } = await freshPlace(template);
    expect(await run({ ...environment, SOURCE_URL: NOBODY_THERE }, 'ingest')).toMatchObject({ status: 1, events: [] });
  });

  test('leaves its batch pending, and carries on once the cause is gone', async () => {
    const { environment, source, warehouse } = await freshPlace(template);
    await run(environment);
    await source.query('update staff set last_name = upper(last_name)');
    await warehouse.query('alter table dim_staff add constraint mine check (last_name <> upper(last_name))');
    const ran = await run(environment);
    expect(committed(ran)).toEqual(['ingest 2', 'transform 2']);
    expect(ran.logs).toMatchObject([{ kind: 'warehouse_failed', stage: 'load', batch: 2, sqlstate: '23514' }]);
    await warehouse.query('alter table dim_staff drop constraint mine');
    expect(committed(await run(environment))).toEqual(['load 2']);
  });
});

async function readerUrl({ sourceUrl: url, source: sql }: Place): Promise<URL> {
  return new URL(await roleUrl({ url, sql }, 'grant select on all tables in schema public to'));
}

describe('passwords', () => {
  test('that are wrong are refused by the server and printed by nobody', async () => {
    const place = await freshPlace(template);
    const url = await readerUrl(place);
    url.password = 's3cret-and-wrong';
    for (const settings of [{ SOURCE_URL: url.href }, { WAREHOUSE_URL: url.href }]) {
      const ran = await run({ ...place.environment, ...settings });
      expect(ran.status).toBe(1);
      expect(ran.logs).toHaveLength(1);
      expect(ran.logs[0]).toMatchObject({ kind: expect.stringMatching(/_denied$/), sqlstate: '28P01' });
      expect(ran.all).not.toContain('s3cret');
      const people = await runMain(['run'], { ...place.environment, ...settings });
      expect(people.stdout + people.stderr).not.toContain('s3cret');
    }
    const status = await runMain(['status'], place.environment);
    expect(status.stdout).toContain('password authentication failed');
    expect(status.stdout).not.toContain('s3cret');
  });

  test('that are missing are told as such', async () => {
    const place = await freshPlace(template);
    const url = await readerUrl(place);
    url.password = '';
    const { logs } = await run({ ...place.environment, SOURCE_URL: url.href });
    expect(logs).toMatchObject([{ kind: 'source_denied', stage: 'ingest' }]);
    const whose = `${url.username}@${url.host}${url.pathname}`;
    expect(logs[0]?.['msg']).toContain(`no password for ${whose}: put it into the URL, PGPASSWORD or ~/.pgpass`);
  });

  test('of a server that is not there are not printed', async () => {
    const { environment } = await freshPlace(template);
    for (const url of [NOBODY_THERE, 'postgresql://reader:s3cret@no-such-host.invalid/totesys']) {
      const ran = await run({ ...environment, SOURCE_URL: url });
      expect(ran.logs).toMatchObject([{ kind: 'source_unreachable' }]);
      expect(ran.all).not.toContain('s3cret');
    }
  });
});

describe('a lake and a warehouse that do not belong together', () => {
  test('are refused with what to do, and the warehouse stays as it is', async () => {
    const place = await freshPlace(template);
    await run(place.environment);
    await place.source.query('update sales_order set units_sold = units_sold + 1');
    const before = await countOf(place.warehouse, 'select count(*) from fact_sales_order');
    const elsewhere = { ...place.environment, LAKE_DIR: join(place.directory, 'new-lake') };
    for (const attempt of [1, 2]) {
      const ran = await run(elsewhere);
      expect({ attempt, status: ran.status }).toEqual({ attempt, status: 1 });
      expect(ran.logs).toMatchObject([{ kind: 'lake_foreign', stage: 'load' }]);
      expect(ran.logs[0]?.['hint']).toMatch(/the lake that this warehouse was loaded from, or at an empty warehouse/);
    }
    expect(await countOf(place.warehouse, 'select count(*) from fact_sales_order')).toBe(before);
    expect((await run(place.environment)).status).toBe(0);
  });

  test('are refused also where the new lake has not got as far', async () => {
    const place = await freshPlace(template);
    await run(place.environment);
    const ran = await run({ ...place.environment, LAKE_DIR: join(place.directory, 'empty') }, 'load');
    expect(ran).toMatchObject({ status: 1, logs: [{ kind: 'lake_foreign' }] });
  });
});

test('a lake that cannot be written to is an error of the lake', async () => {
  const { environment } = await freshPlace(template);
  const ran = await run({ ...environment, LAKE_DIR: '/dev/null/lake' });
  expect(ran.status).toBe(1);
  expect(ran.logs.map(({ kind }) => String(kind).startsWith('lake_'))).not.toContain(false);
});

test('with --json, what Node and the drivers warn of is JSON as well', async () => {
  const { directory: cwd, lake } = await freshPlace(template);
  // As soon as somebody listens to warnings.
  const warn = "process.on('newListener',(name)=>{if(name==='warning')setImmediate(()=>process.emitWarning('of_something'))})";
  const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(warn)}`;
  const environment = { SOURCE_URL: NOBODY_THERE, WAREHOUSE_URL: NOBODY_THERE, LAKE_DIR: lake, NODE_OPTIONS };
  const { status, stderr } = await runStarling(['ingest', '--json'], { cwd, environment });
  expect(status).toBe(1);
  const warning = { level: 40, warning: 'Warning' };
  expect(eventsOf(stderr)).toMatchObject([warning, { level: 50, kind: 'source_unreachable' }]);
});

async function demoOf(place: Place): Promise<{ readonly isDone: boolean; readonly logs: readonly Event[] }> {
  const stderr = new Capture();
  const isDone = await demo(contextOf(place), createOutput(true, { stdout: new Capture(), stderr }));
  return { isDone, logs: eventsOf(stderr.text) };
}

test('a demo is not done while another one is', async () => {
  const place = await freshPlace(template);
  await place.source.query('select pg_advisory_lock(7350, 3)');
  const told = { level: 50, msg: 'another demo is running here: wait for it to end' };
  expect(await demoOf(place)).toMatchObject({ isDone: false, logs: [told] });
  expect(await countOf(place.source, 'select count(*) from sales_order')).toBe(120);
});

describe('a demo whose pipeline fails', () => {
  test('at first is not done', async () => {
    const place = { ...(await freshPlace(template)), warehouseUrl: NOBODY_THERE };
    expect(await demoOf(place)).toMatchObject({ isDone: false, logs: [{ kind: 'warehouse_unreachable' }] });
  });

  test('after the day is not done', async () => {
    const place = await freshPlace(template);
    await run(place.environment);
    await place.warehouse.query(`
      create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not today'; end $$;
      create trigger mine before insert on fact_sales_order for each row execute function refuse()`);
    expect(await demoOf(place)).toMatchObject({ isDone: false, logs: [{ kind: 'warehouse_failed', batch: 2 }] });
  });
});
