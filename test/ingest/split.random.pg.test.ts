import { beforeAll, describe, expect, test } from 'vitest';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import { PipelineError } from '../../src/shared/errors.ts';
import type { RangeRef } from '../../src/shared/lake/split.ts';
import { int, text } from '../../src/shared/model/column.ts';
import { table } from '../../src/shared/model/table.ts';
import { afterwards, connectTo } from '../support/postgres.ts';
import { applied, harness, sourceServer } from './harness.ts';
import { Keeper, SHELVES } from './maintenance.ts';
import { Divided, Handed, repeatedIn } from './splitting.ts';
import { pick, type Random, randomOf, Session, Tally } from './workload.ts';

const columns = { id: int().key(), value: text() };
const busy = ['plain', 'parted'];
const tables = [...busy, 'shelf'].map((name) => table(name, columns));

/** Five rows a page, so that a few rows make several ranges, and an update moves a row to another one. */
const ROW = `id int, value text, pad text default repeat('x', 1500)`;
const WIDE = ['plain', 'parted_0', 'parted_1'].map((leaf) => `alter table ${leaf} alter pad set storage plain`).join('; ');
const SCHEMA = `${SHELVES};
  create table plain (${ROW}, primary key (id));
  create table parted (${ROW}, primary key (id)) partition by hash (id);
  create table parted_0 partition of parted for values with (modulus 2, remainder 0);
  create table parted_1 partition of parted for values with (modulus 2, remainder 1);
  ${WIDE}`;

const SESSIONS = 4;
const PAGE = 8_192;

/** A failure shows its own seed; `STARLING_TEST_SEED` gives the first one. */
const SEED = Number(process.env['STARLING_TEST_SEED'] ?? Date.now() % 1_000_000_000);
/** How many times as many runs: `STARLING_TEST_RUNS=100` for a night. */
const RUNS = Number(process.env['STARLING_TEST_RUNS'] ?? 1);

let server: Cluster;
beforeAll(async () => {
  server = await sourceServer();
});

interface Run {
  readonly random: Random;
  readonly batch: Divided;
  readonly sessions: readonly Session[];
  readonly keeper: Keeper;
}

/** What became of ranges and looks, in all runs together. */
const outcomes = new Tally();

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
  return { random, batch: new Divided(source, new Handed(3 * PAGE, 4 * PAGE), ...tables), sessions, keeper };
}

async function live({ random, sessions, keeper }: Run, most: number): Promise<void> {
  const steps = Math.floor(random() * most);
  for (let step = 0; step < steps; step += 1) await pick(random, sessions).act();
  if (random() < 0.1) await keeper.act();
}

/** What can happen to the ranges of a batch while the source goes on. */
async function happen(run: Run, left: RangeRef[]): Promise<void> {
  const { random, batch } = run;
  const ref = pick(random, left);
  const chance = random();
  if (chance < 0.02) left.length = 0;
  else if (chance < 0.04) await batch.source.ingest();
  else if (chance < 0.06) await rewriteAlone(run);
  else if (chance < 0.15) await Promise.all([work(batch, ref), work(batch, pick(random, left))]);
  else {
    await work(batch, ref);
    // Now and then its message comes twice.
    if (random() < 0.9) left.splice(left.indexOf(ref), 1);
  }
}

async function work(batch: Divided, ref: RangeRef): Promise<void> {
  outcomes.add(await batch.work(ref).catch(givenUp));
}

/** From the third time that rewrites end a batch somebody is told, and the next look begins another all the same. */
function givenUp(error: unknown): 'gone' {
  if (error instanceof PipelineError && error.message.includes('was begun in ranges and could not be finished')) return 'gone';
  throw error;
}

async function rewriteAlone({ sessions, keeper }: Run): Promise<void> {
  for (const session of sessions) await session.end();
  await keeper.rewrite();
}

/** Looks until there is nothing left to be read in ranges. */
async function workBatch(run: Run): Promise<void> {
  for (let look = 0; look < 10; look += 1) {
    await run.batch.look();
    const left = run.batch.handed.take();
    outcomes.add(left.length > 0 ? 'split' : 'at once');
    if (left.length === 0) return;
    while (left.length > 0) {
      await live(run, 16);
      await happen(run, left);
    }
  }
}

interface SourceRow {
  readonly at: number;
  readonly id: string;
  readonly value: string;
}

async function inSource({ batch }: Run): Promise<readonly SourceRow[]> {
  const { rows } = await batch.source.sql.query<SourceRow>(
    `select 0 as at, id::text, value from plain union all select 1, id::text, value from parted
      union all select 2, id::text, value from shelf order by 1, 2`);
  return rows;
}

/** Of every row of the source, what the lake has of it. What the lake has besides was deleted. */
async function inLake(run: Run): Promise<readonly unknown[]> {
  const lakes = await Promise.all(tables.map(async ({ spec }) => applied(run.batch.source, spec.name, 'id')));
  return (await inSource(run)).map(({ at, id }) => ({ at, ...lakes[at]?.get(id) }));
}

/** Rows that changes do not account for would be rows that were missed. */
function missed({ batch }: Run): readonly string[] {
  return [...batch.source.events, ...batch.events]
    .map(({ message }) => message ?? '').filter((message) => message.includes('more than its changes'));
}

describe('whatever sessions do between the ranges of a batch', () => {
  test.each(Array.from({ length: 3 * RUNS }, (_, at) => at))('the batch behind it has what it has not, and no key is in one twice (%i)', async (offset) => {
    const seed = SEED + offset;
    const run = await startRun(seed);
    await live(run, 300);
    for (let batch = 0; batch < 4; batch += 1) {
      await live(run, 60);
      await workBatch(run);
      await run.batch.source.ingest();
      expect({ seed, rows: await inLake(run) }).toEqual({ seed, rows: await inSource(run) });
    }
    const repeated = await Promise.all(tables.map(async ({ spec }) => repeatedIn(run.batch, spec.name)));
    expect({ seed, repeated: repeated.flat(), missed: missed(run) }).toEqual({ seed, repeated: [], missed: [] });
  }, 240_000);

  test('means ranges that are done, gone and last, batches that are split and that are not', () => {
    expect([...outcomes.counts.keys()].toSorted()).toEqual(['at once', 'committed', 'done', 'gone', 'split']);
    console.info(`${[...outcomes.counts].map(([what, times]) => `${what} ${times}`).join(', ')}; seed ${SEED}`);
  });
});
