import { randomUUID } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import { DirectoryLake } from '../../src/local/directory-lake.ts';
import { processedEntrySchema } from '../../src/shared/lake/entries.ts';
import { toJson } from '../../src/shared/lake/json.ts';
import { logKey } from '../../src/shared/lake/key.ts';
import { Log } from '../../src/shared/lake/log.ts';
import type { Model } from '../../src/shared/model/model.ts';
import type { Report } from '../../src/shared/report.ts';
import {
  freshLakes,
  ingested,
  type Lakes,
  outputRows,
  processedEntry,
  SNAPSHOT_AT,
  transformed,
} from '../support/batches.ts';
import { teams, teamsWithMotto } from '../support/teams.ts';

async function team(lakes: Lakes, id: number, of: Model = teams, logId: string = lakes.logId): Promise<void> {
  await ingested(lakes, of, { team: { rows: [[String(id), `t${id}`, null, null]] } }, { logId });
}

async function filled(batches: number): Promise<Lakes> {
  const lakes = await freshLakes();
  for (let batch = 1; batch <= batches; batch += 1) await team(lakes, batch);
  return lakes;
}

/** The processed bucket, where something happens just before the first entry is written. */
class BeforeCommit extends DirectoryLake {
  #before: (() => Promise<unknown>) | null;

  constructor(lakes: Lakes, before: () => Promise<unknown>) {
    super(lakes.processed.location);
    this.#before = before;
  }

  override async putIfAbsent(key: string, body: Uint8Array): Promise<'created' | 'exists'> {
    const before = this.#before;
    this.#before = null;
    await before?.();
    return super.putIfAbsent(key, body);
  }
}

const headOf = async (lakes: Lakes): Promise<number> => new Log(lakes.processed, processedEntrySchema).head();

describe('transform', () => {
  test('has nothing to do where nothing is pending', async () => {
    const lakes = await freshLakes();
    expect(await transformed(lakes, teams)).toEqual({
      batches: 0,
      head: 0,
      events: [{ event: 'nothing_new', stage: 'transform', batch: 0 }],
    });
    await team(lakes, 1);
    await transformed(lakes, teams);
    expect(await transformed(lakes, teams)).toMatchObject({
      batches: 0,
      head: 1,
      events: [{ event: 'nothing_new', batch: 1 }],
    });
  });

  test('does all that is pending, oldest first, and says so', async () => {
    const lakes = await filled(3);
    const { batches, head, events } = await transformed(lakes, teams);
    expect([batches, head]).toEqual([3, 3]);
    expect(events.map(({ event, batch, table, rows }) => [event, batch, table, rows])).toEqual([
      ['table', 1, 'dim_team', 1],
      ['batch', 1, undefined, 1],
      ['table', 2, 'dim_team', 1],
      ['batch', 2, undefined, 1],
      ['table', 3, 'dim_team', 1],
      ['batch', 3, undefined, 1],
    ]);
    for (const batch of [1, 2, 3])
      expect(await outputRows(lakes, teams, batch, 'dim_team')).toEqual([[batch, `t${batch}`]]);
  });

  test('writes entries that carry on the log: its id, the snapshot’s time, the model', async () => {
    const lakes = await filled(2);
    await transformed(lakes, teams);
    for (const batch of [1, 2]) {
      expect(await processedEntry(lakes, batch)).toMatchObject({
        format: 1,
        log_id: lakes.logId,
        batch,
        model: teams.hash,
        snapshot_at: SNAPSHOT_AT,
        committed_at: SNAPSHOT_AT,
      });
    }
  });

  test('does batches that come while it works', async () => {
    const lakes = await filled(1);
    const processed = new BeforeCommit(lakes, async () => team(lakes, 2));
    expect(await transformed(lakes, teams, { processed })).toMatchObject({ batches: 2, head: 2 });
  });

  test('finishes the batch in hand when it is told to stop, and begins no other', async () => {
    const lakes = await filled(3);
    const stop = new AbortController();
    const { batches, head } = await transformed(lakes, teams, {
      signal: stop.signal,
      report: ({ event }) => void (event === 'table' && stop.abort()),
    });
    expect([batches, head, await headOf(lakes)]).toEqual([1, 1, 1]);
    expect(await transformed(lakes, teams, { signal: stop.signal })).toMatchObject({ batches: 0, head: 1 });
  });
});

describe('two at once', () => {
  test('both succeed, with one entry a batch', async () => {
    const lakes = await filled(4);
    const [one, two] = await Promise.all([transformed(lakes, teams), transformed(lakes, teams)]);
    expect([one.head, two.head]).toEqual([4, 4]);
    expect(one.batches + two.batches).toBe(4);
    const lost = [...one.events, ...two.events].filter(({ event }) => event === 'lost').length;
    expect(lost).toBeLessThanOrEqual(4);
    for (const batch of [1, 2, 3, 4])
      expect(await outputRows(lakes, teams, batch, 'dim_team')).toEqual([[batch, `t${batch}`]]);
  });

  test('the one that loses the race says so and goes on from the winner’s entry', async () => {
    const lakes = await filled(2);
    const processed = new BeforeCommit(lakes, async () => transformed(lakes, teams));
    const { batches, head, events } = await transformed(lakes, teams, { processed });
    expect([batches, head]).toEqual([0, 2]);
    expect(events.filter(({ event }) => event !== 'table').map(({ event, batch }) => [event, batch])).toEqual([
      ['lost', 1],
      ['lost', 2],
      ['nothing_new', 2],
    ]);
    for (const batch of [1, 2])
      expect(await outputRows(lakes, teams, batch, 'dim_team')).toEqual([[batch, `t${batch}`]]);
  });
});

