import { describe, expect, test } from 'vitest';
import type { Lake } from '../../src/shared/lake/lake.ts';
import { expectAll, fortyItems, item, killed, none, RANGE_BYTES, work } from './forty.ts';
import { changedLake } from './lakes.ts';
import { changePlan, Divided, Handed, planOf } from './splitting.ts';

const { divided, begun } = fortyItems();

/** A lake whose client is killed before it writes this. */
function dying({ source: { lake } }: Divided, where: RegExp): Lake {
  return changedLake(lake, { putIfAbsent: async (key, body) => (where.test(key) ? killed() : lake.putIfAbsent(key, body)) });
}

describe('whoever reads ranges', () => {
  test('may do one twice, or two of them the same at once: one mark counts', async () => {
    const { batch, refs } = await begun();
    const [first = none()] = refs;
    expect(await Promise.all([batch.work(first), batch.work(first), batch.work(first)])).toEqual(['done', 'done', 'done']);
    expect(await batch.work(first)).toBe('done');
    expect(await batch.known(1)).toEqual(['plan.json', 'range-0.json']);
    expect((await work(batch, refs)).at(-1)).toBe('committed');
    expect(await work(batch, refs)).toEqual(refs.map(() => 'gone'));
    await expectAll(batch);
    expect(await batch.source.last('item')).toMatchObject({ rows: 40 });
  });

  test('may be several at once: one entry comes of it', async () => {
    const { batch, refs } = await begun();
    const outcomes = await Promise.all([...refs, ...refs].map(async (ref) => batch.work(ref)));
    expect(outcomes).toContain('committed');
    await expectAll(batch);
    expect((await batch.source.entries()).map(({ tables }) => tables['item']?.rows)).toEqual([40]);
  });

  test('may find the batch committed, by somebody who read it at once', async () => {
    const { batch, refs } = await begun();
    await work(batch, refs.slice(0, 2));
    await batch.source.ingest();
    expect(await work(batch, refs.slice(2))).toEqual(refs.slice(2).map(() => 'gone'));
    expect(await batch.look()).toMatchObject({ head: 1, isUpToDate: true });
    await expectAll(batch);
  });

  test('may be killed between the last mark and the commit: the next look commits, and looks at the source', async () => {
    const { batch, refs } = await begun();
    await work(batch, refs.slice(1));
    await expect(batch.work(refs[0] ?? none(), { ingestion: dying(batch, /^log/) })).rejects.toThrow('killed');
    await batch.source.sql.query(`insert into item values (50, 'since')`);
    expect(await batch.look()).toMatchObject({ batches: 2, head: 2, isUpToDate: true });
    await expectAll(batch);
  });

  test('waits for a build of the same model as the plan was made by, and a build of another model makes its own', async () => {
    const { batch, refs } = await begun();
    const other = new Divided(batch.source, new Handed(RANGE_BYTES), item);
    await expect(other.work(refs[0] ?? none())).rejects.toMatchObject({ kind: 'model_mismatch', context: { batch: 1 } });
    await other.look();
    const theirs = other.handed.take();
    expect(theirs[0]?.attempt).not.toBe(refs[0]?.attempt);
    await batch.look();
    expect(batch.handed.take()).toEqual(refs);
    // Messages of before a deploy are of no use to whoever has a plan of its own.
    expect(await other.work(refs[0] ?? none())).toBe('gone');
  });

  test('refuses a source that is behind the one of the plan, and gives up with another one', async () => {
    const { batch, refs } = await begun();
    const [first = none()] = refs;
    const ahead = await planOf(batch, first);
    await changePlan(batch, first, { ...ahead, entry: { ...ahead.entry, snapshot: '4000000:4000000:' } });
    await expect(batch.work(first)).rejects.toMatchObject({ kind: 'source_behind', context: { batch: 1, table: 'item' } });
    await changePlan(batch, first, { ...ahead, entry: { ...ahead.entry, snapshot: ahead.entry.snapshot.replace(/^\d+:/, '4000000:') } });
    await expect(batch.work(first)).rejects.toMatchObject({ kind: 'source_behind' });
    await changePlan(batch, first, { ...ahead, entry: { ...ahead.entry, source: { ...ahead.entry.source, database_oid: '1' } } });
    expect(await batch.work(first)).toBe('gone');
    expect(batch.warnings()).toEqual([`item: the source's database is not what it was when its batch was begun`]);
  });

  test('gives up with a source whose log has gone back', async () => {
    const { batch, refs } = await begun();
    const [first = none()] = refs;
    const plan = await planOf(batch, first);
    await changePlan(batch, first, { ...plan, entry: { ...plan.entry, lsn: 'FFFFFFFF/0' } });
    expect(await batch.work(first)).toBe('gone');
    expect(batch.warnings()).toEqual([`item: the source's log is behind where it was`]);
  });
});

describe('whoever plans', () => {
  test('may be killed before there is a plan: the next look makes one', async () => {
    const batch = await divided();
    await expect(batch.look({ ingestion: dying(batch, /plan/) })).rejects.toThrow('killed');
    expect([batch.handed.take(), await batch.known(1)]).toEqual([[], []]);
    await batch.look();
    expect((await batch.workAll()).at(-1)).toBe('committed');
    await expectAll(batch);
  });

  test('may be killed behind it: the next look hands out its ranges', async () => {
    const batch = await divided();
    const split = { thresholdBytes: 0, rangeBytes: RANGE_BYTES, send: killed, isBusy: async () => false };
    await expect(batch.look({ split })).rejects.toThrow('killed');
    expect(await batch.known(1)).toEqual(['plan.json']);
    await batch.look();
    expect((await batch.workAll()).at(-1)).toBe('committed');
    await expectAll(batch);
  });

  test('hands out again what is missing, unless somebody is at it', async () => {
    const { batch, refs } = await begun();
    await batch.work(refs[1] ?? none());
    batch.handed.busy = true;
    expect(await batch.look()).toMatchObject({ batches: 0, isUpToDate: false });
    expect(batch.handed.take()).toEqual([]);
    batch.handed.busy = false;
    await batch.look();
    expect(batch.handed.take()).toEqual(refs.filter((_, at) => at !== 1));
  });

  test('may be two at once, each with a plan: one of them is committed, and all go on with one', async () => {
    const batch = await divided();
    const [one, other] = [new Handed(RANGE_BYTES), new Handed(RANGE_BYTES)];
    await Promise.all([batch.look({ split: one }), batch.look({ split: other })]);
    const plans = [one.take(), other.take()];
    expect(await batch.known(1)).toEqual(['plan.json', 'plan.json']);
    await batch.look({ split: one });
    const carried = one.take();
    expect(plans).toContainEqual(carried);
    const outcomes = await Promise.all(plans.map(async (refs) => work(batch, refs)));
    expect(outcomes.flat()).toContain('committed');
    expect(await batch.look()).toMatchObject({ head: 1, isUpToDate: true });
    expect(await batch.source.last('item')).toMatchObject({ rows: 40 });
    await expectAll(batch);
  });

  test('gives up a plan of another log', async () => {
    const { batch, refs } = await begun();
    const [first = none()] = refs;
    await work(batch, refs);
    await batch.source.sql.query(`update item set name = 'second'`);
    await batch.look();
    const [second = none()] = batch.handed.take();
    const plan = await planOf(batch, second);
    await changePlan(batch, second, { ...plan, entry: { ...plan.entry, log_id: first.attempt } });
    await batch.look();
    expect(batch.handed.refs[0]?.attempt).not.toBe(second.attempt);
    expect(await batch.known(2)).toContain('void.json');
  });
});
