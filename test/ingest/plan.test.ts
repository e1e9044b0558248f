import { describe, expect, test } from 'vitest';
import type { Description } from '../../src/ingest/catalog.ts';
import { identityChange } from '../../src/ingest/identity.ts';
import { afterCount, type CursorStrategy, planBatch, type PlanInput, sinceCursor, type TablePlan } from '../../src/ingest/plan.ts';
import { changedSince, HALF_CIRCLE, parseSnapshot } from '../../src/ingest/session.ts';
import type { IngestedTable, IngestionEntry, SourceIdentity } from '../../src/shared/lake/entries.ts';
import { int, text, timestamp } from '../../src/shared/model/column.ts';
import { declarationHash, model } from '../../src/shared/model/model.ts';
import { table } from '../../src/shared/model/table.ts';

const columns = { id: int().key(), name: text(), at: timestamp() };
const thing = table('thing', columns);
const things = model({ tables: [thing], dimensions: [], facts: [] });

const SOURCE: SourceIdentity = {
  system_identifier: '7',
  database_oid: '16384',
  in_recovery: false,
  timeline: '00000001',
  address: '10.0.0.1',
  port: 5432,
};
const LEAF = { oid: '100', filenode: '100', fingerprint: 'aa' };
const DESCRIPTION: Description = {
  columns: new Map(Object.keys(columns).map((name) => [name, 'int4'])), fingerprint: 'aa', leaves: [LEAF], isAlone: true, foreign: null,
};

const READ: IngestedTable = {
  declaration: declarationHash(things, thing.spec),
  fingerprint: 'aa',
  cursor: '1000',
  leaves: [LEAF],
  columns: Object.keys(columns),
  whole: null,
  digest: null,
  rows: 1,
  parts: [],
};

function entry(read: Partial<IngestedTable> = {}, snapshot = '1000:1010:1000'): IngestionEntry {
  return {
    format: 1,
    log_id: '4ae1d3a6-3f1b-4a8f-9d2f-0d4b3b1f6f10',
    batch: 1,
    attempt: 'b3b7d2f0-5a55-4f5e-8f0c-3a2f8f0f6c11',
    committed_at: '2024-08-07T12:00:00.000Z',
    snapshot_at: '2024-08-07T12:00:00.000Z',
    model: things.hash,
    source: SOURCE,
    snapshot,
    tables: { thing: { ...READ, ...read } },
  };
}

function plan(changed: Partial<PlanInput> = {}): TablePlan {
  const [planned] = planBatch({
    model: things,
    previous: entry(),
    identity: SOURCE,
    snapshot: parseSnapshot('1020:1030:1020'),
    descriptions: new Map([['thing', DESCRIPTION]]),
    whole: false,
    ...changed,
  });
  if (!planned) throw new Error('nothing planned');
  return planned;
}

const planAfter = (gap: bigint) => plan({ snapshot: parseSnapshot(`${1000n + gap}:${1000n + gap}:`) });

const described = (changed: Partial<Description>) => ({
  descriptions: new Map([['thing', { ...DESCRIPTION, ...changed }]]),
});

