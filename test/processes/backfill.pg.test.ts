import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { DirectoryLake } from '../../src/local/directory-lake.ts';
import { type Random, randomFrom } from '../../src/local/totesys/random.ts';
import { totesys } from '../../src/models/totesys/model.ts';
import { ingestionEntrySchema } from '../../src/shared/lake/entries.ts';
import { splitPrefix } from '../../src/shared/lake/key.ts';
import { Log } from '../../src/shared/lake/log.ts';
import { eventsOf, type Ran, runMain, runStarling, type Spawned, spawnStarling } from '../support/cli.ts';
import { ownServer } from '../support/postgres.ts';
import { freshPlace, type Place, placeOn, rowsOf, type Template, totesysTemplate } from '../support/totesys.ts';
import { currentRows, expectExact } from './warehouses.ts';
import { startWriter } from './writer.ts';

const BACKFILL = ['backfill', '--workers', '4', '--ranges', '8', '--json'];

let template: Template;
beforeAll(async () => {
  // On a server where nobody else is at work: what others have open would leave rows to the second batch.
  template = await totesysTemplate(3_000, await ownServer({ settings: { autovacuum: 'off' } }));
});

async function start({ directory: cwd, environment }: Place, argv: readonly string[] = BACKFILL): Promise<Spawned> {
  return spawnStarling(argv, { cwd, environment, measured: false });
}

const RANGE = '"event":"range"';

/** How often a line of this has come. */
const times = (stdout: string, words: string) => stdout.split(words).length - 1;

const ingestion = ({ lake }: Place) => new DirectoryLake(join(lake, 'ingestion'));

/** All objects that the entry of batch 1 names of a table. */
async function partsOf(place: Place, table: string): Promise<number> {
  const entry = await new Log(ingestion(place), ingestionEntrySchema).read(1);
  return entry.tables[table]?.parts.length ?? 0;
}

async function plansOf(place: Place, batch: number): Promise<readonly string[]> {
  const plans: string[] = [];
  for await (const key of ingestion(place).list(splitPrefix(batch))) if (key.endsWith('/plan.json')) plans.push(key);
  return plans;
}

/** Every version of every fact, but for the numbers that rows get as they come. */
async function facts({ warehouse }: Place): Promise<readonly string[][]> {
  const all: string[][] = [];
  for (const { name, key, recordKey } of totesys.facts) {
    all.push(...(await rowsOf(warehouse, `select to_jsonb(f) - '${recordKey}' from ${name} f order by ${key}, batch_id`)));
  }
  return all;
}

/** The worker processes that it has told of. */
function workersOf(stdout: string): readonly number[] {
  const complete = stdout.slice(0, stdout.lastIndexOf('\n') + 1);
  return eventsOf(complete).flatMap(({ event, pid }) => (event === 'worker' && typeof pid === 'number' ? [pid] : []));
}

function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}

/** Kills a worker each time that some more ranges are done. Two: a range that falls to three that die is given up. */
async function killWorkers({ until, output }: Spawned, random: Random): Promise<void> {
  const dead = new Set<number>();
  for (const done of [1, 4]) {
    await until(({ stdout }) => times(stdout, RANGE) >= done);
    const pid = random.pick(workersOf(output().stdout).filter((one) => !dead.has(one)));
    dead.add(pid);
    kill(pid);
  }
}

async function expectDone({ status, stderr }: Ran): Promise<void> {
  const lines = eventsOf(stderr).filter(({ level }) => level !== 40);
  expect({ status, lines }).toEqual({ status: 0, lines: [] });
}

