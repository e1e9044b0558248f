import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { DirectoryLake } from '../../src/local/directory-lake.ts';
import { bytes, chunks, keys, lakeContract, text } from '../shared/lake/contract.ts';

const HOUR_MS = 60 * 60 * 1000;

let home = '';
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'a lake with spaces '));
});
afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

let made = 0;
function freshRoot(): string {
  made += 1;
  return join(home, `not yet there ${made}`, 'ingestion');
}

describe('a directory is a lake', () => {
  lakeContract(async () => new DirectoryLake(freshRoot()));
});

describe('what is written aside', () => {
  test('nothing stays aside, whatever the outcome', async () => {
    const root = freshRoot();
    const lake = new DirectoryLake(root);
    await lake.put('data/t/part-0.csv', chunks(bytes('x')));
    await lake.putIfAbsent('log/1.json', bytes('x'));
    await lake.putIfAbsent('log/1.json', bytes('y'));
    await lake.replace('state/load.json', bytes('x'));
    await expect(lake.put('data/t/part-0.csv', chunks(bytes('x')))).rejects.toThrow('another object');
    expect(await readdir(join(root, '.incoming'))).toEqual([]);
  });

  test('what a killed process left does not count, and is swept when it is an hour old', async () => {
    const root = freshRoot();
    const aside = join(root, '.incoming');
    await mkdir(aside, { recursive: true });
    for (const [name, ageMs] of [['old', HOUR_MS + 60_000], ['young', HOUR_MS - 60_000]] as const) {
      await writeFile(join(aside, name), 'half an obj');
      await utimes(join(aside, name), new Date(), new Date(Date.now() - ageMs));
    }
    const lake = new DirectoryLake(root);
    expect(await keys(lake)).toEqual([]);
    expect((await readdir(aside)).toSorted()).toEqual(['old', 'young']);
    await lake.put('data/t/part-0.csv', chunks(bytes('x')));
    expect(await readdir(aside)).toEqual(['young']);
  });

  test.each([
    ['is left alone while its writer is alive', process.pid, 1],
    // One that has ended: nobody gets its id so soon.
    ['is swept at once when its writer is dead', spawnSync(process.execPath, ['--version']).pid, 0],
  ])('a half object %s', async (_what, pid, left) => {
    const root = freshRoot();
    let aside = '';
    const watched = (async function* () {
      yield bytes('half an obj');
      [aside = ''] = await readdir(join(root, '.incoming'));
      yield bytes('ect');
    })();
    await new DirectoryLake(root).put('data/t/part-0.csv', watched);
    const name = aside.replace(`-${process.pid}-`, `-${pid}-`);
    await writeFile(join(root, '.incoming', name), 'half an obj');
    await new DirectoryLake(root).put('data/t/part-1.csv', chunks(bytes('x')));
    expect(await readdir(join(root, '.incoming'))).toEqual(left === 1 ? [name] : []);
  });
});

describe('what people leave in a directory', () => {
  test('hidden files, odd names and links are no objects', async () => {
    const root = freshRoot();
    const lake = new DirectoryLake(root);
    await lake.put('data/t/part-0.csv', chunks(bytes('x')));
    await writeFile(join(root, 'data', '.DS_Store'), '');
    await writeFile(join(root, 'data', 'a note.txt'), '');
    await symlink(root, join(root, 'data', 'loop'));
    expect(await keys(lake)).toEqual(['data/t/part-0.csv']);
  });

  test('a file where a folder should be is lake_denied, which names both', async () => {
    const root = freshRoot();
    const lake = new DirectoryLake(root);
    await lake.putIfAbsent('data', bytes('x'));
    const message = `the lake directory ${root} cannot be used: ${join(root, 'data')} is not a directory (EEXIST)`;
    const denied = { kind: 'lake_denied', message };
    await expect(lake.putIfAbsent('data/t', bytes('x'))).rejects.toMatchObject(denied);
    await expect(lake.replace('data/t', bytes('x'))).rejects.toMatchObject(denied);
    await expect(lake.get('data/t')).rejects.toMatchObject({ kind: 'lake_missing' });
    await lake.delete('data/t');
    expect(await keys(lake, 'data/')).toEqual([]);
  });

  test.each(['.', 'below'])('a file where the lake should be (at %s) is lake_denied, and no empty lake', async (at) => {
    const file = join(home, `file ${at}`);
    await writeFile(file, '');
    const root = join(file, at);
    const lake = new DirectoryLake(root);
    const denied = { kind: 'lake_denied', message: `the lake directory ${root} cannot be used: ` };
    const inTheWay = { ...denied, message: `${denied.message}${file} is not a directory (EEXIST)` };
    const notThere = { ...denied, message: `${denied.message}${root} is not a directory (ENOTDIR)` };
    await expect(lake.putIfAbsent('log/1.json', bytes('x'))).rejects.toMatchObject(inTheWay);
    await expect(keys(lake)).rejects.toMatchObject(notThere);
    await expect(keys(lake, 'log/')).rejects.toMatchObject(notThere);
    await expect(lake.get('log/1.json')).rejects.toMatchObject(notThere);
    await expect(lake.delete('log/1.json')).rejects.toMatchObject(notThere);
  });

  test.runIf(existsSync('/proc/self'))('a place where nothing can be made fails, and does not hang', async () => {
    const lake = new DirectoryLake('/proc/starling/lake');
    const message = 'the lake directory /proc/starling/lake cannot be used: ENOENT';
    await expect(lake.putIfAbsent('log/1.json', bytes('x'))).rejects.toMatchObject({ message });
    expect(await keys(lake)).toEqual([]);
  });
});

const RACER = `
import { DirectoryLake } from './directory-lake.mjs';
const [root, rounds] = process.argv.slice(2);
const lake = new DirectoryLake(root);
process.once('message', async () => {
  const won = [];
  for (let round = 1; round <= Number(rounds); round += 1) {
    const outcome = await lake.putIfAbsent('log/' + round + '/entry', Buffer.from(String(process.pid)));
    if (outcome === 'created') won.push(round);
  }
  process.send(won, () => process.disconnect());
});
process.send('ready');
`;

test('of racing processes exactly one wins each key', { timeout: 60_000 }, async () => {
  const rounds = 20;
  const outfile = join(home, 'directory-lake.mjs');
  await build({
    entryPoints: ['src/local/directory-lake.ts'], outfile, bundle: true, platform: 'node', format: 'esm',
    logLevel: 'silent',
  });
  await writeFile(join(home, 'racer.mjs'), RACER);
  const root = freshRoot();
  const racers = Array.from({ length: 4 }, () => fork(join(home, 'racer.mjs'), [root, String(rounds)]));
  await Promise.all(racers.map((racer) => once(racer, 'message')));
  const results = racers.map((racer) => once(racer, 'message'));
  for (const racer of racers) racer.send('go');
  const won = (await Promise.all(results)).flatMap(([rows]) => rows);
  expect(won.toSorted((a: number, b: number) => a - b)).toEqual(Array.from({ length: rounds }, (_, at) => at + 1));
  const pids = racers.map((racer) => String(racer.pid));
  expect(pids).toContain(await text(new DirectoryLake(root), 'log/1/entry'));
});
