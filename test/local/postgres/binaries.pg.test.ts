import { chmod, cp, lstat, mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { isRoot, serverAccount } from '../../../src/local/postgres/account.ts';
import { findPackage, prepareBinaries } from '../../../src/local/postgres/binaries.ts';
import { temporaryDirectory } from '../../support/postgres.ts';

const HERE = dirname(fileURLToPath(import.meta.url));
const LINK = 'lib/libpq.so.5';

let original: string;
beforeAll(async () => {
  original = await findPackage(HERE);
});

/** A copy of the package as npm leaves it when it may not run install scripts: without symlinks. */
async function bareCopy(): Promise<string> {
  const prefix = join(await temporaryDirectory(), 'native');
  await cp(original, prefix, { recursive: true, verbatimSymlinks: true });
  for (const entry of await readdir(prefix, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) await rm(join(entry.parentPath, entry.name));
  }
  return prefix;
}

test('the package of this platform is used where it is when that can be read', async () => {
  const copies = join(await temporaryDirectory(), 'binaries');
  const binaries = await prepareBinaries(await serverAccount(), copies);
  expect(binaries.major).toBe(18);
  const places = [join(original, 'bin', 'postgres'), ...(await readdir(copies).catch(() => [])).map((copy) => join(copies, copy, 'bin', 'postgres'))];
  expect(places).toContain(binaries.postgres);
});

test('a platform without a package is told about SOURCE_URL and WAREHOUSE_URL', async () => {
  await expect(findPackage(HERE, 'plan9-mips')).rejects.toMatchObject({
    kind: 'local',
    message: expect.stringMatching(/No PostgreSQL for plan9-mips.*SOURCE_URL and WAREHOUSE_URL/),
  });
});

test('a directory without PostgreSQL is refused', async () => {
  const copies = await temporaryDirectory();
  await expect(prepareBinaries(undefined, copies, '/usr/share')).rejects.toThrow('/usr/share holds no PostgreSQL');
});

test.each(['bin', '.', '..'])('the directory may be given as native/%s', async (part) => {
  const prefix = await bareCopy();
  const binaries = await prepareBinaries(await serverAccount(), 'unused', join(prefix, part));
  expect(binaries.initdb).toBe(join(prefix, 'bin', 'initdb'));
});

test('missing symlinks are made again, by two processes at once', async () => {
  const prefix = await bareCopy();
  await symlink('libpq.so.5.18', join(prefix, 'lib/libpq.so'));
  const account = await serverAccount();
  const both = await Promise.all([1, 2].map(async () => prepareBinaries(account, 'unused', prefix)));
  expect(both.map(({ major }) => major)).toEqual([18, 18]);
  expect((await lstat(join(prefix, LINK))).isSymbolicLink()).toBe(true);
});

test.runIf(isRoot())('what the account cannot read is copied once, also by two at once', async () => {
  const prefix = await bareCopy();
  await chmod(dirname(prefix), 0o700);
  const copies = join(await temporaryDirectory(), 'deep', 'binaries');
  await mkdir(dirname(copies));
  const account = await serverAccount();
  const [first, second] = await Promise.all([1, 2].map(async () => prepareBinaries(account, copies, prefix)));
  expect(first).toEqual(second);
  expect(first?.postgres.startsWith(copies)).toBe(true);
  expect(await readdir(copies)).toHaveLength(1);
});

test('programs that do not run are told about', async () => {
  const prefix = await bareCopy();
  await rm(join(prefix, 'lib'), { recursive: true });
  await rm(join(prefix, 'pg-symlinks.json'));
  const prepared = prepareBinaries(undefined, join(await temporaryDirectory(), 'binaries'), prefix);
  await expect(prepared).rejects.toThrow(/does not run on this system.*SOURCE_URL/);
});
