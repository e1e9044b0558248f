import { spawnSync } from 'node:child_process';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { removeCluster } from '../../src/local/postgres/cluster.ts';
import { dayOf, dayText, workingDayFrom } from '../../src/local/totesys/calendar.ts';
import { liveOneDay } from '../../src/local/totesys/day.ts';
import { eventsOf, type Ran, runStarling } from '../support/cli.ts';
import { afterwards, temporaryDirectory } from '../support/postgres.ts';
import { hasProgram } from '../support/skip.ts';

const hasPsql = hasProgram('psql', 'that the URLs of the demo work');

let cwd: string;
let untouched: Ran;
let first: Ran;
let second: Ran;

async function starling(...argv: readonly string[]): Promise<Ran> {
  return runStarling(argv, { cwd });
}

beforeAll(async () => {
  cwd = join(await temporaryDirectory(), 'a place with spaces');
  await mkdir(cwd);
  afterwards(async () => removeCluster(join(cwd, '.starling', 'postgres')));
  untouched = await starling('status');
  first = await starling('demo', '--orders', '300');
  second = await starling('demo', '--json');
});

/** Of the embedded server, from where libpq reads it. */
async function password(): Promise<string> {
  const line = await readFile(join(cwd, '.starling', 'pgpass'), 'utf8');
  return line.trim().split(':').at(-1) ?? '';
}

function clientOf(name: string, password: string): Client {
  const events = eventsOf(second.stdout);
  const connection = events.find(({ event, database }) => event === 'connection' && database === name);
  const { hostname: host, port, username: user } = new URL(String(connection?.['url']));
  return new Client({ host, port: Number(port), user, password, database: name });
}

const EMBEDDED = 'no SOURCE_URL and WAREHOUSE_URL: using the embedded PostgreSQL and a made-up source';

test('whoever looks where nothing was ever started is told so, and nothing is started', () => {
  expect(untouched).toMatchObject({ status: 1, stdout: '' });
  expect(untouched.stderr).toContain(EMBEDDED);
  expect(untouched.stderr).toContain('nothing here yet: `starling run` or `starling demo` starts it');
  // The one after it still had all of its source to make up.
  expect(first.stderr).toContain('made up a source');
});

