import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import { int, text } from '../../src/shared/model/column.ts';
import { table } from '../../src/shared/model/table.ts';
import { afterwards, connectTo } from '../support/postgres.ts';
import { applied, type Harness, harness, sourceServer, warnings } from './harness.ts';
import { Keeper, SHELVES } from './maintenance.ts';
import { pick, type Random, randomOf, Session, Tally } from './workload.ts';

const columns = { id: int().key(), value: text() };
const busy = ['plain', 'parted'];
const tables = [...busy, 'shelf'].map((name) => table(name, columns));

const SCHEMA = `${SHELVES};
  create table plain (id int primary key, value text);
  create table parted (id int primary key, value text) partition by hash (id);
  create table parted_0 partition of parted for values with (modulus 2, remainder 0);
  create table parted_1 partition of parted for values with (modulus 2, remainder 1)`;

const SESSIONS = 4;

/** A failure shows its own seed; `STARLING_TEST_SEED` gives the first one. */
const SEED = Number(process.env['STARLING_TEST_SEED'] ?? Date.now() % 1_000_000_000);
/** How many times as many runs: `STARLING_TEST_RUNS=100` for a night. */
const RUNS = Number(process.env['STARLING_TEST_RUNS'] ?? 1);
const offsets = (runs: number) => Array.from({ length: runs * RUNS }, (_, offset) => offset);

let server: Cluster;
beforeAll(async () => {
  server = await sourceServer();
});

/** What all runs have done together, and how many batches came of it. */
const done = new Tally();
let batches = 0;

async function finish(run: Run): Promise<void> {
  for (const session of run.sessions) await session.end();
  await run.source.ingest();
  for (const worker of [...run.sessions, run.keeper]) done.addAll(worker.done);
  batches += (await run.source.entries()).length;
}

interface Run {
  readonly random: Random;
  readonly source: Harness;
  readonly sessions: readonly Session[];
  readonly keeper: Keeper;
}

async function startRun(seed: number): Promise<Run> {
  const random = randomOf(seed);
  const source = await harness(server, SCHEMA, ...tables);
  const clients = await Promise.all(Array.from({ length: SESSIONS }, async () => connectTo(source.url)));
  const sessions = clients.map((client, at) => new Session(client, random, at, SESSIONS, busy));
  const keeper = new Keeper(await connectTo(source.url), random);
  // A database with prepared transactions cannot be dropped.
  afterwards(async () => {
    for (const session of sessions) await session.end();
  });
  return { random, source, sessions, keeper };
}

/** Of every row of the source, what the lake has of it. What the lake has besides was deleted. */
async function inLake({ source }: Run): Promise<readonly unknown[]> {
  const lakes = await Promise.all(tables.map(async ({ spec }) => applied(source, spec.name, 'id')));
  const rows = await inSource({ source });
  return rows.map(({ at, id }) => ({ at, ...lakes[at]?.get(id) }));
}

interface SourceRow {
  readonly at: number;
  readonly id: string;
  readonly value: string;
}

async function inSource({ source }: Pick<Run, 'source'>): Promise<readonly SourceRow[]> {
  const { rows } = await source.sql.query<SourceRow>(
    `select 0 as at, id::text, value from plain union all select 1, id::text, value from parted
      union all select 2, id::text, value from shelf order by 1, 2`);
  return rows;
}

async function rewriteAlone({ sessions, keeper }: Run): Promise<void> {
  for (const session of sessions) await session.end();
  await keeper.rewrite();
}

async function work(run: Run, worker: { act(): Promise<void> }): Promise<void> {
  for (let step = 0; step < 120; step += 1) {
    await worker.act();
    await sleep(run.random() * 10);
  }
}

/** Another definition, or other partitions than before, are said so; nothing is taken for another history, or for missed. */
function alarms({ source }: Run): readonly string[] {
  const expected = /its columns changed in the source$|it is another table than it was$/;
  return warnings(source).filter((warning) => !expected.test(warning));
}

async function ingestUntil(run: Run, end: AbortSignal): Promise<void> {
  while (!end.aborted) await run.source.ingest();
}

describe('whatever sessions do between batches and across them', () => {
  test.each(offsets(3))('the lake has what the source has at each snapshot (%i)', async (offset) => {
    const seed = SEED + offset;
    const run = await startRun(seed);
    for (let batch = 0; batch < 12; batch += 1) {
      const steps = Math.floor(run.random() * 25);
      for (let step = 0; step < steps; step += 1) await pick(run.random, run.sessions).act();
      while (run.random() < 0.75) await run.keeper.act();
      if (run.random() < 0.3) await rewriteAlone(run);
      await run.source.ingest();
      expect({ seed, rows: await inLake(run) }).toEqual({ seed, rows: await inSource(run) });
    }
    await finish(run);
    expect({ seed, rows: await inLake(run) }).toEqual({ seed, rows: await inSource(run) });
    expect({ seed, alarms: alarms(run) }).toEqual({ seed, alarms: [] });
  });

  test.each(offsets(2))('while batches are being read, the lake has it all in the end (%i)', async (offset) => {
    const seed = SEED + 100_000 + offset;
    const run = await startRun(seed);
    const end = new AbortController();
    const working = Promise.all([...run.sessions, run.keeper].map(async (worker) => work(run, worker))).finally(() => end.abort());
    await Promise.all([working, ingestUntil(run, end.signal)]);
    await finish(run);
    expect((await run.source.entries()).length).toBeGreaterThan(3);
    expect({ seed, rows: await inLake(run) }).toEqual({ seed, rows: await inSource(run) });
    expect({ seed, alarms: alarms(run) }).toEqual({ seed, alarms: [] });
  });

  test('means late and prepared commits, savepoints, deletes, rewrites, attach and detach', () => {
    const statements = [...done.counts.keys()];
    const never = EVERYTHING.filter((kind) => !statements.some((statement) => kind.test(statement)));
    expect(never).toEqual([]);
    const count = [...done.counts.values()].reduce((sum, times) => sum + times, 0);
    console.info(`${SESSIONS * 5 * RUNS} sessions, ${count} statements, ${batches} batches; seed ${SEED}`);
  });
});

const EVERYTHING = [
  /^begin/, /^commit$/, /^rollback$/, /^savepoint/, /^rollback to/, /^release/, /^prepare transaction/, /^commit prepared/,
  /^do /, /^insert into parted/, /^update parted/, /^delete from plain/, /^select from plain/, /^vacuum \(freeze\) plain/,
  /^(vacuum full plain|cluster plain|alter table plain)/, /^vacuum full (shelf|parted)/, /^truncate shelf/, / detach /, / attach /,
];
