import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { DirectoryLake } from '../../../src/local/directory-lake.ts';
import { toJson } from '../../../src/shared/lake/json.ts';
import { splitKey } from '../../../src/shared/lake/key.ts';
import type { Lake } from '../../../src/shared/lake/lake.ts';
import { rangeBytesOf, rangeRefSchema, splitPlanBase, Splits } from '../../../src/shared/lake/split.ts';
import { temporaryDirectory } from '../../support/postgres.ts';

const planSchema = v.object({ ...splitPlanBase, ranges: v.array(v.string()) });
type Plan = v.InferOutput<typeof planSchema>;
const markSchema = v.object({ rows: v.number() });
type Mark = v.InferOutput<typeof markSchema>;

const MODEL = 'model';
const planned = (changed: Partial<Plan> = {}): Plan =>
  ({ format: 1, batch: 7, attempt: randomUUID(), model: MODEL, ranges: ['a', 'b', 'c'], ...changed });
const refOf = ({ batch, attempt }: Plan, range: number) => ({ batch, attempt, range });

interface Place {
  readonly lake: Lake;
  readonly splits: Splits<Plan, Mark>;
}

async function place(): Promise<Place> {
  const lake = new DirectoryLake(join(await temporaryDirectory(), 'lake'));
  return { lake, splits: new Splits<Plan, Mark>(lake, planSchema, markSchema) };
}

async function begun(changed: Partial<Plan> = {}): Promise<Place & { readonly plan: Plan }> {
  const { lake, splits } = await place();
  const plan = planned(changed);
  await splits.begin(plan);
  return { lake, splits, plan };
}

describe('a plan', () => {
  test('is found by its batch and its model, and by the messages of its ranges', async () => {
    const { splits, plan } = await begun();
    expect(await splits.find(7, MODEL)).toEqual(plan);
    expect(await splits.planOf(refOf(plan, 1))).toEqual(plan);
    expect([await splits.find(8, MODEL), await splits.find(70, MODEL), await splits.find(7, 'another')]).toEqual([null, null, null]);
  });

  test('that never was is told as an object that is missing', async () => {
    const { splits, plan } = await begun();
    await expect(splits.planOf({ ...refOf(plan, 0), attempt: randomUUID() })).rejects.toMatchObject({ kind: 'lake_missing' });
  });

  test('is the same for all who look, though there are several', async () => {
    const { lake, splits } = await begun();
    for (let others = 0; others < 5; others += 1) await splits.begin(planned());
    const looks = Array.from({ length: 5 }, async () => new Splits<Plan, Mark>(lake, planSchema, markSchema).find(7, MODEL));
    const found = await Promise.all(looks);
    expect(new Set(found.map((plan) => plan?.attempt)).size).toBe(1);
  });

  test('that was given up is none any more; another one is found, and whoever has a message of it is told', async () => {
    const { splits, plan } = await begun();
    await splits.giveUp(plan, 'its table is another');
    expect([await splits.find(7, MODEL), await splits.planOf(refOf(plan, 0))]).toEqual([null, null]);
    await splits.giveUp(plan, 'said twice');
    const second = planned();
    await splits.begin(second);
    expect(await splits.find(7, MODEL)).toEqual(second);
  });

  test('of another model, or in a form that another build writes, does not keep its own from being found', async () => {
    const { lake, splits, plan } = await begun();
    const first = '00000000-0000-4000-8000-000000000000';
    await splits.begin(planned({ attempt: first, model: 'another' }));
    expect(await splits.find(7, MODEL)).toEqual(plan);
    const second = '00000000-0000-4000-8000-000000000001';
    await lake.putIfAbsent(splitKey(7, second, 'plan'), toJson({ format: 2, model: MODEL, anything: [] }));
    expect(await splits.find(7, MODEL)).toEqual(plan);
    expect(await splits.find(7, 'another')).toMatchObject({ attempt: first });
  });

  test('is not begun twice: the first stays', async () => {
    const { splits, plan } = await begun();
    await splits.begin({ ...plan, ranges: [] });
    expect(await splits.find(7, MODEL)).toEqual(plan);
  });

  test.each([
    ['of another batch', (plan: Plan) => ({ ...plan, batch: 8 })],
    ['of another attempt', (plan: Plan) => ({ ...plan, attempt: randomUUID() })],
    ['without its ranges', (plan: Plan) => ({ ...plan, ranges: undefined })],
    ['that is a list', () => []],
  ])('in the place of which is one %s is corrupt', async (_what, change) => {
    const { lake, splits } = await place();
    const plan = planned();
    await lake.putIfAbsent(splitKey(7, plan.attempt, 'plan'), toJson(change(plan)));
    await expect(splits.planOf(refOf(plan, 0))).rejects.toMatchObject({ kind: 'lake_corrupt' });
    await expect(splits.find(7, MODEL)).rejects.toMatchObject({ kind: 'lake_corrupt' });
  });

  test('that was killed while it was begun has left nothing, and marks alone are none', async () => {
    const { splits } = await place();
    await splits.mark(refOf(planned(), 0), { rows: 1 });
    expect(await splits.find(7, MODEL)).toBeNull();
  });
});

