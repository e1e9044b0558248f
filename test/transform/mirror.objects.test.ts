import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MirrorObjects } from '../../src/shared/lake/entries.ts';
import { Mirror, type MirrorRow, readMirror, writeMirror } from '../../src/transform/mirror.ts';
import { freshLakes, type Lakes } from '../support/batches.ts';

const COLUMNS = ['id', 'name'];

type Change = readonly [id: number, name: string | null];

/** A mirror that is read, changed and written, a batch at a time: a name of null removes its row. */
class Kept {
  readonly rows = new Map<string, MirrorRow>();
  readonly #lakes: Lakes;
  #batch = 0;
  objects: MirrorObjects | null = null;

  constructor(lakes: Lakes) {
    this.#lakes = lakes;
  }

  /** How many rows were written. */
  async batch(changes: readonly Change[]): Promise<number> {
    const before = this.objects;
    const mirror = before ? await readMirror(this.#lakes.processed, before) : new Mirror(COLUMNS);
    for (const [id, name] of changes) {
      const key = String(id);
      if (name === null) {
        if (this.rows.delete(key)) mirror.remove(key);
        continue;
      }
      this.rows.set(key, [key, name]);
      mirror.set(key, [key, name]);
    }
    this.objects = await writeMirror(this.#lakes.processed, mirror, { table: 'm', batch: (this.#batch += 1), attempt: randomUUID() });
    const known = new Set(before?.parts.map((part) => part.key));
    return this.objects.parts.filter((part) => !known.has(part.key)).reduce((sum, part) => sum + part.rows, 0);
  }

  async read(): Promise<ReadonlyMap<string, MirrorRow>> {
    if (!this.objects) return new Map();
    return new Map((await readMirror(this.#lakes.processed, this.objects)).entries);
  }
}

const first = (count: number): readonly Change[] => Array.from({ length: count }, (_, id) => [id, 'first'] as const);

describe('a large mirror of which a batch changes a few rows', () => {
  test('gets an object of those, behind the ones that are there', async () => {
    const kept = new Kept(await freshLakes());
    expect(await kept.batch(first(1000))).toBe(1000);
    const [base] = kept.objects?.parts ?? [];
    expect(await kept.batch([[7, 'other'], [1000, 'new']])).toBe(2);
    expect(kept.objects?.parts[0]).toEqual(base);
    expect(kept.objects?.parts.map(({ rows }) => rows)).toEqual([1000, 2]);
    expect(await kept.read()).toEqual(kept.rows);
  });

  test('is written whole where one of them is gone, or they are many', async () => {
    const kept = new Kept(await freshLakes());
    await kept.batch(first(1000));
    expect(await kept.batch([[7, null]])).toBe(999);
    expect(await kept.batch(first(250).map(([id]) => [id, 'other'] as const))).toBe(1000);
    expect(kept.objects?.parts.map(({ rows }) => rows)).toEqual([1000]);
    expect(await kept.read()).toEqual(kept.rows);
  });

  test('has few objects however many batches change it, and few rows that others replace', async () => {
    const kept = new Kept(await freshLakes());
    await kept.batch(first(2000));
    let written = 0;
    for (let batch = 0; batch < 150; batch += 1) {
      written += await kept.batch([0, 1, 2].map((at) => [(batch * 37 + at * 611) % 2000, `batch ${batch}`] as const));
      expect(kept.objects?.parts.length).toBeLessThan(8);
      expect(kept.objects?.rows).toBeLessThan(2000 * 1.5);
    }
    expect(await kept.read()).toEqual(kept.rows);
    // Written whole each time, it would be 300,000.
    expect(written).toBeLessThan(15_000);
  });
});

test('whatever batches change, add and remove, what is read is what was last said of each key', async () => {
  const change = fc.tuple(fc.nat(300), fc.option(fc.string({ maxLength: 3 }), { freq: 30 }));
  const batches = fc.array(fc.uniqueArray(change, { selector: ([id]) => id, maxLength: 6 }), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(fc.nat(300), batches, async (count, all) => {
      const kept = new Kept(await freshLakes());
      await kept.batch(first(count));
      for (const changes of all) {
        await kept.batch(changes);
        expect(await kept.read()).toEqual(kept.rows);
      }
    }),
    { numRuns: 40 },
  );
});
