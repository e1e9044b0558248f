import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { cloneDatabase } from '../../src/local/postgres/databases.ts';
import { DirectoryLake } from '../../src/local/directory-lake.ts';
import { type Random, randomFrom } from '../../src/local/totesys/random.ts';
import type { Lake } from '../../src/shared/lake/lake.ts';
import { Crew, type Place } from './crew.ts';
import { type Figures, isClean, NO_FIGURES } from './figures.ts';
import { discard, type Ground, openClient, openDatabase } from './ground.ts';
import { judge, type Verdict } from './oracle.ts';
import { batchesOf, storyOf } from './story.ts';
import { Writer, WRITTEN_DOWN } from './writer.ts';

/** What a seed has come to. */
export interface Outcome {
  readonly figures: Figures;
  /** So that a schedule in which nothing happens is noticed. */
  readonly happened: { readonly versions: number; readonly kills: number; readonly faults: number; readonly ranges: number };
  /** The first few of what was found, for people. */
  readonly found: readonly string[];
}

const SESSIONS = 4;
/** For how long things happen. */
const TURNS = 40;
const TURN_MS = 40;
/** With nothing in the way, a handful of looks bring all there is. */
const LOOKS = 30;
/** Who takes longer than this hangs. */
const HANGS_AFTER_MS = 120_000;

/** A lake for one seed; `open` is past the faults of its network. */
export interface SeedLake {
  readonly place: Place['lake'];
  readonly open: (name: 'ingestion' | 'processed') => Lake;
  readonly clear: () => Promise<void>;
}

/** Schedules on one ground, one after the other, by the same nine processes. */
export class Schedules {
  readonly #ground: Ground;
  readonly #crew: Crew;
  readonly #s3: ((random: Random) => Promise<SeedLake>) | null;

  private constructor(ground: Ground, crew: Crew, s3: ((random: Random) => Promise<SeedLake>) | null) {
    this.#ground = ground;
    this.#crew = crew;
    this.#s3 = s3;
  }

  /** @param s3 Makes a lake in S3, where that is to be had. */
  static async prepare(ground: Ground, program: string, s3: ((random: Random) => Promise<SeedLake>) | null): Promise<Schedules> {
    const { client } = await openDatabase(ground.sources, TEMPLATE);
    await client.query(WRITTEN_DOWN);
    await client.end();
    return new Schedules(ground, new Crew(program), s3);
  }

  async run(seed: number): Promise<Outcome> {
    const random = randomFrom(seed, 'schedule');
    const lake = this.#s3 && seed % 4 === 0 ? await this.#s3(random) : this.#directory(seed);
    const scene = await this.#open(seed);
    try {
      const place = { sourceUrl: scene.sourceUrl, warehouseUrl: scene.warehouseUrl, lake: lake.place };
      await this.#live(scene, place, random, seed);
      const stuck = await this.#settle(place);
      const batches = await batchesOf(lake.open('ingestion'), lake.open('processed'), scene.warehouse);
      const outcome = outcomeOf(await judge(scene.source, scene.warehouse, batches), this.#crew.told(), stuck);
      return isClean(outcome.figures) ? outcome : { ...outcome, found: [...outcome.found, ...batches.map(storyOf)] };
    } finally {
      await this.#crew.idle();
      await scene.close();
      await lake.clear();
    }
  }

  async stop(): Promise<void> {
    await this.#crew.stop();
  }

  #directory(seed: number): SeedLake {
    const directory = join(this.#ground.lakes, `seed-${seed}`);
    const open = (name: string) => new DirectoryLake(join(directory, name));
    return { place: { directory }, open, clear: async () => rm(directory, { recursive: true, force: true }) };
  }

  async #open(seed: number): Promise<Scene> {
    const { sources, warehouses } = this.#ground;
    const name = `seed_${seed}`;
    await cloneDatabase(sources, TEMPLATE, name);
    const sourceUrl = sources.superuserUrl(name);
    const source = await openClient(sourceUrl);
    const { url: warehouseUrl, client: warehouse } = await openDatabase(warehouses, name);
    const sessions = await Promise.all(Array.from({ length: SESSIONS }, async () => openClient(sourceUrl)));
    const close = async (): Promise<void> => {
      for (const session of sessions) await session.end();
      await discard(sources, source);
      await discard(warehouses, warehouse);
    };
    return { sourceUrl, source, warehouseUrl, warehouse, sessions, close };
  }

