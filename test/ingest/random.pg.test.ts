import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import { int, text } from '../../src/shared/model/column.ts';
import { table } from '../../src/shared/model/table.ts';
import { afterwards, connectTo } from '../support/postgres.ts';
import { applied, type Harness, harness, sourceServer } from './harness.ts';
import { pick, type Random, randomOf, Session } from './workload.ts';

const columns = { id: int().key(), value: text() };
const tables = [table('plain', columns), table('parted', columns)];

const SCHEMA = `
  create table plain (id int primary key, value text);
  create table parted (id int primary key, value text) partition by hash (id);
  create table parted_0 partition of parted for values with (modulus 2, remainder 0);
  create table parted_1 partition of parted for values with (modulus 2, remainder 1)`;

const SESSIONS = 4;
const MAINTENANCE = ['vacuum plain', 'vacuum (freeze) plain', 'vacuum (freeze) parted', 'analyze plain', 'checkpoint'];

const SEED = Number(process.env['STARLING_TEST_SEED'] ?? Date.now() % 1_000_000_000);

let server: Cluster;
beforeAll(async () => {
  server = await sourceServer();
});

interface Run {
  readonly random: Random;
  readonly source: Harness;
  readonly sessions: readonly Session[];
}

async function startRun(seed: number): Promise<Run> {
  const random = randomOf(seed);
  const source = await harness(server, SCHEMA, ...tables);
  const names = tables.map(({ spec }) => spec.name);
  const clients = await Promise.all(Array.from({ length: SESSIONS }, async () => connectTo(source.url)));
  const sessions = clients.map((client, at) => new Session(client, random, at, SESSIONS, names));
  // A database with prepared transactions cannot be dropped.
  afterwards(async () => {
    for (const session of sessions) await session.end();
  });
  return { random, source, sessions };
}

/** Every row of the source is in the lake as it is now; what is in the lake besides was deleted. */
async function expectEqual({ source }: Run, seed: number): Promise<void> {
  for (const { spec } of tables) {
    const lake = await applied(source, spec.name, 'id');
    const { rows } = await source.sql.query<{ id: number; value: string }>(`select id, value from ${spec.name}`);
    const expected = rows.map(({ id, value }) => ({ id: String(id), value }));
    const found = rows.map(({ id }) => lake.get(String(id)));
    expect(found, `STARLING_TEST_SEED=${seed}`).toEqual(expected);
  }
}

describe('whatever sessions do between batches and across them', () => {
  test.each([0, 1, 2])('the lake has what the source has at each snapshot (%i)', async (offset) => {
    const seed = SEED + offset;
    const run = await startRun(seed);
    for (let batch = 0; batch < 12; batch += 1) {
      const steps = Math.floor(run.random() * 25);
      for (let step = 0; step < steps; step += 1) await pick(run.random, run.sessions).act();
      if (run.random() < 0.3) await run.source.sql.query(pick(run.random, MAINTENANCE));
      await run.source.ingest();
      await expectEqual(run, seed);
    }
    for (const session of run.sessions) await session.end();
    await run.source.ingest();
    await expectEqual(run, seed);
  });

  test.each([0, 1])('while batches are being read, the lake has it all in the end (%i)', async (offset) => {
    const seed = SEED + 100 + offset;
    const run = await startRun(seed);
    let done = false;
    const working = run.sessions.map(async (session) => {
      for (let step = 0; step < 120; step += 1) {
        await session.act();
        await sleep(run.random() * 10);
      }
    });
    const following = (async () => {
      while (!done) await run.source.ingest();
    })();
    const worked = Promise.all(working).finally(() => {
      done = true;
    });
    await Promise.all([worked, following]);
    for (const session of run.sessions) await session.end();
    await run.source.ingest();
    expect((await run.source.entries()).length).toBeGreaterThan(3);
    await expectEqual(run, seed);
  });
});
