import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest';

import { DirectoryLake } from '../../src/local/directory-lake.ts';
import { bytes, chunks, content, keys } from '../shared/lake/contract.ts';

// All of it is real until a test makes one call fail.
vi.mock('node:fs/promises', { spy: true });

const failure = (code: string): Error => Object.assign(new Error(`${code}: injected`), { code });

const KINDS = [
  ['ENOSPC', 'lake_full'], ['EDQUOT', 'lake_full'], ['EFBIG', 'lake_full'], ['EACCES', 'lake_denied'], ['EPERM', 'lake_denied'],
  ['EROFS', 'lake_denied'], ['EIO', 'lake_unavailable'], ['EMFILE', 'lake_unavailable'],
];

const roots: string[] = [];
let root = '';
let lake = new DirectoryLake('.');
beforeEach(async () => {
  root = await fs.mkdtemp(join(tmpdir(), 'lake-'));
  roots.push(root);
  lake = new DirectoryLake(root);
});
afterAll(async () => {
  for (const folder of roots) await fs.rm(folder, { recursive: true, force: true });
});

/** The next file to be opened fails where `method` is called on it. */
function failOnce(method: 'writeFile' | 'sync' | 'read', error: Error): void {
  vi.mocked(fs.open).mockImplementationOnce(async (...of) => {
    const handle = await fs.open(...of);
    vi.spyOn(handle, method).mockRejectedValueOnce(error);
    return handle;
  });
}

describe('the disk', () => {
  test.each(KINDS)('%s while writing is %s and leaves nothing', async (code, kind) => {
    failOnce('writeFile', failure(code));
    await expect(lake.put('data/t/part-0.csv', chunks(bytes('x')))).rejects.toMatchObject({ kind });
    expect(await keys(lake)).toEqual([]);
    expect(await fs.readdir(join(root, '.incoming'))).toEqual([]);
  });

  test('a failed sync is a failed put', async () => {
    failOnce('sync', failure('EIO'));
    await expect(lake.putIfAbsent('log/1.json', bytes('x'))).rejects.toMatchObject({ kind: 'lake_unavailable' });
    expect(await keys(lake)).toEqual([]);
  });

  test('a disk that will not open, link, list or remove says why and where, and no more', async () => {
    vi.mocked(fs.open).mockRejectedValueOnce(failure('EMFILE'));
    await expect(lake.putIfAbsent('log/1.json', bytes('x'))).rejects.toMatchObject({ kind: 'lake_unavailable' });
    vi.mocked(fs.link).mockRejectedValueOnce(failure('EPERM'));
    await expect(lake.putIfAbsent('log/1.json', bytes('x'))).rejects.toMatchObject({
      kind: 'lake_denied', message: `the lake directory ${root} cannot be used: EPERM`, context: { key: 'log/1.json' },
    });
    vi.mocked(fs.readdir).mockRejectedValueOnce(failure('EACCES'));
    await expect(keys(lake)).rejects.toMatchObject({ kind: 'lake_denied' });
    vi.mocked(fs.unlink).mockRejectedValueOnce(failure('EROFS'));
    await expect(lake.delete('log/1.json')).rejects.toMatchObject({ kind: 'lake_denied' });
  });

  test('what is no error of the disk is a bug and stays one', async () => {
    vi.mocked(fs.link).mockRejectedValueOnce(new TypeError('a bug'));
    await expect(lake.putIfAbsent('log/1.json', bytes('x'))).rejects.toThrow(TypeError);
  });

  test('a file aside that cannot be removed does not undo a commit', async () => {
    vi.mocked(fs.rm).mockRejectedValueOnce(failure('EIO'));
    expect(await lake.putIfAbsent('log/1.json', bytes('x'))).toBe('created');
    expect(await keys(lake)).toEqual(['log/1.json']);
  });

  test('a read that fails half-way fails the stream', async () => {
    await lake.putIfAbsent('log/1.json', bytes('x'));
    failOnce('read', failure('EIO'));
    await expect(content(lake, 'log/1.json')).rejects.toMatchObject({ kind: 'lake_unavailable' });
    vi.mocked(fs.stat).mockRejectedValueOnce(failure('EIO'));
    await expect(lake.get('log/1.json')).rejects.toMatchObject({ kind: 'lake_unavailable' });
  });
});