describe('a table is read', () => {
  test('whole and without a word for the first time', () => {
    const first = { where: true, whole: 'first read', unexpected: false };
    expect(plan({ previous: null })).toMatchObject(first);
    expect(plan({ previous: { ...entry(), tables: {} } })).toMatchObject(first);
  });

  test('from the transaction on that was the oldest running one of the batch before', () => {
    expect(plan()).toMatchObject({ where: changedSince(1000n, 1030n), whole: null, unexpected: false });
  });

  test('not at all where the snapshot is what it was', () => {
    expect(plan({ snapshot: parseSnapshot('1000:1010:1000') })).toMatchObject({ where: false, whole: null });
  });

  test('on a standby also where the snapshot is what it was', () => {
    const source = { ...SOURCE, in_recovery: true, timeline: null };
    const snapshot = parseSnapshot('1000:1010:1000');
    const read = plan({ previous: { ...entry(), source }, identity: source, snapshot });
    expect(read.where).toBe(changedSince(1000n, 1010n));
  });

  test('not at all where no transaction has begun since', () => {
    const previous = entry({}, '1000:1000:');
    const source = { ...SOURCE, in_recovery: true };
    const plans = plan({ previous: { ...previous, source }, identity: source, snapshot: parseSnapshot('1000:1000:') });
    expect(plans).toMatchObject({ where: false, whole: null });
  });

  test('whole, loudly, when half of the circle or more lies behind', () => {
    const where = changedSince(1000n, 1000n + HALF_CIRCLE - 1n);
    expect(planAfter(HALF_CIRCLE - 1n)).toMatchObject({ where, whole: null });
    const whole = { where: true, whole: 'more than 2^31 transactions have passed', unexpected: true };
    const gaps = [HALF_CIRCLE, HALF_CIRCLE + 1n, 2n ** 32n, 2n ** 40n];
    for (const gap of gaps) expect(planAfter(gap)).toMatchObject(whole);
  });

  test.each([
    ['its declaration', { previous: entry({ declaration: 'other' }) }, 'its declaration changed'],
    ['its columns in the source', described({ fingerprint: 'bb' }), 'its columns changed in the source'],
    ['all of its oids', described({ leaves: [{ ...LEAF, oid: '200' }] }), 'it is another table than it was'],
  ])('whole, loudly, when there is a change of %s', (_what, changed, whole) => {
    expect(plan(changed)).toMatchObject({ where: true, whole, unexpected: true });
  });

  test.each<[string, Partial<SourceIdentity>]>([
    ['system identifier', { system_identifier: '8' }],
    ['database', { database_oid: '5' }],
    ['role (primary or standby)', { in_recovery: true }],
    ['timeline', { timeline: '00000002' }],
    ['address', { address: '10.0.0.2' }],
    ['address', { port: 5433 }],
  ])('whole, loudly, when the %s of the source is another one, even if its snapshot is older', (name, changed) => {
    const identity = { ...SOURCE, ...changed };
    expect(identityChange(SOURCE, identity)).toBe(name);
    const whole = `the source's ${name} is not what it was`;
    for (const snapshot of ['1020:1030:', '1000:1010:1000', '5:6:']) {
      const read = plan({ identity, snapshot: parseSnapshot(snapshot) });
      expect(read).toMatchObject({ where: true, whole, unexpected: true });
    }
  });

  test('whole, loudly, when witnesses or the log speak of another history, unless it is refused for being older', () => {
    const whole = "the source's history is not what it was";
    expect(plan({ contradicted: true })).toMatchObject({ where: true, whole, unexpected: true });
    const still = parseSnapshot('1000:1010:1000');
    expect(plan({ contradicted: true, snapshot: still })).toMatchObject({ where: true, whole, unexpected: true });
    expect(() => plan({ contradicted: true, snapshot: parseSnapshot('5:6:') })).toThrow(/ends at transaction 6/);
  });

  test('whole and without a word when somebody asked for it', () => {
    expect(plan({ whole: true })).toMatchObject({ where: true, whole: 'asked for', unexpected: false });
    expect(plan({ whole: true, snapshot: parseSnapshot('5:6:') })).toMatchObject({ where: true, whole: 'asked for' });
  });
});

describe('the statistics of a server', () => {
  const since = (statistics: SourceIdentity['statistics']): SourceIdentity => ({ ...SOURCE, statistics });
  const before = since({ archiver: '1', bgwriter: '2', wal: null });

  test.each<[string, SourceIdentity, SourceIdentity]>([
    ['all of them', before, since({ archiver: '3', bgwriter: '3', wal: '3' })],
    ['all but one of which it is never known', before, since({ archiver: '3', bgwriter: '3', wal: null })],
    ['one of them', before, since({ archiver: '1', bgwriter: '3', wal: null })],
    ['the one that is known of both', since({ wal: '1' }), since({ archiver: '3', wal: '3' })],
  ])('that began anew, %s, tell of a crash', (_which, then, now) => {
    expect(identityChange(then, now)).toBe('start of statistics (a crash moves it, and a reset by hand)');
  });

  test.each([
    ['are what they were', before, before],
    ['were not known then', SOURCE, before],
    ['are not known now', before, since({})],
    ['are others than those that were known then', since({ wal: '1' }), since({ archiver: '3' })],
  ])('that %s tell of none', (_what, then, now) => {
    expect(identityChange(then, now)).toBeNull();
  });
});

