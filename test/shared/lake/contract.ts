import { createHash, randomBytes, randomUUID } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import type { Lake } from '../../../src/shared/lake/lake.ts';

const MIB = 1024 * 1024;
const HOSTILE_KEYS = [
  '', '/', '/etc/passwd', '../x', 'data/../../x', 'data/./x', 'data//x', 'data/', 'data/x\0', 'data\\x', 'data/x y',
  'data/é', '.incoming/x', 'data/.hidden', `data/${'x'.repeat(256)}`, 'x/'.repeat(600) + 'x',
];

export const bytes = (from: string): Uint8Array => Buffer.from(from, 'utf8');

export async function* chunks(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* parts;
}

/** A body that fails after `before` bytes, in chunks of a MiB. */
export async function* failing(before: number, error: Error): AsyncGenerator<Uint8Array, void, undefined> {
  for (let left = before; left > 0; left -= MIB) yield Buffer.alloc(Math.min(left, MIB), 1);
  throw error;
}

export async function content(lake: Lake, key: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  const body: AsyncIterable<Buffer> = await lake.get(key);
  for await (const chunk of body) parts.push(chunk);
  return Buffer.concat(parts);
}

export async function text(lake: Lake, key: string): Promise<string> {
  return (await content(lake, key)).toString('utf8');
}

export async function keys(lake: Lake, prefix = '', after?: string): Promise<string[]> {
  const found: string[] = [];
  for await (const key of lake.list(prefix, after)) found.push(key);
  return found;
}

/** What every lake must do. `fresh` makes an empty one, with pages of at most five keys where there are pages. */
export function lakeContract(fresh: () => Promise<Lake>): void {
  describe('objects', () => {
    objects(fresh);
  });
  describe('put-if-absent', () => {
    races(fresh);
  });
  describe('listing', () => {
    listing(fresh);
  });
  describe('keys', () => {
    refusals(fresh);
  });
}

const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

function objects(fresh: () => Promise<Lake>): void {
  test.each([['an empty', []], ['a small', [bytes('a,b\n'), bytes(''), bytes('1,"é"\n')]]])(
    '%s stream comes back as it was put', async (_size, parts) => {
      const lake = await fresh();
      const whole = Buffer.concat(parts);
      expect(await lake.put('data/t/part-0.csv', chunks(...parts))).toBe(whole.byteLength);
      expect(await content(lake, 'data/t/part-0.csv')).toEqual(whole);
    });

  test('a stream of several parts comes back as it was put', async () => {
    const lake = await fresh();
    const parts = Array.from({ length: 21 }, (_, index) => randomBytes(MIB - 7 + index));
    const whole = Buffer.concat(parts);
    expect(await lake.put('data/t/part-1.csv', chunks(...parts))).toBe(whole.byteLength);
    expect(sha256(await content(lake, 'data/t/part-1.csv'))).toBe(sha256(whole));
  });

  test.each([0, 100, 19 * MIB])('a body that fails after %i bytes leaves no object', async (before) => {
    const lake = await fresh();
    const error = Object.assign(new Error('the source went away'), { code: 'ENOENT' });
    await expect(lake.put('data/t/part-2.csv', failing(before, error))).rejects.toBe(error);
    expect(await keys(lake)).toEqual([]);
  });

  test('an object is never put twice', async () => {
    const lake = await fresh();
    await lake.put('data/t/part-0.csv', chunks(bytes('first')));
    await expect(lake.put('data/t/part-0.csv', chunks(bytes('other')))).rejects.toMatchObject({
      kind: 'lake_unavailable', context: { key: 'data/t/part-0.csv' },
    });
    expect(await text(lake, 'data/t/part-0.csv')).toBe('first');
  });

  test('getting what is not there is lake_missing', async () => {
    const lake = await fresh();
    await lake.put('data/t/part-0.csv', chunks(bytes('x')));
    for (const key of ['data/t/part-1.csv', 'data/t', 'log/00000000000000000001.json']) {
      await expect(lake.get(key)).rejects.toMatchObject({ kind: 'lake_missing', context: { key } });
    }
  });

  test('a stream can be given up before it was read', async () => {
    const lake = await fresh();
    await lake.put('data/t/part-0.csv', chunks(randomBytes(MIB)));
    const stream = await lake.get('data/t/part-0.csv');
    stream.destroy();
    await expect(stream.toArray()).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
    expect((await content(lake, 'data/t/part-0.csv')).byteLength).toBe(MIB);
  });

  test('replace overwrites, whether or not there was anything', async () => {
    const lake = await fresh();
    await lake.replace('state/ingest.json', bytes('the first, and longer'));
    await lake.replace('state/ingest.json', bytes('second'));
    expect(await text(lake, 'state/ingest.json')).toBe('second');
    expect(await keys(lake)).toEqual(['state/ingest.json']);
  });

  test('deleting is done once and may be done again', async () => {
    const lake = await fresh();
    await lake.put('data/t/part-0.csv', chunks(bytes('x')));
    for (let time = 1; time <= 2; time += 1) await lake.delete('data/t/part-0.csv');
    await lake.delete('never/there');
    expect(await keys(lake)).toEqual([]);
  });
}

