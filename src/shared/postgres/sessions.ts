import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { close, connect, destroy } from './client.ts';
import type { Side } from './errors.ts';

/** A session that a stage works in. */
export interface Opening {
  readonly side: Side;
  readonly url: string;
  /** Name to value. Those, and what is prepared, are the same for all of a side. */
  readonly settings: Readonly<Record<string, string>>;
  /** Done once, when it is opened. */
  readonly prepare?: (client: pg.Client) => Promise<void>;
}

/** In milliseconds. */
interface Patience {
  /** For the next look to come. */
  readonly idle: number;
  /**
   * Then a new one is opened all the same: a name may lead elsewhere by now, after a failover for one, and a login may
   * have ended.
   */
  readonly life: number;
  /** For one that was kept to answer; else it is taken for gone. */
  readonly answer: number;
}

/** Whoever looks less often opens new ones, and is no session on the server meanwhile. */
export const KEPT_MS = 60_000;

const PATIENCE: Patience = { idle: KEPT_MS, life: 10 * 60_000, answer: 5_000 };

interface Kept {
  readonly client: pg.Client;
  readonly timer: NodeJS.Timeout;
}

/**
 * Keeps the sessions of a process that looks again and again, from one look to the next. To open one takes a server longer
 * than all that is asked of it where nothing has changed: it begins with an empty catalogue cache. 2,000,000 orders,
 * nothing new: 0.35 s with new ones, 0.22 with these (`idle_vs_scan` of `make bench`).
 *
 * Only what ended well is kept: then it is in no transaction, and as it was.
 */
export class Sessions {
  readonly #kept = new Map<string, Kept>();
  readonly #openedAtMs = new WeakMap<pg.Client, number>();
  readonly #patience: Patience;

  constructor(patience: Partial<Patience> = {}) {
    this.#patience = { ...PATIENCE, ...patience };
  }

  /** @throws PipelineError where no session can be opened. */
  async open(opening: Opening): Promise<pg.Client> {
    const kept = this.#take(opening);
    if (kept !== null && (await isAnswering(kept, this.#patience.answer))) return kept;
    const client = await openSession(opening);
    this.#openedAtMs.set(client, performance.now());
    return client;
  }

  async giveBack(opening: Opening, client: pg.Client): Promise<void> {
    const key = keyOf(opening);
    if (this.#isOld(client) || this.#kept.has(key)) return close(client);
    const timer = setTimeout(() => {
      this.#kept.delete(key);
      void close(client);
    }, this.#patience.idle);
    this.#kept.set(key, { client, timer });
  }

  /** Those that are kept. Before that the process does not end by itself. */
  async close(): Promise<void> {
    const all = [...this.#kept.values()];
    this.#kept.clear();
    for (const { timer } of all) clearTimeout(timer);
    await Promise.all(all.map(async ({ client }) => close(client)));
  }

  #take(opening: Opening): pg.Client | null {
    const key = keyOf(opening);
    const kept = this.#kept.get(key);
    if (kept === undefined) return null;
    this.#kept.delete(key);
    clearTimeout(kept.timer);
    if (!this.#isOld(kept.client)) return kept.client;
    void close(kept.client);
    return null;
  }

  #isOld(client: pg.Client): boolean {
    const openedAtMs = this.#openedAtMs.get(client) ?? Number.NEGATIVE_INFINITY;
    return performance.now() - openedAtMs > this.#patience.life;
  }
}

function keyOf({ side, url }: Opening): string {
  return `${side} ${url}`;
}

async function openSession({ side, url, settings, prepare }: Opening): Promise<pg.Client> {
  const client = await connect(side, url, settings);
  try {
    await prepare?.(client);
    return client;
  } catch (error) {
    await close(client);
    throw error;
  }
}

async function isAnswering(client: pg.Client, withinMs: number): Promise<boolean> {
  const over = new AbortController();
  const asked = client.query('select').then(() => true, () => false);
  const late = delay(withinMs, false, { signal: over.signal }).catch(() => false);
  const isThere = await Promise.race([asked, late]);
  over.abort();
  if (!isThere) destroy(client);
  return isThere;
}

/** Runs `work` in a session: one that was kept where there is one, and keeps it where `work` ends well. */
export async function inSession<T>(
  sessions: Sessions | undefined,
  opening: Opening,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = await (sessions?.open(opening) ?? openSession(opening));
  let result: T;
  try {
    result = await work(client);
  } catch (error) {
    await close(client);
    throw error;
  }
  await (sessions?.giveBack(opening, client) ?? close(client));
  return result;
}