describe('logs that do not belong together', () => {
  test('another log behind the same numbers is refused', async () => {
    const lakes = await filled(1);
    await transformed(lakes, teams);
    await team(lakes, 2, teams, randomUUID());
    await expect(transformed(lakes, teams)).rejects.toMatchObject({
      kind: 'lake_foreign',
      context: { batch: 2 },
      message: expect.stringContaining('the processed bucket was filled from another log'),
    });
    expect(await headOf(lakes)).toBe(1);
  });

  test('a processed bucket that is ahead of ingestion is refused', async () => {
    const lakes = await filled(3);
    await transformed(lakes, teams);
    const emptied = { ...lakes, ingestion: (await filled(1)).ingestion };
    await expect(transformed(emptied, teams)).rejects.toMatchObject({
      kind: 'lake_foreign',
      message: 'the processed bucket holds batch 3, but the ingestion bucket ends at batch 1',
    });
  });
});

describe('an object that is not what its entry says', () => {
  test('stops at its batch, without an entry, and goes on when it is mended', async () => {
    const lakes = await filled(1);
    const wrong = await ingested(
      lakes,
      teams,
      {
        team: {
          rows: [
            ['2', 't2', null, null],
            ['3', 't3', null, null],
          ],
        },
      },
      {
        edit: (entry) => {
          const { parts = [], ...rest } = entry.tables['team'] ?? {};
          return {
            ...entry,
            tables: { ...entry.tables, team: { ...entry.tables['team']!, ...rest, rows: 1, parts: parts.map((part) => ({ ...part, rows: 1 })) } },
          };
        },
      },
    );
    const key = wrong.tables['team']?.parts[0]?.key ?? '';
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expect(transformed(lakes, teams)).rejects.toMatchObject({
        kind: 'lake_corrupt',
        message: `${key} holds 2 rows, but its log entry says 1`,
        context: { batch: 2, key },
      });
      expect(await headOf(lakes)).toBe(1);
    }
    await lakes.ingestion.replace(key, Buffer.from('team_id,name,city,motto\n2,t2,,\n'));
    expect(await transformed(lakes, teams)).toMatchObject({ batches: 1, head: 2 });
  });

  test('that is gone is missing, and said to be so with its batch', async () => {
    const lakes = await freshLakes();
    const entry = await ingested(lakes, teams, { sale: { rows: [['1', '2', '3', null, '2024-08-07 00:00:00']] } });
    await lakes.ingestion.delete(entry.tables['sale']?.parts[0]?.key ?? '');
    await expect(transformed(lakes, teams)).rejects.toMatchObject({ kind: 'lake_missing', context: { batch: 1 } });
  });

  test('a mirror that was cut short is corrupt, not smaller', async () => {
    const lakes = await filled(1);
    await transformed(lakes, teams);
    const mirror = (await processedEntry(lakes, 1)).mirrors['team']?.parts[0]?.key ?? '';
    await lakes.processed.replace(mirror, Buffer.from('PAR1'));
    await team(lakes, 2);
    await expect(transformed(lakes, teams)).rejects.toMatchObject({
      kind: 'lake_corrupt',
      context: { batch: 2, key: mirror },
    });
  });

  test('a bug is thrown as it is', async () => {
    const lakes = await filled(1);
    const report = vi.fn<Report>().mockThrow(new TypeError('a bug'));
    await expect(transformed(lakes, teams, { report })).rejects.toThrow(TypeError);
  });
});

describe('two models', () => {
  test('a transform that is behind waits for its deployment', async () => {
    const lakes = await filled(1);
    await team(lakes, 2, teamsWithMotto);
    await expect(transformed(lakes, teams)).rejects.toMatchObject({ kind: 'model_mismatch', context: { batch: 2 } });
    expect(await headOf(lakes)).toBe(1);
    expect(await transformed(lakes, teamsWithMotto)).toMatchObject({ head: 2 });
  });

  test('a transform that is ahead goes on', async () => {
    const lakes = await filled(1);
    await transformed(lakes, teams);
    await team(lakes, 2);
    expect(await transformed(lakes, teamsWithMotto)).toMatchObject({ batches: 1, head: 2 });
    expect((await processedEntry(lakes, 2)).model).toBe(teamsWithMotto.hash);
  });
});

test('a log that names no mirror of what a dimension was made of is corrupt: its changes would be lost', async () => {
  const lakes = await freshLakes();
  await team(lakes, 1);
  await transformed(lakes, teams);
  const key = logKey(1);
  const { mirrors, ...entry } = await processedEntry(lakes, 1);
  await lakes.processed.replace(key, toJson({ ...entry, mirrors: Object.fromEntries(Object.entries(mirrors).filter(([name]) => name !== 'team')) }));
  await team(lakes, 2);
  await expect(transformed(lakes, teams)).rejects.toMatchObject({
    kind: 'lake_corrupt',
    message: expect.stringMatching(/^the log entry of batch 1 names no mirror of team, which dim_\w+ was made of$/),
  });
});
