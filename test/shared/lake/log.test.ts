import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { inspect } from 'node:util';

import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { DirectoryLake } from '../../../src/local/directory-lake.ts';
import { PipelineError } from '../../../src/shared/errors.ts';
import { batchOfLogKey, logKey } from '../../../src/shared/lake/key.ts';
import type { Lake } from '../../../src/shared/lake/lake.ts';
import { Log, logEntryBase } from '../../../src/shared/lake/log.ts';
import { bytes } from './contract.ts';

const schema = v.object({ ...logEntryBase, tables: v.record(v.string(), v.number()) });
type Entry = v.InferOutput<typeof schema>;

const LOG_ID = randomUUID();

function entry(batch: number, attempt: string = randomUUID()): Entry {
  return { format: 1, log_id: LOG_ID, batch, attempt, committed_at: '2024-08-07T12:00:00.000Z', tables: { staff: 3 } };
}

let home = '';
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'log-'));
});
afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

const freshLake = (): DirectoryLake => new DirectoryLake(join(home, randomUUID()));
const open = (lake: Lake): Log<Entry> => new Log(lake, schema);

async function filled(upTo: number): Promise<DirectoryLake> {
  const lake = freshLake();
  for (let batch = 1; batch <= upTo; batch += 1) expect(await open(lake).commit(entry(batch))).toBe('won');
  return lake;
}

/** A lake with `head` entries that are only names; counts listings and the keys that were looked at. */
class NamesOnly implements Lake {
  readonly location = 'nowhere';
  head: number;
  probes = 0;
  keysSeen = 0;
  readonly #missing: ReadonlySet<number>;
  /** Entries that listings leave out. */
  readonly #unlisted: ReadonlySet<number>;

  constructor(head: number, missing: readonly number[] = [], unlisted: readonly number[] = []) {
    this.head = head;
    this.#missing = new Set(missing);
    this.#unlisted = new Set([...missing, ...unlisted]);
  }