  /** Everything at once: a writer, wake-ups, faults, and in half of the seeds a deployment that comes in pieces. */
  async #live(scene: Scene, place: Place, random: Random, seed: number): Promise<void> {
    const crew = this.#crew;
    const isSplit = random.chance(0.5);
    const arrivals = Array.from({ length: crew.size }, () => (isSplit ? random.int(5, TURNS) : 0));
    crew.deploy('earlierMarket');
    // Whoever is behind tells it by the log: its model has to have been there.
    if (isSplit) await crew.calmly(place, 'earlierMarket');
    const writer = new Writer(scene.sessions, seed);
    const strikes: Promise<void>[] = [];
    for (let turn = 0; turn < TURNS; turn += 1) {
      crew.deploy('market', (member) => (arrivals[member] ?? 0) <= turn);
      if (random.chance(0.5)) crew.wake(place, random, 'ingest');
      if (random.chance(0.1)) crew.wake(place, random, random.pick(['transform', 'load']));
      if (random.chance(0.05)) crew.wake(place, random, null);
      if (random.chance(0.1)) strikes.push(crew.strike(random));
      await sleep(TURN_MS);
    }
    await writer.stop();
    await Promise.all(strikes);
    crew.deploy('market');
    await within(crew.idle(), 'a worker hangs');
  }

  /** Until there is nothing to be done. @returns why that does not come. */
  async #settle(place: Place): Promise<readonly string[]> {
    let failures: readonly string[] = [];
    for (let look = 0; look < LOOKS; look += 1) {
      const done = await within(this.#crew.calmly(place), 'a look hangs');
      failures = done.flatMap((each) => each.failures.map(({ stage, kind, message }) => `${stage}: ${kind}: ${message}`));
      if (done.length === 3 && failures.length === 0 && done.every(({ batches }) => batches === 0)) return [];
    }
    return ['does not come to an end', ...failures];
  }
}

const TEMPLATE = 'market_written_down';

interface Scene {
  readonly sourceUrl: string;
  readonly source: pg.Client;
  readonly warehouseUrl: string;
  readonly warehouse: pg.Client;
  readonly sessions: readonly pg.Client[];
  readonly close: () => Promise<void>;
}

async function within<T>(work: Promise<T>, otherwise: string): Promise<T> {
  const timer = new AbortController();
  const late = sleep(HANGS_AFTER_MS, null, { signal: timer.signal }).then(() => {
    throw new Error(otherwise);
  });
  // Called off, it rejects, and nobody is there to hear it.
  late.catch(() => undefined);
  return Promise.race([work, late]).finally(() => timer.abort());
}

const SHOWN = 8;

function outcomeOf(verdict: Verdict, { runs, ranges, kills, faults, bugs }: ReturnType<Crew['told']>, stuck: readonly string[]): Outcome {
  const { lost, doubled, outOfOrder, wrong, versions } = verdict;
  const others = [...wrong, ...bugs, ...stuck];
  const counts = { lost: lost.length, doubled: doubled.length, outOfOrder: outOfOrder.length, failures: others.length };
  const found = [
    ...lost.slice(0, SHOWN).map((what) => `lost: ${what}`),
    ...doubled.slice(0, SHOWN).map((what) => `doubled: ${what}`),
    ...outOfOrder.slice(0, SHOWN).map((what) => `out of order: ${what}`),
    ...others.slice(0, SHOWN),
  ];
  return { figures: { ...NO_FIGURES, ...counts, runs, seeds: 1 }, happened: { versions, kills, faults, ranges }, found };
}
