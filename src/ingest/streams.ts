import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Part } from '../shared/lake/entries.ts';
import type { TableSpec } from '../shared/model/table.ts';
import { close, destroy } from '../shared/postgres/client.ts';
import { literal, qualified } from '../shared/postgres/sql.ts';
import { copyRows, type PartInput } from './part.ts';
import type { TablePlan } from './plan.ts';
import { type Blocks, blocksCondition, cutAcross } from './ranges.ts';

/**
 * A large table that is read whole is read by several connections, slice by slice, each into a part of its own. The
 * batch's own connection has locked the table, shows the others its snapshot, and begins; who joins it locks the table
 * too. Whoever is done with a slice takes the next, so that one who comes late, or not at all, holds nobody up: a pooler
 * with one connection, a server with none to spare.
 */

export interface StreamsInput extends PartInput {
  /** Opens another connection to the source, with the settings of this one. Aborted, it fails. */
  readonly connectMore: (signal: AbortSignal) => Promise<pg.Client>;
}

/** One process takes no more than three of them at their full speed. Two pay on one core too: the server has its own. */
const STREAMS = Math.max(2, Math.min(4, availableParallelism()));
/** In pages of 8 kB. Below, it is read before another one has joined. */
const SHARED_MIN_PAGES = 2_048;
/** In pages. Longer ones are fewer objects, shorter ones end at the same time. */
const [SLICE_MIN_PAGES, SLICE_MAX_PAGES] = [1_024, 32_768];
const SLICES_OF_EACH = 4;

/** Who waits for the others looks up this often: its session ends where it stays idle in its transaction for long. */
const AWAKE_MS = 60_000;

/** Before 14 there are no TID range scans: each slice would be a scan of the whole table. */
const PAGES = `
  select pg_catalog.pg_relation_size(leaf) / current_setting('block_size')::int as pages,
    pg_catalog.pg_table_size(leaf) / current_setting('block_size')::int as all_pages
  from unnest($1::oid[]) as leaf
  where current_setting('server_version_num')::int >= 140000`;

/** The slices of a table that several are to read; null where one is enough. */
export async function whatToShare(
  { client }: Pick<StreamsInput, 'client'>,
  { table, where, description }: Pick<TablePlan, 'table' | 'where' | 'description'>,
): Promise<readonly Blocks[] | null> {
  const isWhole = where === true && table.strategy.kind === 'xmin' && description.foreign === null;
  if (!isWhole) return null;
  const oids = description.leaves.map(({ oid }) => oid);
  const { rows } = await client.query<{ pages: string; all_pages: string }>(PAGES, [oids]);
  const pages = rows.map((row) => Number(row.pages));
  const heap = sum(pages);
  // With what lies out of line, which can be a thousand times as much as the rows themselves.
  const all = sum(rows.map((row) => Number(row.all_pages)));
  if (heap === 0 || all < SHARED_MIN_PAGES) return null;
  const wanted = Math.ceil(all / (STREAMS * SLICES_OF_EACH));
  const slicePages = Math.min(SLICE_MAX_PAGES, Math.max(SLICE_MIN_PAGES, wanted));
  return cutAcross(pages, Math.max(1, Math.floor((slicePages * heap) / all)));
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}

/** Reads the slices, by this connection and those that join it. When one fails, all do, and all connections are cut. */
export async function copyByStreams(
  input: StreamsInput,
  table: TableSpec,
  slices: readonly Blocks[],
  awakeMs: number = AWAKE_MS,
): Promise<{ readonly parts: readonly Part[]; readonly digest: null }> {
  const left = slices.entries();
  const read = new Map<number, readonly Part[]>();
  const crew = new Crew(input.client);
  const work = async (client: pg.Client): Promise<void> => {
    for (const [number, slice] of left) {
      read.set(number, (await copyRows({ ...input, client }, table, blocksCondition(slice), number)).parts);
      crew.throwIfFailed();
    }
    crew.complete();
  };
  const invitation = await invite(input.client);
  const others = Promise.all(Array.from({ length: Math.min(STREAMS, slices.length) - 1 }, async () =>
    crew.with(await join(input, table, invitation, crew.boarding), work)));
  await Promise.all([crew.guard(work(input.client).then(async () => stayAwake(input.client, others, awakeMs))), others]);
  crew.throwIfFailed();
  return { parts: slices.flatMap((_slice, number) => read.get(number) ?? []), digest: null };
}