  async *list(_prefix: string, after?: string): AsyncGenerator<string, void, undefined> {
    this.probes += 1;
    yield 'log/.not-an-entry';
    for (let batch = (batchOfLogKey(after ?? '') ?? 0) + 1; batch <= this.head; batch += 1) {
      this.keysSeen += 1;
      if (!this.#unlisted.has(batch)) yield logKey(batch);
    }
  }

  async get(key: string): Promise<Readable> {
    if (this.#missing.has(batchOfLogKey(key) ?? 0)) throw new PipelineError('lake_missing', 'gone', { key });
    return Readable.from([]);
  }

  put = async (): Promise<never> => { throw new Error('read only'); };
  putIfAbsent = async (): Promise<never> => { throw new Error('read only'); };
  replace = async (): Promise<never> => { throw new Error('read only'); };
  delete = async (): Promise<never> => { throw new Error('read only'); };
}

describe('the head', () => {
  test('of an empty log is 0, whatever the hint', async () => {
    for (const hint of [undefined, 0, 1, 7, 100_000]) expect(await open(freshLake()).head(hint)).toBe(0);
  });

  test('is found with a hint that is right, stale, too high, or nonsense', async () => {
    const lake = await filled(5);
    for (const hint of [undefined, 0, 1, 3, 5, 6, 7, 50, 1e9, Number.MAX_SAFE_INTEGER, -4, 2.5, Number.NaN, Infinity]) {
      expect([hint, await open(lake).head(hint)]).toEqual([hint, 5]);
    }
  });

  test.each([1, 2, 999, 1000, 1001, 1999, 2000, 2001, 3000, 3001, 123_456])('%i is found exactly', async (head) => {
    for (const hint of [0, 1, head - 1, head, head + 1, Math.floor(head / 3), 2 * head, 1e12]) {
      expect([hint, await open(new NamesOnly(head)).head(hint)]).toEqual([hint, head]);
    }
  });

  test('takes one probe where the hint is good, and few and short ones where there is none', async () => {
    const near = new NamesOnly(100_000);
    await open(near).head(99_900);
    expect([near.probes, near.keysSeen]).toEqual([1, 101]);
    const far = new NamesOnly(100_000);
    await open(far).head();
    expect(far.probes).toBeLessThan(20);
    expect(far.keysSeen).toBeLessThan(20_000);
  });

  test('is remembered as the next hint', async () => {
    const lake = new NamesOnly(50_000);
    const log = open(lake);
    await log.head();
    lake.head += 3;
    lake.probes = 0;
    expect(await log.head(10)).toBe(50_003);
    expect(lake.probes).toBe(1);
  });

  test('is not believed where an entry before it is gone', async () => {
    for (const hint of [0, 4]) {
      await expect(open(new NamesOnly(9, [4])).head(hint)).rejects.toMatchObject({
        kind: 'lake_missing', context: { key: logKey(4) },
      });
    }
  });

  test('may be listed before the entry in front of it is, while others are writing', async () => {
    expect(await open(new NamesOnly(9, [], [4, 8])).head()).toBe(9);
  });
});

/** The first `times` answers to a put-if-absent are lost, after it has taken effect or before. */
function losing(lake: Lake, times: number, when: 'after' | 'before', error: Error): Lake {
  let left = times;
  return {
    location: lake.location,
    get: async (key) => lake.get(key),
    put: async (key, body) => lake.put(key, body),
    replace: async (key, body) => lake.replace(key, body),
    delete: async (key) => lake.delete(key),
    list: (prefix, after) => lake.list(prefix, after),
    putIfAbsent: async (key, body) => {
      left -= 1;
      if (left >= 0 && when === 'before') throw error;
      const outcome = await lake.putIfAbsent(key, body);
      if (left >= 0) throw error;
      return outcome;
    },
  };
}
const unavailable = new PipelineError('lake_unavailable', 'no answer');

describe('a commit', () => {
  test('can be read by everybody', async () => {
    const lake = freshLake();
    const mine = entry(1);
    expect(await open(lake).commit(mine)).toBe('won');
    expect(await open(lake).read(1)).toEqual(mine);
  });

  test('is won by exactly one of twenty', async () => {
    for (let round = 1; round <= 5; round += 1) {
      const lake = freshLake();
      const entries = Array.from({ length: 20 }, () => entry(1));
      const outcomes = await Promise.all(entries.map(async (racer) => open(lake).commit(racer)));
      expect(outcomes.filter((outcome) => outcome === 'won')).toHaveLength(1);
      expect(await open(lake).read(1)).toEqual(entries[outcomes.indexOf('won')]);
    }
  });

  test('made twice is won twice: it is the same', async () => {
    const lake = freshLake();
    const mine = entry(1);
    for (let time = 1; time <= 2; time += 1) expect(await open(lake).commit(mine)).toBe('won');
    expect(await open(lake).commit(entry(1))).toBe('lost');
  });

  test('that could not be read back is a bug and is not written', async () => {
    const lake = freshLake();
    const broken = { ...entry(1), tables: { staff: Number.NaN } };
    await expect(open(lake).commit(broken)).rejects.toThrow(TypeError);
    expect(await open(lake).head()).toBe(0);
  });

  test('whose answer was lost is still known to be won', async () => {
    const lake = freshLake();
    expect(await open(losing(lake, 1, 'after', unavailable)).commit(entry(1))).toBe('won');
    expect(await open(losing(lake, 1, 'after', unavailable)).commit(entry(1))).toBe('lost');
    expect(await open(losing(lake, 1, 'before', unavailable)).commit(entry(2))).toBe('won');
  });

  test('whose answers are all lost fails, and the entry counts all the same', async () => {
    const lake = freshLake();
    const mine = entry(1);
    await expect(open(losing(lake, 2, 'after', unavailable)).commit(mine)).rejects.toBe(unavailable);
    expect(await open(lake).head()).toBe(1);
    expect(await open(lake).commit(mine)).toBe('won');
  });

  test('that is refused is not asked for again', async () => {
    const denied = new PipelineError('lake_denied', 'no');
    await expect(open(losing(freshLake(), 1, 'before', denied)).commit(entry(1))).rejects.toBe(denied);
  });
});

describe('an entry', () => {
  const SECRET = 'AB12 3CD';
  test.each([
    ['no JSON', `{"postal_code": "${SECRET}"`, 'is not JSON'],
    ['no UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'is not JSON'],
    ['nothing', '', 'is not JSON'],
    ['not an object', `["${SECRET}"]`, 'is not a log entry'],
    ['of another format', JSON.stringify({ ...entry(3), format: 2, tables: SECRET }), 'is in a format'],
    ['without its fields', JSON.stringify({ format: 1, [SECRET]: 1 }), 'is not a log entry: see log_id'],
    ['with a wrong field', JSON.stringify({ ...entry(3), tables: [SECRET] }), 'not a log entry: see tables'],
    ['with a wrong time', JSON.stringify({ ...entry(3), committed_at: SECRET }), 'not a log entry: see committed_at'],
    ['of another batch', JSON.stringify(entry(4)), 'holds the entry of another batch'],
  ])('that is %s is lake_corrupt, and is not quoted', async (_what, content, message) => {
    const lake = freshLake();
    await lake.putIfAbsent(logKey(3), typeof content === 'string' ? bytes(content) : content);
    const error: unknown = await open(lake).read(3).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ kind: 'lake_corrupt', context: { key: logKey(3) } });
    expect(inspect(error)).toMatch(new RegExp(`${logKey(3)} .*${message}`));
    expect(inspect(error, { depth: Infinity })).not.toContain(SECRET);
    await expect(open(lake).commit(entry(3))).rejects.toMatchObject({ kind: 'lake_corrupt' });
  });

  test('that no schema of ours names a field of is not quoted either', async () => {
    const lake = freshLake();
    await lake.putIfAbsent(logKey(1), bytes(JSON.stringify({ ...entry(1), [SECRET]: 1 })));
    const strict = new Log(lake, v.strictObject(schema.entries));
    await expect(strict.read(1)).rejects.toMatchObject({ message: `${logKey(1)} is not a log entry` });
  });

  test('that is not there is lake_missing', async () => {
    await expect(open(freshLake()).read(1)).rejects.toMatchObject({ kind: 'lake_missing' });
  });
});