describe('demo', () => {
  test('tells the whole story in a directory where nothing was, and ends well', () => {
    expect(first.status).toBe(0);
    expect(first.stderr).toMatch(/^\S+ INFO: made up a source of 300 sales orders\n$/);
    const headings = first.stdout.split('\n').filter((line) => line.startsWith('== '));
    expect(headings).toEqual([
      '== First load',
      expect.stringMatching(/^== The source lived \d{4}-\d\d-\d\d$/),
      expect.stringMatching(/^== A transaction begun before that batch commits now \(orders \d+ and \d+\)$/),
      '== Revenue now, by month and currency (the last three months)',
      expect.stringMatching(/^== The history of sales order \d+, edited silently$/),
      '== How fresh the warehouse is',
      '== Source and warehouse, row by row and column by column',
      expect.stringMatching(/^== Look around/),
    ]);
    expect(first.stdout).toMatch(/^ingest {5}batch 1: /m);
    expect(first.stdout).toMatch(/^load {7}batch 3: 2 rows/m);
    expect(first.stdout).toContain('Rows written since that transaction began were read again');
    expect(first.stdout).toMatch(/^current_sales_order +\d+ +0 +0 +0 +equal$/m);
    expect(first.stdout).not.toContain('DIFFERENT');
  });

  test('shows the silent edit as a second version', () => {
    const [, history = ''] = first.stdout.split('edited silently\n');
    expect(history.split('\n==')[0]).toMatch(/^ +1 .*\(first seen\)\n +2 .* current +2 +\w+: .* → /m);
  });

  test('carries on the second time: another day, the same databases', () => {
    expect(second).toMatchObject({ status: 0, stderr: '' });
    const events = eventsOf(second.stdout);
    const batches = events.filter(({ event, stage }) => event === 'batch' && stage === 'load');
    expect(batches.map(({ batch }) => batch).slice(0, 2)).toEqual([4, 5]);
    const day = events.find(({ event }) => event === 'day');
    expect(first.stdout).not.toContain(`lived ${String(day?.['day'])}`);
    const comparisons = events.filter(({ event }) => event === 'comparison');
    expect(comparisons.length).toBeGreaterThan(8);
    for (const comparison of comparisons) expect(comparison).toMatchObject({ different: 0, missing: 0, extra: 0 });
    expect(events.filter(({ event }) => event === 'revenue').length).toBeGreaterThan(0);
  });

  test('keeps the password of its server in a file for libpq, and off the screen', async () => {
    const secret = await password();
    expect(secret.length).toBeGreaterThan(10);
    for (const { stdout, stderr } of [first, second]) expect(stdout + stderr).not.toContain(secret);
    expect((await stat(join(cwd, '.starling', 'pgpass'))).mode & 0o777).toBe(0o600);
  });

  test.skipIf(!hasPsql)('prints commands for psql that work as they are', () => {
    const commands = first.stdout.split('\n').filter((line) => line.startsWith('psql '));
    const ask = commands.map((command) => `${command} -XAtc 'select count(*) > 300 from public.sales_order_or_star'`);
    const [warehouse = '', source = ''] = ask.map((command, at) =>
      command.replace('sales_order_or_star', at === 0 ? 'current_sales_order' : 'sales_order'));
    for (const command of [warehouse, source]) {
      const { stdout, stderr } = spawnSync('bash', ['-c', command], { cwd: '/', encoding: 'utf8' });
      expect({ stdout, stderr }).toEqual({ stdout: 't\n', stderr: '' });
    }
  });

  test('lives in the past: no version holds from a moment to come', async () => {
    const client = clientOf('warehouse', await password());
    await client.connect();
    const versions = await client.query(`
      select from history_sales_order where valid_from > now()
      union all select from history_purchase_order where valid_from > now()
      union all select from history_payment where valid_from > now()`);
    await client.end();
    expect(versions.rowCount).toBe(0);
    expect(first.stdout).not.toContain('is not over yet');
  });

  test('says so where the source has come to live ahead', async () => {
    const client = clientOf('totesys', await password());
    await client.connect();
    await liveOneDay(client, { seed: 1, day: dayText(workingDayFrom(dayOf(Date.now()) + 1)) });
    await client.end();
    const { status, stdout } = await starling('demo');
    expect(status).toBe(0);
    expect(stdout).toMatch(/\nThat day is not over yet: .*\n.*delete \.starling\/\.\n/);
  });

  test('exits with 1 where source and warehouse differ', async () => {
    const client = clientOf('warehouse', await password());
    await client.connect();
    await client.query('delete from current_sales_order where sales_order_id = 1');
    await client.end();
    const { status, stdout } = await starling('demo');
    expect(status).toBe(1);
    expect(stdout).toMatch(/^current_sales_order +\d+ +0 +1 +0 +DIFFERENT$/m);
  });

  test('leaves a server behind that other commands use, and that stop ends', async () => {
    const { stdout, stderr } = await starling('status');
    expect(stdout).toMatch(/^load +\d+ +0 /m);
    expect(stderr).toContain(EMBEDDED);
    const stopped = { status: 0, stdout: 'The embedded PostgreSQL is stopped.\n', stderr: '' };
    expect(await starling('stop')).toEqual(stopped);
    await expect(clientOf('warehouse', 'x').connect()).rejects.toThrow(/ECONNREFUSED/);
    const nothing = { status: 0, stdout: 'No embedded PostgreSQL is running here.\n', stderr: '' };
    expect(await starling('stop')).toEqual(nothing);
  });
});
