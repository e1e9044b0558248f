import { open, readdir, rename, stat, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { callbackify } from 'node:util';

import { PipelineError } from '../shared/errors.ts';
import type { ErrorKind } from '../shared/errors.ts';
import { checkKey, checkPrefix, isKey } from '../shared/lake/key.ts';
import type { Lake } from '../shared/lake/lake.ts';
import { errorCode, isFolder, linkOnce, makeFolders, syncFolder } from './disk.ts';
import { asideName, discard, INCOMING, sweep } from './incoming.ts';

/** As transform looks at them: the next megabyte comes while it is at one. */
const READ_BYTES = 1024 * 1024;
/** Each write is a task of its own in another thread: by the 20 kB that a COPY brings at a time, they cost more than they write. */
const WRITE_BYTES = 512 * 1024;

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
    const opened = await this.#onDisk(key, () => this.#open(path));
    if (opened !== null) return this.#stream(opened.handle, key, Math.min(READ_BYTES, opened.bytes + 1));
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
    await this.#onDisk(key, async () => {
      try {
        await makeFolders(dirname(path));
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
    await this.#onDisk(key, async () => {
      try {
        await unlink(path);
      } catch (error) {
        if (!(await this.#hasNot(error))) throw error;
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
    const path = join(await this.#onDisk(key, () => this.#incoming()), await asideName());
    const handle = await this.#onDisk(key, () => open(path, 'wx'));
    let bytes = 0;
    try {
      for await (const block of inBlocks(body, WRITE_BYTES)) {
        await this.#onDisk(key, () => handle.writeFile(block));
        bytes += block.byteLength;
      }
      await this.#onDisk(key, () => handle.sync());
      await this.#onDisk(key, () => handle.close());
    } catch (error) {
      // Of what is open or not it says nothing new: the error is known.
      await handle.close().catch(() => undefined);
      await discard(path);
      // Somebody killed may have left what fills the disk.
      if (error instanceof PipelineError && error.kind === 'lake_full') this.#swept = false;
      throw error;
    }
    return { path, bytes };
  }

  /** Hard-linking fails where the name is taken, which renaming does not: of all racers exactly one gets through. */
  async #publish(key: string, aside: string, path: string): Promise<'created' | 'exists'> {
    return this.#onDisk(key, async () => {
      try {
        await makeFolders(dirname(path));
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
    const firstMade = await makeFolders(folder);
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
    return this.#onDisk(folder, async () => {
      try {
        const entries = await readdir(join(this.location, folder), { withFileTypes: true });
        return entries
          .filter((entry) => isKey(entry.name) && (entry.isFile() || entry.isDirectory()))
          .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
          .toSorted();
      } catch (error) {
        if (await this.#hasNot(error)) return [];
        throw error;
      }
    });
  }

  async #open(path: string): Promise<{ readonly handle: FileHandle; readonly bytes: number } | null> {
    try {
      const found = await stat(path);
      return found.isFile() ? { handle: await open(path, 'r'), bytes: found.size } : null;
    } catch (error) {
      if (await this.#hasNot(error)) return null;
      throw error;
    }
  }

  /** Whether it says that the lake has no such object; a file in the place of the lake itself says nothing of that. */
  async #hasNot(error: unknown): Promise<boolean> {
    return errorCode(error) === 'ENOENT' || (errorCode(error) === 'ENOTDIR' && (await isFolder(this.location)));
  }

  /** @param pieceBytes At most so many at a time. */
  #stream(handle: FileHandle, key: string, pieceBytes: number): Readable {
    const read = (): Promise<Buffer> => this.#onDisk(key, async () => {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(pieceBytes), 0, pieceBytes, null);
      return buffer.subarray(0, bytesRead);
    });
    return new Readable({
      highWaterMark: pieceBytes,
      read() {
        read().then(
          (bytes) => this.push(bytes.byteLength === 0 ? null : bytes),
          (error: unknown) => this.destroy(error instanceof Error ? error : new Error('read', { cause: error })),
        );
      },
      destroy(error, done) {
        callbackify(() => handle.close())((closing) => done(error ?? closing));
      },
    });
  }

  async #onDisk<T>(key: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw explained(error, this.location, key);
    }
  }
}

/** The same bytes, at least so many at a time but for the last. */
async function* inBlocks(body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, leastBytes: number): AsyncGenerator<Uint8Array> {
  let [held, bytes]: [Uint8Array[], number] = [[], 0];
  for await (const chunk of body) {
    held.push(chunk);
    bytes += chunk.byteLength;
    if (bytes < leastBytes) continue;
    yield held.length === 1 ? chunk : Buffer.concat(held, bytes);
    [held, bytes] = [[], 0];
  }
  if (bytes > 0) yield Buffer.concat(held, bytes);
}

const KINDS: Readonly<Record<string, ErrorKind>> = {
  ENOSPC: 'lake_full', EDQUOT: 'lake_full', EFBIG: 'lake_full',
  EACCES: 'lake_denied', EPERM: 'lake_denied', EROFS: 'lake_denied', ENOTDIR: 'lake_denied', EEXIST: 'lake_denied',
};

/** What went wrong on the disk in the lake's terms; what is no error of the disk stays what it is. */
function explained(error: unknown, root: string, key: string): unknown {
  const code = errorCode(error);
  if (code === undefined) return error;
  const kind = KINDS[code] ?? 'lake_unavailable';
  const message = `the lake directory ${root} cannot be used: ${notFolder(error, root) ?? code}`;
  return new PipelineError(kind, message, { key }, error);
}

/** Which path is not a directory though it has to be, if that is what is wrong. */
function notFolder(error: unknown, root: string): string | undefined {
  if (errorCode(error) === 'ENOTDIR') return `${root} is not a directory (ENOTDIR)`;
  // `linkOnce` keeps its own to itself, so this one is of making a folder, and the path is what is in the way.
  if (errorCode(error) !== 'EEXIST' || !(error instanceof Error) || !('path' in error)) return undefined;
  return `${String(error.path)} is not a directory (EEXIST)`;
}
