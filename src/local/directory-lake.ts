import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { callbackify } from 'node:util';

import { PipelineError } from '../shared/errors.ts';
import type { ErrorKind } from '../shared/errors.ts';
import { checkKey, checkPrefix, isKey } from '../shared/lake/key.ts';
import type { Lake } from '../shared/lake/lake.ts';

/** Where files are written aside. No key can name it, since no segment of a key is hidden. */
const INCOMING = '.incoming';
const READ_BYTES = 256 * 1024;
/** A file aside that nobody has written to for this long was left by a process that was killed. */
const ABANDONED_AFTER_MS = 24 * 60 * 60 * 1000;

/**
 * A lake in a directory of one file system with hard links. An object is written aside, synced, and then linked to its
 * key, so that it exists whole or not at all and survives a power cut once the call has returned.
 */
export class DirectoryLake implements Lake {
  readonly location: string;
  #swept = false;

  constructor(root: string) {
    this.location = resolve(root);
  }

  async get(key: string): Promise<Readable> {
    const path = this.#path(key);
    const opened = async (): Promise<FileHandle | null> => ((await stat(path)).isFile() ? open(path, 'r') : null);
    const handle = await onDisk(key, opened, 'lake_missing');
    if (handle !== null) return fileStream(handle, key);
    throw new PipelineError('lake_missing', `there is no object ${key}`, { key });
  }

  async put(key: string, body: AsyncIterable<Uint8Array>): Promise<number> {
    const path = this.#path(key);
    const aside = await this.#writeAside(key, body);
    if ((await this.#publish(key, aside.path, path)) === 'created') return aside.bytes;
    throw new PipelineError('lake_unavailable', `another object is at ${key} already`, { key });
  }

  async putIfAbsent(key: string, body: Uint8Array): Promise<'created' | 'exists'> {
    const path = this.#path(key);
    const aside = await this.#writeAside(key, [body]);
    return this.#publish(key, aside.path, path);
  }

  async replace(key: string, body: Uint8Array): Promise<void> {
    const path = this.#path(key);
    const aside = await this.#writeAside(key, [body]);
    await onDisk(key, async () => {
      try {
        await mkdir(dirname(path), { recursive: true });
        await rename(aside.path, path);
      } finally {
        await discard(aside.path);
      }
      await this.#syncFolders(dirname(path));
    });
  }

  async *list(prefix: string, after = ''): AsyncGenerator<string, void, undefined> {
    checkPrefix(prefix);
    yield* this.#walk(prefix.slice(0, prefix.lastIndexOf('/') + 1), prefix, after);
  }

  async delete(key: string): Promise<void> {
    const path = this.#path(key);
    await onDisk(key, async () => {
      try {
        await unlink(path);
      } catch (error) {
        if (!isAbsent(error)) throw error;
      }
    });
  }

  #path(key: string): string {
    checkKey(key);
    return join(this.location, key);
  }

  /** An error of the body is the caller's own and passes unchanged, even where it looks like one of the disk. */
  async #writeAside(
    key: string, body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<{ readonly path: string; readonly bytes: number }> {
    const path = join(await onDisk(key, () => this.#incoming()), randomUUID());
    const handle = await onDisk(key, () => open(path, 'wx'));
    let bytes = 0;
    try {
      for await (const chunk of body) {
        await onDisk(key, () => handle.writeFile(chunk));
        bytes += chunk.byteLength;
      }
      await onDisk(key, () => handle.sync());
    } catch (error) {
      await discard(path);
      throw error;
    } finally {
      await onDisk(key, () => handle.close());
    }
    return { path, bytes };
  }

  /** Hard-linking fails where the name is taken, which renaming does not: of all racers exactly one gets through. */
  async #publish(key: string, aside: string, path: string): Promise<'created' | 'exists'> {
    return onDisk(key, async () => {
      try {
        await mkdir(dirname(path), { recursive: true });
        const outcome = await linkOnce(aside, path);
        // Also when somebody else was first: that it exists must be true after a power cut too.
        await this.#syncFolders(dirname(path));
        return outcome;
      } finally {
        await discard(aside);
      }
    });
  }

  /** All the way up, not only where this process made a folder: another one may have, and not have synced it yet. */
  async #syncFolders(from: string): Promise<void> {
    for (let folder = from; folder !== this.location; folder = dirname(folder)) await syncFolder(folder);
    await syncFolder(this.location);
  }

  async #incoming(): Promise<string> {
    const folder = join(this.location, INCOMING);
    const firstMade = await mkdir(folder, { recursive: true });
    if (firstMade !== undefined && firstMade !== folder) {
      for (let made = this.location; made.length >= firstMade.length; made = dirname(made)) {
        await syncFolder(dirname(made));
      }
    }
    if (!this.#swept) {
      this.#swept = true;
      await sweep(folder);
    }
    return folder;
  }