const counted = (rows: number, changed: number) => ({ rows, changed, places: changed === 0 ? null : 'ctid = here' });
const before = (rows?: number) => plan({ previous: entry(rows === undefined ? {} : { rows_in_source: rows }) });

describe('a count', () => {
  const changes = changedSince(1000n, 1030n);

  test('of no changes leaves nothing to read', () => {
    expect(afterCount(before(5), counted(5, 0))).toMatchObject({ where: false, whole: null });
  });

  test('of changes says where they are', () => {
    const where = `(${changes}) and ctid = here`;
    for (const rows of [0, 3, 5, 8]) expect(afterCount(before(5), counted(rows, 3))).toMatchObject({ where, whole: null });
    expect(afterCount(before(), counted(100, 3))).toMatchObject({ where, whole: null });
  });

  test('that the changes do not account for has the table read whole, loudly', () => {
    const whole = 'it has 2 rows more than its changes account for';
    expect(afterCount(before(5), counted(10, 3))).toMatchObject({ where: true, whole, unexpected: true });
    expect(afterCount(before(5), counted(7, 0))).toMatchObject({ where: true, whole });
  });
});

describe('a snapshot behind that of the batch before', () => {
  test('on the same source is refused', () => {
    expect(() => plan({ snapshot: parseSnapshot('1000:1009:') })).toThrow(
      expect.objectContaining({ kind: 'source_behind', message: expect.stringMatching(/1009.*1010/) }),
    );
  });

  test('is compared by its end: one that is as far on is none', () => {
    expect(plan({ snapshot: parseSnapshot('900:1010:') }).where).toBe(changedSince(1000n, 1010n));
  });
});

describe('partitions and children', () => {
  const fresh = `tableoid = any('{300,301}'::oid[])`;
  const leaves = [LEAF, { ...LEAF, oid: '300', filenode: '1' }, { ...LEAF, oid: '301', filenode: '2' }];

  test('that are new are read whole beside what changed in the others', () => {
    expect(plan(described({ leaves }))).toMatchObject({
      where: `${changedSince(1000n, 1030n)} or ${fresh}`, whole: null, unexpected: false,
    });
  });

  test('that are new are read also where the snapshot is what it was', () => {
    const still = parseSnapshot('1000:1010:1000');
    expect(plan({ ...described({ leaves }), snapshot: still }).where).toBe(fresh);
  });

  test.each([
    ['rewritten', { filenode: '9' }],
    ['of another definition', { fingerprint: 'cc' }],
  ])('that are %s count as new', (_what, changed) => {
    const where = plan(described({ leaves: [{ ...LEAF, ...changed }] })).where;
    expect(where).toBe(`${changedSince(1000n, 1030n)} or tableoid = any('{100}'::oid[])`);
  });

  test('of a table that had none, or that has none any more, do not make it another table', () => {
    expect(plan({ ...described({ leaves }), previous: entry({ leaves: [] }) }).whole).toBeNull();
    expect(plan(described({ leaves: [] }))).toMatchObject({ where: changedSince(1000n, 1030n), whole: null });
  });
});

const by = (column: string, overlap: number): CursorStrategy => ({ kind: 'cursor', column, overlap });

describe('a cursor', () => {
  test('of a number is counted back exactly, whatever its size', () => {
    expect(sinceCursor(by('id', 5), '9223372036854775807')).toBe('"id" >= 9223372036854775802');
    expect(sinceCursor(by('id', 7), '3')).toBe('"id" >= -4');
    expect(sinceCursor(by('id', 0), '-3')).toBe('"id" >= -3');
  });

  test('of a time is counted back in seconds by the server', () => {
    expect(sinceCursor(by('at', 90), '2024-02-29 23:59:59.999999')).toBe(
      `"at" >= '2024-02-29 23:59:59.999999'::timestamp - interval '90 seconds'`,
    );
  });

  test('that is not known yet means everything', () => {
    expect(sinceCursor(by('at', 90), null)).toBe(true);
  });
});

test('a table that was not described is a bug', () => {
  expect(() => plan({ descriptions: new Map() })).toThrow('table thing was not described');
});
