import { describe, expect, test } from 'vitest';
import { Others } from '../../../src/cli/backfill/others.ts';

const waiting = new AbortController().signal;

describe('a batch that is in hands of others', () => {
  test('is given up when looks enough have found it as it was', async () => {
    const others = new Others(waiting, [1, 1]);
    await others.wait({ stage: 'load', head: 4 });
    await others.wait({ stage: 'load', head: 4 });
    const error = { kind: 'warehouse_locked', context: { stage: 'load', batch: 5 } };
    await expect(others.wait({ stage: 'load', head: 4 })).rejects.toMatchObject(error);
  });

  test('is waited for anew when another one is the next', async () => {
    const others = new Others(waiting, [1]);
    for (const head of [4, 5, 6]) await others.wait({ stage: 'transform', head });
    await expect(others.wait({ stage: 'transform', head: 6 })).rejects.toMatchObject({ kind: 'lake_unavailable' });
  });

  test('is not waited for where this is to stop', async () => {
    const stop = new AbortController();
    const ended = new Others(stop.signal, [2 ** 30]).wait({ stage: 'load', head: 0 });
    stop.abort();
    await expect(ended).resolves.toBeUndefined();
  });
});
