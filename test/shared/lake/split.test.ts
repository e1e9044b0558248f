import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { DirectoryLake } from '../../../src/local/directory-lake.ts';
import { toJson } from '../../../src/shared/lake/json.ts';
import { splitKey, splitPrefix } from '../../../src/shared/lake/key.ts';
import type { Lake } from '../../../src/shared/lake/lake.ts';
import { Log, logEntryBase } from '../../../src/shared/lake/log.ts';
import { bytesOf } from '../../../src/shared/lake/read.ts';
import { commitOnce, rangeBytesOf, rangeRefSchema, splitPlanBase, Splits } from '../../../src/shared/lake/split.ts';
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

/** Why the plans of batch 7 are void. */
async function voidsIn(lake: Lake): Promise<readonly string[]> {
  const reasons: string[] = [];
  for await (const key of lake.list(splitPrefix(7))) {
    if (!key.endsWith('/void.json')) continue;
    reasons.push(v.parse(v.object({ reason: v.string() }), JSON.parse((await bytesOf(lake, key)).toString())).reason);
  }
  return reasons;
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
    expect(await splits.planOf(refOf(plan, 1), MODEL)).toEqual(plan);
    expect([await splits.find(8, MODEL), await splits.find(70, MODEL), await splits.find(7, 'another')]).toEqual([null, null, null]);
  });

  test('that never was is told as an object that is missing', async () => {
    const { splits, plan } = await begun();
    await expect(splits.planOf({ ...refOf(plan, 0), attempt: randomUUID() }, MODEL)).rejects.toMatchObject({ kind: 'lake_missing' });
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
    expect([await splits.find(7, MODEL), await splits.planOf(refOf(plan, 0), MODEL)]).toEqual([null, null]);
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

  test('of another model is waited for by whoever has a message of it, and needed no more once there is one of its own', async () => {
    const { splits, plan } = await begun();
    await expect(splits.planOf(refOf(plan, 0), 'another')).rejects.toMatchObject({ kind: 'model_mismatch', context: { batch: 7 } });
    const own = planned({ model: 'another' });
    await splits.begin(own);
    expect(await splits.planOf(refOf(plan, 0), 'another')).toBeNull();
    expect(await splits.planOf(refOf(plan, 0), MODEL)).toEqual(plan);
    await splits.giveUp(own, 'its table is another');
    await expect(splits.planOf(refOf(plan, 0), 'another')).rejects.toMatchObject({ kind: 'model_mismatch' });
  });

  test('that does not stand is given up for the next one that does', async () => {
    const { lake, splits, plan } = await begun();
    const others = [planned(), planned()];
    for (const other of others) await splits.begin(other);
    const stands = ({ attempt }: Plan) => (attempt === plan.attempt ? null : 'its ground has changed');
    expect(await splits.findStanding(7, MODEL, stands)).toEqual(plan);
    expect(await splits.findStanding(7, MODEL, () => 'nothing stands')).toBeNull();
    expect((await voidsIn(lake)).filter((reason) => reason === 'nothing stands')).not.toEqual([]);
    expect(await voidsIn(lake)).toHaveLength(3);
  });

  test('is one no more once its batch is committed, by whichever plan; those of other batches are', async () => {
    const { lake, splits, plan } = await begun();
    const other = planned({ batch: 8 });
    for (const one of [planned({ model: 'another' }), planned(), other]) await splits.begin(one);
    await splits.giveUp(plan, 'before');
    await splits.retire(7);
    expect([await splits.find(7, MODEL), await splits.find(7, 'another'), await splits.find(8, MODEL)]).toEqual([null, null, other]);
    expect((await voidsIn(lake)).toSorted()).toEqual(['before', 'its batch is committed', 'its batch is committed']);
  });

  test('that the lake would not let be retired does not undo the commit', async () => {
    const { lake, splits } = await begun();
    lake.putIfAbsent = async () => Promise.reject(new Error('no'));
    await expect(splits.retire(7)).resolves.toBeUndefined();
  });

  test('that could not be finished is counted with the others of its batch; one that nobody wanted any more is not', async () => {
    const { splits, plan } = await begun();
    await splits.giveUp(plan, 'every table is to be read whole');
    const counts: number[] = [];
    for (const batch of [7, 7, 8, 7]) counts.push(await splits.fail(planned({ batch }), 'its table is another'));
    await splits.begin(planned());
    await splits.retire(7);
    counts.push(await splits.fail(planned(), 'its table is another'));
    expect(counts).toEqual([1, 2, 1, 3, 4]);
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
    await expect(splits.planOf(refOf(plan, 0), MODEL)).rejects.toMatchObject({ kind: 'lake_corrupt' });
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

test('one attempt that several commit is won by one of them', async () => {
  const { lake } = await place();
  const entry = v.parse(v.object(logEntryBase), {
    format: 1, log_id: randomUUID(), batch: 1, attempt: randomUUID(), committed_at: '2024-08-07T12:00:00.000Z',
  });
  const others = [1, 2].map((ms) => ({ ...entry, committed_at: `2024-08-07T12:00:00.00${ms}Z` }));
  const outcomes = [];
  for (const one of [entry, ...others, { ...entry, attempt: randomUUID() }]) {
    outcomes.push(await commitOnce(new Log(lake, v.object(logEntryBase)), one));
  }
  expect(outcomes).toEqual(['won', 'lost', 'lost', 'lost']);
});

test('a range is as large as is said, or as large as it has to be for about so many', () => {
  expect(rangeBytesOf({ rangeBytes: 100 }, 10_000)).toBe(100);
  expect(rangeBytesOf({ rangeBytes: 100, ranges: 8 }, 10_000)).toBe(1_250);
  expect(rangeBytesOf({ rangeBytes: 100, ranges: 8 }, 90)).toBe(100);
});