/** Asks the server for nothing, now and then, until something is over. */
async function stayAwake(client: pg.Client, until: Promise<unknown>, everyMs: number): Promise<void> {
  const over = new AbortController();
  until.finally(() => over.abort()).catch(() => undefined);
  for (;;) {
    await sleep(everyMs, undefined, { signal: over.signal }).catch(() => undefined);
    if (over.signal.aborted) return;
    await client.query('select');
  }
}

/** The connections that read a table together. */
class Crew {
  readonly #clients: Set<pg.Client>;
  readonly #boarding = new AbortController();
  #failure: { readonly error: unknown } | undefined;

  constructor(first: pg.Client) {
    this.#clients = new Set([first]);
  }

  /** Aborted when it is too late to join. */
  get boarding(): AbortSignal {
    return this.#boarding.signal;
  }

  /** Nothing is left to begin with. */
  complete(): void {
    this.#boarding.abort();
  }

  async with(client: pg.Client | null, work: (client: pg.Client) => Promise<void>): Promise<void> {
    if (client === null) return;
    this.#clients.add(client);
    if (this.#failure === undefined) await this.guard(work(client));
    this.#clients.delete(client);
    await close(client);
  }

  /** The first failure is the one that is told: those of the others come of it. */
  async guard(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#failure ??= { error };
      this.#boarding.abort();
      for (const client of this.#clients) destroy(client);
    }
  }

  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

interface Invitation {
  readonly snapshot: string;
  /** Of the server, and of what is seen of it: a name of a snapshot alone can mean another one elsewhere. */
  readonly seen: string;
}

const SEEN = `
  pg_catalog.concat_ws(' ', pg_catalog.pg_current_snapshot(), pg_catalog.current_database(),
    pg_catalog.pg_postmaster_start_time()) as seen`;

/** Asked for before: it fails the transaction, and may not be tried in a subtransaction. */
const MAY_EXPORT = `
  select pg_catalog.has_function_privilege('pg_catalog.pg_export_snapshot()', 'execute')::text as may`;

/** Null where it may not be shown to others. */
async function invite(client: pg.Client): Promise<Invitation | null> {
  if ((await client.query<{ may: string }>(MAY_EXPORT)).rows[0]?.may !== 'true') return null;
  const query = `select pg_catalog.pg_export_snapshot() as snapshot, ${SEEN}`;
  const { snapshot = '', seen = '' } = (await client.query<Partial<Invitation>>(query)).rows[0] ?? {};
  return { snapshot, seen };
}

/**
 * Another connection that has locked the table and sees the batch's snapshot; null where there is none to be had, for
 * whatever reason, also one that hangs: then there are fewer. It does not wait for a lock, since somebody who waits for
 * the table holds up all who come after, and the batch ends sooner without.
 */
async function join(
  input: StreamsInput,
  table: TableSpec,
  invitation: Invitation | null,
  boarding: AbortSignal,
): Promise<pg.Client | null> {
  if (invitation === null) return null;
  const client = await input.connectMore(boarding).catch(() => null);
  if (client === null) return null;
  const giveUp = (): void => destroy(client);
  boarding.addEventListener('abort', giveUp);
  try {
    boarding.throwIfAborted();
    await client.query('begin isolation level repeatable read read only');
    await client.query(`lock table ${qualified(input.schema, table.name)} in access share mode nowait`);
    await client.query(`set transaction snapshot ${literal(invitation.snapshot)}`);
    const { rows } = await client.query<{ seen: string }>(`select ${SEEN}`);
    if (rows[0]?.seen === invitation.seen) return client;
  } catch {
    // It goes on without.
  } finally {
    boarding.removeEventListener('abort', giveUp);
  }
  await close(client);
  return null;
}
