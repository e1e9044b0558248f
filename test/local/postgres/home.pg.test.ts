import { chown, cp, mkdir, readdir, rename, rm, symlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { canAccess, isRoot, parsePasswd, serverAccount } from '../../../src/local/postgres/account.ts';
import { sweepAsides } from '../../../src/local/postgres/files.ts';
import { findHome, makeHome } from '../../../src/local/postgres/home.ts';
import { temporaryDirectory } from '../../support/postgres.ts';
import { make, places } from './places.ts';

test('accounts are read from passwd, whatever else is in it', () => {
  const text = '# comment\nroot:x:0:0::/root:/bin/sh\nnobody:*:-2:-2::/:/bin/false\n\nbroken:x\n';
  expect([...parsePasswd(text)]).toEqual([
    ['root', { uid: 0, gid: 0 }],
    ['nobody', { uid: -2, gid: -2 }],
  ]);
});

test('the home is the directory itself when the server can work there', async () => {
  const directory = join(await temporaryDirectory(), 'postgres');
  const home = await makeHome(directory, await serverAccount());
  expect(home.path).toBe(home.directory);
  expect(await readdir(directory)).toEqual([]);
});

describe.runIf(isRoot())('a home elsewhere', () => {
  test('is used when the account cannot get to the directory, and can be reached by it', async () => {
    const at = await places();
    const home = await make(at);
    expect(home.path.startsWith(join(at.elsewhere, 'starling-0-'))).toBe(true);
    const account = await serverAccount();
    expect(await canAccess(account, 'traverse', home.path)).toBe(true);
    expect(await canAccess(account, 'write', home.path)).toBe(false);
    expect(await findHome(at.directory, at.elsewhere)).toEqual(home);
  });

  test('is refused when somebody else made it, or it is a link', async () => {
    const at = await places();
    const home = await make(at);
    const nobody = await serverAccount();
    await chown(home.path, nobody?.uid ?? 1, nobody?.gid ?? 1);
    expect(await findHome(at.directory, at.elsewhere)).toBeUndefined();
    await expect(make(at)).rejects.toThrow(/belongs to somebody else: find out who made it/);
    await rm(home.path, { recursive: true });
    await symlink(await temporaryDirectory(), home.path);
    await expect(make(at)).rejects.toThrow(/find out who made it/);
  });

  test('is found again after the project was moved, and stays with the original when it was copied', async () => {
    const at = await places();
    const home = await make(at);
    const copy = `${at.project} copy`;
    await cp(at.project, copy, { recursive: true });
    expect(await findHome(join(copy, 'postgres'), at.elsewhere)).toBeUndefined();
    expect((await make({ ...at, directory: join(copy, 'postgres') })).path).not.toBe(home.path);

    const moved = `${at.project} moved`;
    await rename(at.project, moved);
    expect((await findHome(join(moved, 'postgres'), at.elsewhere))?.path).toBe(home.path);
  });

  test('is the same for all who make it at once, also in a copy', async () => {
    const at = await places();
    const [first, ...others] = await Promise.all([1, 2, 3, 4].map(async () => make(at)));
    expect(others).toEqual([first, first, first]);
    await cp(at.project, `${at.project} copy`, { recursive: true });
    const copy = { ...at, directory: join(`${at.project} copy`, 'postgres') };
    const [second, ...more] = await Promise.all([1, 2, 3, 4].map(async () => make(copy)));
    expect(more).toEqual([second, second, second]);
    expect(second?.path).not.toBe(first?.path);
  });

  test('is a new one when the directory was removed and made again', async () => {
    const at = await places();
    const { path } = await make(at);
    await rm(at.directory, { recursive: true });
    expect((await make(at)).path).not.toBe(path);
  });

  test('is made again in its place when /var/tmp was cleared', async () => {
    const at = await places();
    const { path } = await make(at);
    await rm(path, { recursive: true });
    expect(await findHome(at.directory, at.elsewhere)).toBeUndefined();
    expect((await make(at)).path).toBe(path);
  });
});

test('what a killed process left aside is removed once it is old', async () => {
  const parent = await temporaryDirectory();
  for (const name of ['cluster.aside-old', 'cluster.aside-new', 'cluster']) await mkdir(join(parent, name));
  const anHourAgo = new Date(Date.now() - 60 * 60_000);
  for (const name of ['cluster.aside-old', 'cluster']) await utimes(join(parent, name), anHourAgo, anHourAgo);
  await sweepAsides(parent);
  expect((await readdir(parent)).toSorted()).toEqual(['cluster', 'cluster.aside-new']);
});
