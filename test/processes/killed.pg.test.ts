import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Random, randomFrom } from '../../src/local/totesys/random.ts';
import { runMain, spawnStarling } from '../support/cli.ts';
import { freshPlace, type Place, placeOn, type Template, totesysTemplate } from '../support/totesys.ts';
import { currentRows, expectExact } from './warehouses.ts';
import { startWriter } from './writer.ts';

let template: Template;
beforeAll(async () => {
  template = await totesysTemplate();
});

/** When to kill: so many milliseconds, at most, after the process has said this. */
const MOMENTS = [
  { after: /^/, withinMs: 700 },
  { after: /"event":"table".*"stage":"ingest"/, withinMs: 100 },
  { after: /"event":"batch".*"stage":"ingest"/, withinMs: 200 },
  { after: /"event":"batch".*"stage":"transform"/, withinMs: 200 },
] as const;

/** Runs the pipeline and kills it at a moment. @returns whether it was killed: it can have been quicker. */
async function killedRun({ directory: cwd, environment }: Place, random: Random, turn: number): Promise<boolean> {
  const { child, until, ended } = await spawnStarling(['run', '--json'], { cwd, environment, measured: false });
  const moment = MOMENTS[turn % MOMENTS.length] ?? MOMENTS[0];
  await until(({ stdout }) => moment.after.test(stdout));
  await sleep(random.int(0, moment.withinMs));
  child.kill('SIGKILL');
  const { status, stderr } = await ended;
  expect({ status, stderr }).toEqual({ status: expect.toBeOneOf([0, 137]), stderr: '' });
  return status === 137;
}

async function killRuns(place: Place, random: Random, times: number): Promise<void> {
  let turn = 0;
  for (let kills = 0; kills < times; turn += 1) {
    if (await killedRun(place, random, turn)) kills += 1;
  }
}

async function runBoth(...places: readonly Place[]): Promise<void> {
  for (const { environment } of places) {
    expect(await runMain(['run'], environment)).toMatchObject({ status: 0, stderr: '' });
  }
}

describe('a run that is killed at any moment', () => {
  test('leaves what the next one carries on from: the end is as if nothing had happened', async () => {
    const place = await freshPlace(template);
    const undisturbed = await placeOn(place.sourceUrl, place.source);
    const writer = await startWriter(place.sourceUrl, 1);
    const random = randomFrom(1, 'kills');
    // The first load, and then deltas.
    await killRuns(place, random, 8);
    await runBoth(place, undisturbed);
    await killRuns(place, random, 8);
    expect(await writer.stop()).toBeGreaterThan(100);
    await runBoth(place, undisturbed);
    await expectExact(place);
    await expectExact(undisturbed);
    expect(await currentRows(place.warehouse)).toEqual(await currentRows(undisturbed.warehouse));
  }, 180_000);
});
