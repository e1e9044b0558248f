import { describe, expect, test, vi } from 'vitest';
import { DirectoryLake } from '../../../src/local/directory-lake.ts';
import { Incidents } from '../../../src/shared/lambda/incidents.ts';
import { temporaryDirectory } from '../../support/postgres.ts';

const MINUTE_MS = 60_000;

async function scene() {
  const lake = new DirectoryLake(await temporaryDirectory());
  let time = new Date('2031-03-01T09:00:00Z').getTime();
  const incidents = () => new Incidents(lake, 'load', () => new Date(time));
  const keys = async () => {
    const all: string[] = [];
    for await (const key of lake.list('state/alerts/')) all.push(key);
    return all;
  };
  return { lake, incidents, keys, later: (minutes: number) => (time += minutes * MINUTE_MS) };
}

const DENIED = { batch: 42, kind: 'warehouse_denied' };
const ALL = () => true;
const failing = async () => Promise.reject(new Error('no network'));

describe('an incident', () => {
  test('is told once, however often and by however many it is met', async () => {
    const { incidents, keys } = await scene();
    const publish = vi.fn<() => Promise<void>>(async () => undefined);
    await Promise.all([1, 2, 3, 4].map(async () => incidents().tell(DENIED, publish)));
    await incidents().tell(DENIED, publish);
    expect(publish).toHaveBeenCalledTimes(1);
    expect(await keys()).toEqual(['state/alerts/load/00000000000000000042/warehouse_denied.json']);
  });

  test('of another batch or kind is another one', async () => {
    const { incidents } = await scene();
    const publish = vi.fn<() => Promise<void>>(async () => undefined);
    await incidents().tell(DENIED, publish);
    await incidents().tell({ ...DENIED, batch: 43 }, publish);
    await incidents().tell({ ...DENIED, kind: 'warehouse_locked' }, publish);
    expect(publish).toHaveBeenCalledTimes(3);
  });

  test('that could not be published is published by the next who meets it', async () => {
    const { incidents } = await scene();
    await expect(incidents().tell(DENIED, failing)).rejects.toThrow('no network');
    const publish = vi.fn<() => Promise<void>>(async () => undefined);
    await incidents().tell(DENIED, publish);
    expect(publish).toHaveBeenCalledTimes(1);
  });

  test('whose publisher was killed is published by somebody else, a quarter of an hour later', async () => {
    const { incidents, later } = await scene();
    await new Promise<void>((started) => {
      const killed = async () => {
        started();
        return new Promise<void>(() => undefined);
      };
      void incidents().tell(DENIED, killed);
    });
    const publish = vi.fn<() => Promise<void>>(async () => undefined);
    later(14);
    await incidents().tell(DENIED, publish);
    expect(publish).not.toHaveBeenCalled();
    later(2);
    await incidents().tell(DENIED, publish);
    expect(publish).toHaveBeenCalledTimes(1);
  });

  test('that is over is told once a batch, and forgotten, so that it can happen again', async () => {
    const { incidents, keys } = await scene();
    const publish = vi.fn<() => Promise<void>>(async () => undefined);
    await incidents().tell(DENIED, publish);
    await incidents().tell({ ...DENIED, kind: 'warehouse_locked' }, publish);
    const over = vi.fn<(batch: number) => Promise<void>>(async () => undefined);
    await incidents().settle(ALL, over);
    await incidents().settle(ALL, over);
    expect(over.mock.calls).toEqual([[42]]);
    expect(await keys()).toEqual([]);
    await incidents().tell(DENIED, publish);
    expect(publish).toHaveBeenCalledTimes(3);
  });

  test('whose recovery could not be told is told as recovered by the next one', async () => {
    const { incidents, keys } = await scene();
    await incidents().tell(DENIED, async () => undefined);
    await expect(incidents().settle(ALL, failing)).rejects.toThrow('no network');
    const over = vi.fn<(batch: number) => Promise<void>>(async () => undefined);
    await incidents().settle(ALL, over);
    expect(over.mock.calls).toEqual([[42]]);
    expect(await keys()).toEqual([]);
  });

  test('whose recovery was being told by somebody who was killed is told as recovered a quarter of an hour later', async () => {
    const { incidents, later } = await scene();
    await incidents().tell(DENIED, async () => undefined);
    await new Promise<void>((started) => {
      const killed = async () => {
        started();
        return new Promise<void>(() => undefined);
      };
      void incidents().settle(ALL, killed);
    });
    const over = vi.fn<(batch: number) => Promise<void>>(async () => undefined);
    for (const minutes of [5, 5, 4]) {
      later(minutes);
      await incidents().settle(ALL, over);
    }
    expect(over).not.toHaveBeenCalled();
    later(2);
    await incidents().settle(ALL, over);
    expect(over.mock.calls).toEqual([[42]]);
  });

  test('has nothing to do with what else lies among the marks', async () => {
    const { incidents, lake, keys } = await scene();
    await lake.putIfAbsent('state/alerts/load/notes.txt', Buffer.from('mine'));
    await incidents().settle(ALL, async () => undefined);
    expect(await keys()).toEqual(['state/alerts/load/notes.txt']);
  });

  test('that is not over stays open, and is not told again', async () => {
    const { incidents } = await scene();
    await incidents().tell(DENIED, async () => undefined);
    const over = vi.fn<() => Promise<void>>(async () => undefined);
    await incidents().settle((batch) => batch < 42, over);
    expect(over).not.toHaveBeenCalled();
  });

  test('of which nobody was told has no recovery to be told of', async () => {
    const { incidents, lake, keys } = await scene();
    const claimed = JSON.stringify({ claimed_at: '2031-03-01T09:00:00.000Z', published_at: null });
    await lake.putIfAbsent('state/alerts/load/00000000000000000042/bug.json', Buffer.from(claimed));
    const over = vi.fn<() => Promise<void>>(async () => undefined);
    await incidents().settle(ALL, over);
    expect(over).not.toHaveBeenCalled();
    expect(await keys()).toEqual([]);
  });

  test('with a mark that makes no sense is told anew', async () => {
    const { incidents, lake } = await scene();
    await lake.putIfAbsent('state/alerts/load/00000000000000000042/warehouse_denied.json', Buffer.from('nonsense'));
    const publish = vi.fn<() => Promise<void>>(async () => undefined);
    await incidents().tell(DENIED, publish);
    expect(publish).toHaveBeenCalledTimes(1);
  });
});
