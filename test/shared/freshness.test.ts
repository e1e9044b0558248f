import { describe, expect, test } from 'vitest';
import { freshAsOf } from '../../src/shared/freshness.ts';
import type { StageState } from '../../src/shared/lake/state.ts';

const SNAPSHOT = '2024-08-07T12:00:00.000Z';
const LATER = '2024-08-07T12:30:00.000Z';
const EARLIER = '2024-08-07T11:30:00.000Z';

const loaded = { batch: 5, snapshotAt: new Date(SNAPSHOT) };

/** Ingest looked at the source at `seen_at` and had then committed all up to `seen_batch`. */
function looked(seen_at: string, seen_batch: number): StageState {
  const detail = { seen_at, seen_batch };
  return { stage: 'ingest', looked_at: seen_at, batch: seen_batch, outcome: 'nothing_new', detail };
}

describe('the warehouse is as fresh as', () => {
  test('nothing, while nothing is loaded', () => {
    expect(freshAsOf(null, looked(LATER, 0))).toBeNull();
  });

  test('the snapshot of the last batch that is loaded, where nothing is known of ingest', () => {
    expect(freshAsOf(loaded, null)).toEqual(new Date(SNAPSHOT));
  });

  test('a later look that found nothing new, once all before it is loaded', () => {
    expect(freshAsOf(loaded, looked(LATER, 5))).toEqual(new Date(LATER));
  });

  test('the snapshot, while a batch is pending: a later look says nothing of what is on its way', () => {
    expect(freshAsOf(loaded, looked(LATER, 6))).toEqual(new Date(SNAPSHOT));
  });

  test('the snapshot, where ingest has not said anything since', () => {
    expect(freshAsOf(loaded, looked(EARLIER, 5))).toEqual(new Date(SNAPSHOT));
  });

  test('the last look that succeeded, while ingest fails', () => {
    const failed: StageState = {
      ...looked(LATER, 5),
      looked_at: '2024-08-07T13:00:00.000Z',
      outcome: 'failed',
      error: { kind: 'source_unreachable', message: 'source: connection refused' },
    };
    expect(freshAsOf(loaded, failed)).toEqual(new Date(LATER));
  });

  test.each([[{}], [{ seen_at: LATER }], [{ seen_at: 5, seen_batch: 5 }], [{ seen_at: LATER, seen_batch: '5' }]])(
    'the snapshot, where the state says %j',
    (detail) => {
      expect(freshAsOf(loaded, { ...looked(LATER, 5), detail })).toEqual(new Date(SNAPSHOT));
    },
  );
});