describe('starling backfill', () => {
  test('ends in the warehouse of a run, though workers and the whole of it are killed on the way', async () => {
    const place = await freshPlace(template);
    const undisturbed = await placeOn(place.sourceUrl, place.source, template.server);
    const first = await start(place);
    await first.until(({ stdout }) => times(stdout, RANGE) >= 2);
    first.child.kill('SIGKILL');
    await first.ended;
    const second = await start(place);
    await killWorkers(second, randomFrom(1, 'workers'));
    await expectDone(await second.ended);
    expect(await plansOf(place, 1)).toHaveLength(1);
    expect(await partsOf(place, 'sales_order')).toBeGreaterThan(1);
    expect(await runMain(['run'], undisturbed.environment)).toMatchObject({ status: 0, stderr: '' });
    await expectExact(place);
    expect(await facts(place)).toEqual(await facts(undisturbed));
    expect(await currentRows(place.warehouse)).toEqual(await currentRows(undisturbed.warehouse));
    // What is asked for whole is one batch, however many looks it takes, and tells the warehouse nothing new.
    await expectDone(await (await start(place, [...BACKFILL, '--whole'])).ended);
    expect(await new Log(ingestion(place), ingestionEntrySchema).head()).toBe(2);
    expect(await facts(place)).toEqual(await facts(undisturbed));
  }, 240_000);

  test('loses nothing of what the source does meanwhile, in a first load and in a mass update', async () => {
    const place = await freshPlace(template);
    const writer = await startWriter(place.sourceUrl, 1);
    const first = await start(place);
    await killWorkers(first, randomFrom(2, 'workers'));
    await expectDone(await first.ended);
    await place.source.query('update sales_order set units_sold = units_sold + 1; update payment set paid = not paid');
    const second = await start(place);
    await killWorkers(second, randomFrom(3, 'workers'));
    await expectDone(await second.ended);
    expect(await writer.stop()).toBeGreaterThan(10);
    await expectDone(await (await start(place, ['run', '--json'])).ended);
    await expectExact(place);
  }, 240_000);

  test('ends when it is interrupted, after the ranges in hand, and goes on with the same plan', async () => {
    const place = await freshPlace(template);
    const first = await start(place, ['backfill', '--workers', '1', '--ranges', '8', '--json']);
    await first.until(({ stdout }) => times(stdout, RANGE) >= 1);
    first.child.kill('SIGINT');
    const { status, stdout, stderr } = await first.ended;
    expect({ status, last: eventsOf(stderr).at(-1)?.['msg'] }).toEqual({
      status: 1, last: 'interrupted; what is left is done when it is started again',
    });
    for (const pid of workersOf(stdout)) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    const second = await (await start(place)).ended;
    await expectDone(second);
    expect(await plansOf(place, 1)).toHaveLength(1);
    await expectExact(place);
  }, 120_000);

  test('tells what a range failed of, and what was done stays done', async () => {
    const place = await freshPlace(template);
    const first = await start(place, ['backfill', '--workers', '1', '--ranges', '8', '--json']);
    await first.until(({ stdout }) => stdout.includes('"table":"payment"'));
    await place.source.query('alter table sales_order rename to sold');
    const { status, stderr } = await first.ended;
    expect(status).toBe(1);
    expect(eventsOf(stderr).filter(({ level }) => level === 50)).toMatchObject([{ kind: 'source_structure', table: 'sales_order', batch: 1 }]);
    await place.source.query('alter table sold rename to sales_order');
    await expectDone(await (await start(place)).ended);
    expect(await plansOf(place, 1)).toHaveLength(1);
    await expectExact(place);
  }, 120_000);

  test('is not done while somebody else is loading a large batch, and goes on behind that', async () => {
    const place = await freshPlace(await totesysTemplate(6_000, template.server));
    await place.warehouse.query('begin; select pg_advisory_xact_lock(7350, 4)');
    const waiting = await start(place);
    await waiting.until(({ stdout }) => stdout.includes('"event":"busy","stage":"load"'));
    await place.warehouse.query('rollback');
    await expectDone(await waiting.ended);
    expect(await plansOf(place, 1)).toHaveLength(1);
    await expectExact(place);
  }, 120_000);

  test('does at once what is small, and its workers are nothing for people to start', async () => {
    const place = await freshPlace(await totesysTemplate());
    const { status, stdout } = await runStarling(BACKFILL, { cwd: place.directory, environment: place.environment });
    expect([status, workersOf(stdout), times(stdout, RANGE)]).toEqual([0, [], 0]);
    expect(await partsOf(place, 'sales_order')).toBe(1);
    await expectExact(place);
    const alone = await runStarling(['backfill-worker'], { cwd: place.directory });
    expect(alone).toMatchObject({ status: 2, stderr: expect.stringContaining('starts its workers itself') });
  }, 120_000);
});
