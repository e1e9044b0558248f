import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { eventsOf, type Spawned, spawnStarling } from '../support/cli.ts';
import { connectTo } from '../support/postgres.ts';
import { countOf, freshPlace, type Place, type Template, totesysTemplate } from '../support/totesys.ts';

let template: Template;
beforeAll(async () => {
  template = await totesysTemplate();
});

async function start({ directory: cwd, environment }: Place, ...argv: readonly string[]): Promise<Spawned> {
  return spawnStarling([...argv, '--json'], { cwd, environment });
}

/** How often a stage has told something of this kind. */
function times(output: { readonly stdout: string }, event: string, stage: string): number {
  const whole = output.stdout.slice(0, output.stdout.lastIndexOf('\n') + 1);
  return eventsOf(whole).filter((one) => one['event'] === event && one['stage'] === stage).length;
}

/** Keeps ingest waiting in the middle of a batch until it is called again. */
async function holdUp(place: Place): Promise<() => Promise<void>> {
  const holder = await connectTo(place.sourceUrl);
  await holder.query('begin; lock table sales_order in access exclusive mode');
  return async () => void (await holder.query('rollback'));
}

async function waitsForLock({ source }: Place): Promise<void> {
  const waiting = `select count(*) from pg_locks where not granted and database = (
    select oid from pg_database where datname = current_database())`;
  while ((await countOf(source, waiting)) === 0) await sleep(10);
}

describe('watch', () => {
  test('runs again and again, takes up what changed, and ends on SIGTERM while it waits', async () => {
    const place = await freshPlace(template);
    const watch = await start(place, 'watch', '--every', '1s');
    await watch.until((output) => times(output, 'batch', 'load') >= 1);
    await place.source.query('update sales_order set units_sold = units_sold + 1 where sales_order_id = 9');
    await watch.until((output) => times(output, 'batch', 'load') >= 2 && times(output, 'nothing_new', 'load') >= 1);
    watch.child.kill('SIGTERM');
    expect(await watch.ended).toMatchObject({ status: 0, stderr: '' });
    expect(await countOf(place.warehouse, 'select count(*) from fact_sales_order')).toBe(121);
  });

  test('tells people when it runs, and that it has stopped', async () => {
    const { directory: cwd, environment } = await freshPlace(template);
    const watch = await spawnStarling(['watch', '--every', '1h'], { cwd, environment });
    await watch.until(({ stdout }) => stdout.includes('load '));
    watch.child.kill('SIGTERM');
    const { status, stdout } = await watch.ended;
    expect(status).toBe(0);
    expect(stdout).toMatch(/^-- \d{4}-\d\d-\d\dT[\d:.]+Z\ningest [\s\S]*\nstopped\n$/);
  });

  test('carries on after a tick that failed', async () => {
    const place = await freshPlace(template);
    await place.source.query('alter table design rename to designs');
    const watch = await start(place, 'watch', '--every', '1s');
    await watch.until(({ stderr }) => stderr.split('source_structure').length > 2);
    await place.source.query('alter table designs rename to design');
    await watch.until((output) => times(output, 'batch', 'load') >= 1);
    watch.child.kill('SIGINT');
    const { status, stderr } = await watch.ended;
    expect(status).toBe(0);
    expect(eventsOf(stderr).map(({ kind }) => kind)).toEqual(expect.arrayContaining(['source_structure']));
  });

  const signals = ['SIGTERM', 'SIGINT'] as const;
  test.each(signals)('finishes the batch in hand on %s, and begins nothing else', async (signal) => {
    const place = await freshPlace(template);
    const release = await holdUp(place);
    const watch = await start(place, 'watch', '--every', '1s');
    await waitsForLock(place);
    watch.child.kill(signal);
    await sleep(200);
    expect(watch.child.exitCode).toBeNull();
    await release();
    const { status, stdout, stderr } = await watch.ended;
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(times({ stdout }, 'batch', 'ingest')).toBe(1);
    expect(eventsOf(stdout).every(({ stage }) => stage === 'ingest')).toBe(true);
  });

  test('ends at once on the second signal, which does no harm', async () => {
    const place = await freshPlace(template);
    const release = await holdUp(place);
    const watch = await start(place, 'watch');
    await waitsForLock(place);
    watch.child.kill('SIGTERM');
    await sleep(100);
    watch.child.kill('SIGTERM');
    expect(await watch.ended).toMatchObject({ status: 143 });
    await release();
    const again = await start(place, 'run');
    expect(await again.ended).toMatchObject({ status: 0, stderr: '' });
  });
});

test('run that is interrupted is not done, and says so', async () => {
  const place = await freshPlace(template);
  const release = await holdUp(place);
  const run = await start(place, 'run');
  await waitsForLock(place);
  run.child.kill('SIGINT');
  await sleep(100);
  await release();
  const { status, stderr } = await run.ended;
  expect(status).toBe(1);
  expect(eventsOf(stderr)).toMatchObject([{ level: 40, msg: expect.stringContaining('interrupted') }]);
});

test('whoever reads the output may stop reading: the work is done all the same', async () => {
  const place = await freshPlace(template);
  const release = await holdUp(place);
  const run = await start(place, 'run');
  await waitsForLock(place);
  run.child.stdout?.destroy();
  await release();
  expect(await run.ended).toMatchObject({ status: 0, stderr: '' });
  expect(await countOf(place.warehouse, 'select count(*) from fact_sales_order')).toBe(120);
});
