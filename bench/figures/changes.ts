import type { Client } from 'pg';
import { changedSince, parseSnapshot, type Snapshot } from '../../src/ingest/session.ts';
import { qualified } from '../../src/shared/postgres/sql.ts';
import { Child } from '../child.ts';
import { withClient } from '../ground.ts';
import { inTurn, type Side } from '../in-turn.ts';
import { type Measured, median } from '../measured.ts';
import { FACT, MODELS } from '../models.ts';
import { expectRows, removeLakes } from '../prepared.ts';
import { ratio, type Scope } from '../scope.ts';
import type { StageJob } from '../stage-process.ts';

const CHANGED_ORDERS = 100;
/** Until the process has compiled what it runs. */
const WARM_UPS = 5;

/** `delta_vs_scan`: 100 changed orders, spread over all, from source to queryable in a warm process, beside one scan. */
export async function deltaVsScan(scope: Scope): Promise<void> {
  await besideScan(scope, async ({ source, delta }) => {
    const changes = new Changes(source, async (nth) => changeOrders(source, scope.rows, nth));
    const ours = { prepare: async () => changes.make(), measure: delta };
    for (let round = 0; round < WARM_UPS; round += 1) await ours.prepare().then(delta);
    scope.tell(ratio('delta_vs_scan', await inTurn(scope.prepared.ground, scope.rounds, ours, changes.scan())));
  });
}

/** `idle_vs_scan`: somebody wrote, but nothing that is followed; the same process, beside the same scan. */
export async function idleVsScan(scope: Scope): Promise<void> {
  await besideScan(scope, async ({ source, idle }) => {
    const changes = new Changes(source, async () => moveSnapshot(source));
    const [ingests, anew]: [number[], number[]] = [[], []];
    const prepare = async (): Promise<void> => {
      await changes.make();
      ingests.push((await idle('ingest')).seconds);
      await changes.make();
      anew.push((await idle('run', false)).seconds);
      await changes.make();
    };
    for (let round = 0; round < WARM_UPS; round += 1) await prepare().then(async () => idle('run'));
    for (const warmUps of [ingests, anew]) warmUps.length = 0;
    const ours = { prepare, measure: async () => idle('run') };
    const compared = await inTurn(scope.prepared.ground, scope.rounds, ours, changes.scan());
    scope.tell(ratio('idle_vs_scan', compared, { ingest_s: median(ingests), new_sessions_s: median(anew) }));
  });
}

/** A source that has been loaded, and a process that goes on following it. */
interface Followed {
  readonly source: Client;
  /** Does all that is pending; an error where that is not one batch of the changed orders. */
  readonly delta: () => Promise<Measured>;
  /** Looks, and finds nothing: all three stages, or the first of them; in the sessions of the look before, or in new ones. */
  readonly idle: (work: 'run' | 'ingest', keepsSessions?: boolean) => Promise<Measured>;
}

type Follow = (work: StageJob['work'], keepsSessions?: boolean) => Promise<Measured>;

async function besideScan({ prepared, rows }: Scope, work: (followed: Followed) => Promise<void>): Promise<void> {
  const { ground } = prepared;
  // Others read the same source, and count its rows: these changes are to a copy.
  const template = new URL(await prepared.source(rows)).pathname.slice(1);
  const [sourceName, warehouseName] = [await ground.database('followed', template), await prepared.emptyWarehouse()];
  const [sourceUrl, warehouseUrl] = [ground.url(sourceName), ground.url(warehouseName)];
  const lakes = await prepared.emptyLakes();
  const child = await Child.start(prepared.programs.stage);
  const common = { model: 'totesys', ...lakes, sourceUrl, warehouseUrl } as const;
  const run: Follow = async (work, keepsSessions = true) => (await child.do({ ...common, work, keepsSessions })).took;
  try {
    await run('run');
    for (const url of [sourceUrl, warehouseUrl]) await withClient(url, async (client) => client.query('vacuum analyze'));
    await withClient(sourceUrl, async (source) => work(follow(warehouseUrl, source, run)));
  } finally {
    await child.stop();
    await removeLakes(lakes);
    for (const database of [sourceName, warehouseName]) await ground.drop(database);
  }
}

function follow(
  warehouseUrl: string,
  source: Client,
  run: Follow,
): Followed {
  let batches = 1;
  return {
    source,
    delta: async () => {
      const took = await run('run');
      batches += 1;
      expectRows(`batch ${batches}`, await appended(warehouseUrl, batches), CHANGED_ORDERS);
      return took;
    },
    idle: async (work, keepsSessions) => {
      const took = await run(work, keepsSessions);
      expectRows('what followed', await appended(warehouseUrl, batches + 1), undefined);
      return took;
    },
  };
}

/** The versions that a batch brought; undefined where there is no such batch. */
async function appended(warehouseUrl: string, batch: number): Promise<number | undefined> {
  const query = `select (counts -> $2 ->> 'written')::int as written from pipeline.ledger where batch_id = $1`;
  const { rows } = await withClient(warehouseUrl, async (client) => client.query<{ written: number }>(query, [batch, FACT.name]));
  return rows[0]?.written;
}

/** Each time others, all over the table. */
async function changeOrders(source: Client, orders: number, nth: number): Promise<void> {
  const ids = `select 1 + (i * ${orders}::bigint / ${CHANGED_ORDERS} + $1::bigint) % ${orders} from generate_series(0, ${CHANGED_ORDERS - 1}) i`;
  await source.query(`update sales_order set units_sold = units_sold + 1, last_updated = now() where sales_order_id in (${ids})`, [nth]);
}

async function moveSnapshot(source: Client): Promise<void> {
  await source.query('create schema if not exists elsewhere; create table if not exists elsewhere.noise (n int)');
  await source.query('insert into elsewhere.noise values (1)');
}

/** What happens in a source from one look to the next, and the scan that would find it. */
class Changes {
  readonly #source: Client;
  readonly #happen: (nth: number) => Promise<void>;
  #made = 0;
  #condition = '';

  constructor(source: Client, happen: (nth: number) => Promise<void>) {
    this.#source = source;
    this.#happen = happen;
  }

  async make(): Promise<void> {
    const before = await this.#snapshot();
    await this.#happen((this.#made += 1));
    this.#condition = changedSince(before.xmin, (await this.#snapshot()).xmax);
  }

  /** One scan of every declared table for what changed last, by the condition that ingest has, on an open connection. */
  scan(): Side {
    return {
      measure: async () => {
        const from = performance.now();
        for (const { name } of MODELS.totesys.tables) {
          await this.#source.query(`select count(*) from ${qualified('public', name)} where ${this.#condition}`);
        }
        return { seconds: (performance.now() - from) / 1_000, cpu: 0, peakMb: null };
      },
    };
  }

  async #snapshot(): Promise<Snapshot> {
    const { rows } = await this.#source.query<{ snapshot: string }>('select pg_current_snapshot()::text as snapshot');
    return parseSnapshot(rows[0]?.snapshot ?? '');
  }
}
