import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { type IngestionEntry, ingestionEntrySchema, type ProcessedEntry, processedEntrySchema } from '../../../src/shared/lake/entries.ts';
import { dataKey, logKey, mirrorKey } from '../../../src/shared/lake/key.ts';
import { Log } from '../../../src/shared/lake/log.ts';
import { freshLakes, ingested, type Lakes, processedEntry, transformed } from '../../support/batches.ts';
import { teams } from '../../support/teams.ts';

let lakes: Lakes;
let read: IngestionEntry;
let made: ProcessedEntry;

beforeAll(async () => {
  lakes = await freshLakes();
  for (const name of ['Red', 'Blue']) read = await ingested(lakes, teams, { team: { rows: [['1', name, null, null]] } });
  await transformed(lakes, teams);
  made = await processedEntry(lakes, 2);
});

/** What a reader says of the entry of batch 2 when it is this. */
async function refusal(entry: unknown, schema: typeof ingestionEntrySchema | typeof processedEntrySchema): Promise<unknown> {
  const { processed: lake } = await freshLakes();
  await lake.putIfAbsent(logKey(2), Buffer.from(typeof entry === 'string' ? entry : JSON.stringify(entry)));
  return new Log<IngestionEntry | ProcessedEntry>(lake, schema).read(2).then(() => null, (error: unknown) => error);
}

const corrupt = (where = '') => ({ kind: 'lake_corrupt', message: `${logKey(2)} is not a log entry${where}`, context: { key: logKey(2) } });

const teamWith = (changes: object) => ({ ...read, tables: { ...read.tables, team: { ...read.tables['team'], ...changes } } });
const partsWith = (key: string) => teamWith({ parts: [{ key, rows: 1, bytes: 1 }] });

describe('an entry of the ingestion log', () => {
  test('is read as it was written', async () => {
    expect(await refusal(read, ingestionEntrySchema)).toBeNull();
  });

  test('names only what its own attempt wrote of the same table and batch', async () => {
    const other = randomUUID();
    const keys = [
      dataKey('person', 2, read.attempt, 0, 'csv'), dataKey('team', 1, read.attempt, 0, 'csv'), dataKey('team', 2, other, 0, 'csv'),
      dataKey('team', 2, read.attempt, 0, 'parquet'), `../ingestion/${dataKey('team', 2, read.attempt, 0, 'csv')}`, '../../etc/passwd', '/etc/passwd', logKey(1), '',
    ];
    for (const key of keys) expect(await refusal(partsWith(key), ingestionEntrySchema)).toMatchObject(corrupt(': see tables'));
    expect(await refusal(partsWith(dataKey('team', 2, read.attempt, 7, 'csv')), ingestionEntrySchema)).toBeNull();
  });

  test('counts what it names, and names nothing twice', async () => {
    const [part] = read.tables['team']?.parts ?? [];
    for (const wrong of [{ rows: 0 }, { rows: 2 }, { parts: [] }, { rows: 2, parts: [part, part] }, { rows: 1e300 }, { rows: -1 }]) {
      expect(await refusal(teamWith(wrong), ingestionEntrySchema)).toMatchObject(corrupt(': see tables'));
    }
  });

  test('says nothing that would be an error of the source or the warehouse later', async () => {
    for (const snapshot_at of ['soon', '2024-02-31T00:00:00.000Z', '2024-02-01', '']) {
      expect(await refusal({ ...read, snapshot_at }, ingestionEntrySchema)).toMatchObject(corrupt(': see snapshot_at'));
    }
    for (const snapshot of ['', '7', 'a:b:', "7:7:'"]) expect(await refusal({ ...read, snapshot }, ingestionEntrySchema)).toMatchObject(corrupt(': see snapshot'));
    for (const cursor of ['', 'x', "'", '1; drop table x', '1e5']) expect(await refusal(teamWith({ cursor }), ingestionEntrySchema)).toMatchObject(corrupt(': see tables'));
    for (const cursor of ['7', '-7', '2024-02-01', '2024-02-01 10:00:00.5+00', '0044-03-15 BC', null]) expect(await refusal(teamWith({ cursor }), ingestionEntrySchema)).toBeNull();
  });

  test('is of the batch that its key says, and of a batch that there can be', async () => {
    for (const batch of [0, -1, 1.5, 2 ** 53, '2']) expect(await refusal({ ...read, batch }, ingestionEntrySchema)).toMatchObject(corrupt(': see batch'));
    expect(await refusal(await new Log(lakes.ingestion, ingestionEntrySchema).read(1), ingestionEntrySchema)).toMatchObject({
      kind: 'lake_corrupt', message: `${logKey(2)} holds the entry of another batch`,
    });
  });

  test('is no array of tables, which would pass for none, and does not have what every object has', async () => {
    expect(await refusal({ ...read, tables: [] }, ingestionEntrySchema)).toMatchObject(corrupt(': see tables'));
    const { tables } = await new Log(lakes.ingestion, ingestionEntrySchema).read(2);
    expect(tables['toString']).toBeUndefined();
    expect(tables['team']).toBeDefined();
  });

  test('that is nested deeper than any is refused before it is parsed', async () => {
    for (const text of ['['.repeat(20_000_000), `{"a":"[[[","b":${'['.repeat(40)}${']'.repeat(40)}}`]) {
      expect(await refusal(text, ingestionEntrySchema)).toMatchObject({ kind: 'lake_corrupt', message: `${logKey(2)} is nested too deeply` });
    }
    expect(await refusal({ ...read, note: `"${'['.repeat(100)}\\"{{{` }, ingestionEntrySchema)).toBeNull();
  });
});

describe('an entry of the processed log', () => {
  test('names outputs of its own attempt, and mirrors of any batch up to its own', async () => {
    expect(await refusal(made, processedEntrySchema)).toBeNull();
    const output = (key: string) => ({ ...made, outputs: { dim_team: { hash: 'h', whole: false, rows: 1, parts: [{ key, rows: 1, bytes: 1 }] } } });
    const mirror = (key: string) => ({ ...made, mirrors: { team: { columns: ['team_id'], rows: 1, parts: [{ key, rows: 1, bytes: 1 }] } } });
    expect(await refusal(output(dataKey('dim_team', 1, made.attempt, 0, 'parquet')), processedEntrySchema)).toMatchObject(corrupt(': see outputs'));
    expect(await refusal(output(mirrorKey('dim_team', 2, made.attempt, 0)), processedEntrySchema)).toMatchObject(corrupt(': see outputs'));
    for (const key of [mirrorKey('person', 1, made.attempt, 0), mirrorKey('team', 3, made.attempt, 0), mirrorKey('team', 2, randomUUID(), 0), 'mirror/team/../x']) {
      expect(await refusal(mirror(key), processedEntrySchema)).toMatchObject(corrupt(': see mirrors'));
    }
    for (const key of [mirrorKey('team', 1, randomUUID(), 3), mirrorKey('team', 2, made.attempt, 0)]) expect(await refusal(mirror(key), processedEntrySchema)).toBeNull();
  });
});