function races(fresh: () => Promise<Lake>): void {
  test('of twenty racers for a key exactly one wins, and its content is there', async () => {
    const lake = await fresh();
    for (let round = 1; round <= 5; round += 1) {
      const key = `log/${round}.json`;
      const racers = Array.from({ length: 20 }, () => randomUUID());
      const outcomes = await Promise.all(racers.map(async (racer) => lake.putIfAbsent(key, bytes(racer))));
      expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1);
      expect(await text(lake, key)).toBe(racers[outcomes.indexOf('created')]);
    }
  });

  test('what exists is not changed', async () => {
    const lake = await fresh();
    expect(await lake.putIfAbsent('log/1.json', bytes('mine'))).toBe('created');
    expect(await lake.putIfAbsent('log/1.json', bytes('another'))).toBe('exists');
    expect(await text(lake, 'log/1.json')).toBe('mine');
  });
}

function listing(fresh: () => Promise<Lake>): void {
  const stored = [
    'a/x', 'a-b/x', 'a-b/y/z', 'a.b', 'a/1/2/3', 'a0/x', 'B/x', 'b', 'b-', 'b_/x',
    'log/1.json', 'log/2.json', 'log/10.json',
  ];
  const inOrder = stored.toSorted();

  async function filled(): Promise<Lake> {
    const lake = await fresh();
    for (const key of stored) await lake.putIfAbsent(key, bytes('x'));
    return lake;
  }

  test('an empty lake has no keys', async () => {
    const lake = await fresh();
    expect(await keys(lake)).toEqual([]);
    expect(await keys(lake, 'log/', 'log/1.json')).toEqual([]);
  });

  test('keys come in byte order of the whole key', async () => {
    expect(await keys(await filled())).toEqual(inOrder);
  });

  test('only keys after the one given come, whatever it is', async () => {
    const lake = await filled();
    for (const after of [...stored, 'a', 'a/', 'a/1/', 'a/1/2/4', 'a-', 'a-z', 'log/', 'log/2', 'zz', 'A', '~', ' ']) {
      expect([after, await keys(lake, '', after)]).toEqual([after, inOrder.filter((key) => key > after)]);
    }
  });

  test('a prefix may end anywhere', async () => {
    const lake = await filled();
    for (const prefix of ['a', 'a/', 'a/1', 'a-b/y/z', 'b', 'log/1', 'log/', 'nothing', 'a.b/']) {
      const under = inOrder.filter((key) => key.startsWith(prefix));
      expect([prefix, await keys(lake, prefix)]).toEqual([prefix, under]);
      expect([prefix, await keys(lake, prefix, 'a/1/2')]).toEqual([prefix, under.filter((key) => key > 'a/1/2')]);
    }
  });

  test('a listing can be left early', async () => {
    for await (const key of (await filled()).list('log/')) {
      expect(key).toBe('log/1.json');
      break;
    }
  });
}

function refusals(fresh: () => Promise<Lake>): void {
  test.each(HOSTILE_KEYS)('the key %j is refused by everything', async (key) => {
    const lake = await fresh();
    const refused = { kind: 'lake_corrupt' };
    await expect(lake.get(key)).rejects.toMatchObject(refused);
    await expect(lake.put(key, chunks(bytes('x')))).rejects.toMatchObject(refused);
    await expect(lake.putIfAbsent(key, bytes('x'))).rejects.toMatchObject(refused);
    await expect(lake.replace(key, bytes('x'))).rejects.toMatchObject(refused);
    await expect(lake.delete(key)).rejects.toMatchObject(refused);
    expect(await keys(lake)).toEqual([]);
  });

  test.each(['../', '/', 'data/../', 'data//', '.incoming/'])('the prefix %j is refused', async (prefix) => {
    await expect(keys(await fresh(), prefix)).rejects.toMatchObject({ kind: 'lake_corrupt' });
  });
}