describe('the marks of a plan', () => {
  test('say which ranges are done, and what they gave, in their order', async () => {
    const { splits, plan } = await begun();
    expect(await splits.missing(plan)).toEqual([0, 1, 2].map((range) => refOf(plan, range)));
    await splits.mark(refOf(plan, 2), { rows: 30 });
    await splits.mark(refOf(plan, 0), { rows: 10 });
    expect(await splits.missing(plan)).toEqual([refOf(plan, 1)]);
    expect([await splits.isDone(refOf(plan, 1)), await splits.isDone(refOf(plan, 2))]).toEqual([false, true]);
    await splits.mark(refOf(plan, 1), { rows: 20 });
    expect(await splits.missing(plan)).toEqual([]);
    expect(await splits.marks(plan)).toEqual([{ rows: 10 }, { rows: 20 }, { rows: 30 }]);
  });

  test('are those of this plan alone, and of a range that one begins with the number of', async () => {
    const { splits, plan } = await begun({ ranges: Array.from({ length: 40 }, String) });
    const other = planned();
    await splits.begin(other);
    for (let range = 10; range < 20; range += 1) await splits.mark(refOf(plan, range), { rows: range });
    expect(await splits.isDone(refOf(plan, 1))).toBe(false);
    expect(await splits.missing(plan)).toHaveLength(30);
    expect(await splits.missing(other)).toHaveLength(3);
    for (const ref of await splits.missing(plan)) await splits.mark(ref, { rows: ref.range });
    expect((await splits.marks(plan)).map(({ rows }) => rows)).toEqual(Array.from({ length: 40 }, (_, at) => at));
  });

  test('count once: of all who did a range at the same time the first one', async () => {
    const { lake, splits, plan } = await begun();
    const racers = Array.from({ length: 20 }, (_, rows) => rows);
    await Promise.all(racers.map(async (rows) => new Splits<Plan, Mark>(lake, planSchema, markSchema).mark(refOf(plan, 0), { rows })));
    for (const range of [1, 2]) await splits.mark(refOf(plan, range), { rows: 100 });
    const [first] = await splits.marks(plan);
    await splits.mark(refOf(plan, 0), { rows: 1_000 });
    expect(racers).toContain(first?.rows);
    expect((await splits.marks(plan))[0]).toEqual(first);
  });

  test('who of many does the last one cannot be missed: somebody sees that none is missing', async () => {
    for (let round = 0; round < 10; round += 1) {
      const { splits, plan } = await begun();
      const left = await Promise.all([0, 1, 2].map(async (range) => {
        await splits.mark(refOf(plan, range), { rows: range });
        return (await splits.missing(plan)).length;
      }));
      expect(left).toContain(0);
    }
  });

  test('that hold something else are corrupt', async () => {
    const { lake, splits, plan } = await begun({ ranges: ['a'] });
    await lake.putIfAbsent(splitKey(7, plan.attempt, 0), toJson({ rows: 'many' }));
    await expect(splits.marks(plan)).rejects.toMatchObject({ kind: 'lake_corrupt', context: { key: splitKey(7, plan.attempt, 0) } });
  });
});

describe('a message', () => {
  test.each([
    { batch: 0 }, { attempt: 'x' }, { range: -1 }, { range: 1.5 }, { batch: '7' }, { more: 1 }, { attempt: '../../..' },
  ])('is not one with %j', (changed) => {
    const ref = { batch: 7, attempt: randomUUID(), range: 0 };
    expect([v.is(rangeRefSchema, ref), v.is(rangeRefSchema, { ...ref, ...changed })]).toEqual([true, false]);
  });
});

test('a range is as large as is said, or as large as it has to be for about so many', () => {
  expect(rangeBytesOf({ rangeBytes: 100 }, 10_000)).toBe(100);
  expect(rangeBytesOf({ rangeBytes: 100, ranges: 8 }, 10_000)).toBe(1_250);
  expect(rangeBytesOf({ rangeBytes: 100, ranges: 8 }, 90)).toBe(100);
});