  /** `folder` is empty or ends with a slash, as do the names of folders in it, which puts whole keys in byte order. */
  async *#walk(folder: string, prefix: string, after: string): AsyncGenerator<string, void, undefined> {
    for (const name of await this.#names(folder)) {
      const key = `${folder}${name}`;
      if (!name.endsWith('/')) {
        if (key.startsWith(prefix) && key > after) yield key;
      } else if ((key.startsWith(prefix) || prefix.startsWith(key)) && (key > after || after.startsWith(key))) {
        yield* this.#walk(key, prefix, after);
      }
    }
  }

  async #names(folder: string): Promise<string[]> {
    return onDisk(folder, async () => {
      try {
        const entries = await readdir(join(this.location, folder), { withFileTypes: true });
        return entries
          .filter((entry) => isKey(entry.name) && (entry.isFile() || entry.isDirectory()))
          .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
          .toSorted();
      } catch (error) {
        if (isAbsent(error)) return [];
        throw error;
      }
    });
  }
}

async function linkOnce(aside: string, path: string): Promise<'created' | 'exists'> {
  try {
    await link(aside, path);
    return 'created';
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return 'exists';
    throw error;
  }
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What cannot be removed now is swept another day; it must not hide how the call itself ended. */
async function discard(aside: string): Promise<void> {
  await rm(aside, { force: true }).catch(() => null);
}

async function sweep(folder: string): Promise<void> {
  const oldest = Date.now() - ABANDONED_AFTER_MS;
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    // Another process may be sweeping, or be done with its file: what is gone is swept.
    const file = await stat(path).catch(() => null);
    if (file !== null && file.mtimeMs < oldest) await discard(path);
  }
}

function fileStream(handle: FileHandle, key: string): Readable {
  return new Readable({
    highWaterMark: READ_BYTES,
    read() {
      onDisk(key, () => handle.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES, null)).then(
        ({ bytesRead, buffer }) => this.push(bytesRead === 0 ? null : buffer.subarray(0, bytesRead)),
        (error: unknown) => this.destroy(error instanceof Error ? error : new Error('read', { cause: error })),
      );
    },
    destroy(error, done) {
      callbackify(() => handle.close())((closing) => done(error ?? closing));
    },
  });
}

const KINDS: Readonly<Record<string, ErrorKind>> = {
  ENOSPC: 'lake_full', EDQUOT: 'lake_full',
  EACCES: 'lake_denied', EPERM: 'lake_denied', EROFS: 'lake_denied',
};

/** Does something on the disk, and says what went wrong in the lake's terms. */
async function onDisk<T>(key: string, work: () => Promise<T>, whenAbsent: ErrorKind = 'lake_unavailable'): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    const kind = isAbsent(error) ? whenAbsent : (KINDS[code] ?? 'lake_unavailable');
    const message = kind === 'lake_missing' ? `there is no object ${key}` : `the lake directory failed with ${code}`;
    throw new PipelineError(kind, message, { key }, error);
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function isAbsent(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}
