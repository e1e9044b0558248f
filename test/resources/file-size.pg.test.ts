/** A limit on the size of files, which every account can set for itself: writes that fail in the middle. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { expectExact } from '../processes/warehouses.ts';
import { BUNDLE, eventsOf, runMain, runStarling } from '../support/cli.ts';
import { freshPlace, type Place, type Template, totesysTemplate } from '../support/totesys.ts';

let template: Template;
beforeAll(async () => {
  template = await totesysTemplate();
  // Builds it, where that is to be done.
  await runStarling(['--version'], { cwd: '/', measured: false });
});

interface Ended {
  readonly status: number | null;
  readonly stderr: string;
}

/** Runs the pipeline below a shell that has said this first. */
async function runBelow(setting: string, { directory: cwd, environment }: Place): Promise<Ended> {
  const argv = ['-c', `${setting}; exec "$0" "$@"`, process.execPath, BUNDLE, 'run', '--json'];
  const env = { PATH: process.env['PATH'] ?? '', ...environment };
  const child = spawn('/bin/sh', argv, { cwd, env, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  await once(child, 'close');
  return { status: child.exitCode, stderr };
}

async function leftAside({ lake }: Place): Promise<readonly string[]> {
  const folders = ['ingestion', 'processed'].map((name) => join(lake, name, '.incoming'));
  return (await Promise.all(folders.map(async (folder) => readdir(folder).catch(() => [])))).flat();
}

/** In blocks of 512 bytes. Nothing can be written at all; or no table that is a little larger. */
describe.each([0, 8])('files that may have %i blocks', (blocks) => {
  test('end the run as lake_full, leave no half object, and the next run carries on', async () => {
    const place = await freshPlace(template);
    const { status, stderr } = await runBelow(`ulimit -f ${blocks}`, place);
    expect([status, ...eventsOf(stderr).map(({ kind }) => kind)]).toEqual([1, 'lake_full']);
    expect(stderr).toContain('EFBIG');
    expect(await leftAside(place)).toEqual([]);
    expect(await runMain(['run'], place.environment)).toMatchObject({ status: 0, stderr: '' });
    await expectExact(place);
  });
});
