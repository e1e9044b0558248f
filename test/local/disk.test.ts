import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { isFolder, makeFolders } from '../../src/local/disk.ts';

let place = '';
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'disk '));
});
afterAll(async () => {
  await rm(place, { recursive: true, force: true });
});

describe('makeFolders', () => {
  test('makes all that are missing and says which was the first', async () => {
    expect(await makeFolders(join(place, 'a', 'b', 'c'))).toBe(join(place, 'a'));
    expect(await makeFolders(join(place, 'a', 'b', 'd'))).toBe(join(place, 'a', 'b', 'd'));
    expect(await makeFolders(join(place, 'a', 'b'))).toBeUndefined();
    expect(await makeFolders('/')).toBeUndefined();
    expect(await isFolder(join(place, 'a', 'b', 'c'))).toBe(true);
  });

  test('goes through a link to a folder', async () => {
    await mkdir(join(place, 'real'));
    await symlink(join(place, 'real'), join(place, 'link'));
    expect(await makeFolders(join(place, 'link', 'in it'))).toBe(join(place, 'link', 'in it'));
    expect(await isFolder(join(place, 'real', 'in it'))).toBe(true);
  });

  test('can be called by many at once', async () => {
    const path = join(place, 'many', 'at', 'once');
    await Promise.all(Array.from({ length: 20 }, () => makeFolders(path)));
    expect(await isFolder(path)).toBe(true);
  });

  test('says what is in the way', async () => {
    await writeFile(join(place, 'file'), '');
    await symlink(join(place, 'nowhere'), join(place, 'dangling'));
    for (const name of ['file', 'dangling']) {
      const refused = { code: 'EEXIST', path: join(place, name) };
      await expect(makeFolders(join(place, name))).rejects.toMatchObject(refused);
      await expect(makeFolders(join(place, name, 'x', 'y'))).rejects.toMatchObject(refused);
    }
  });

  test.runIf(existsSync('/proc/self'))('fails where the system lets nobody make anything', async () => {
    const refused = { code: 'ENOENT', path: '/proc/starling' };
    await expect(makeFolders('/proc/starling/x')).rejects.toMatchObject(refused);
  });
});
