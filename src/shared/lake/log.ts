import * as v from 'valibot';

import { PipelineError } from '../errors.ts';
import { ENTRY_MAX_BYTES, readJson, toJson } from './json.ts';
import { batchOfLogKey, LOG_PREFIX, logKey } from './key.ts';
import type { Lake } from './lake.ts';

/** The version of the entries' format; readers refuse every other. */
const FORMAT = 1;

/** Keys looked at in one probe for the head: what one answer of ListObjectsV2 can hold. */
const PROBE_KEYS = 1000;

/** As `Date` writes it: the 31st of February, which looks like a time, would stop the warehouse that is told of it. */
export const instant = v.pipe(v.string(), v.check(isInstant));

function isInstant(text: string): boolean {
  const at = new Date(text);
  return !Number.isNaN(at.getTime()) && at.toISOString() === text;
}

/** What every entry says, whatever its stage: `v.object({ ...logEntryBase, … })` is the schema of a stage's entries. */
export const logEntryBase = {
  format: v.literal(FORMAT),
  /** Drawn at random for entry 1, repeated by all that follow. */
  log_id: v.pipe(v.string(), v.uuid()),
  batch: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  /** Which try wrote this entry; it is in the keys of all the objects that the entry names. */
  attempt: v.pipe(v.string(), v.uuid()),
  committed_at: instant,
};

const anyFormat = v.looseObject({ format: v.unknown() });

export type LogEntry = v.InferOutput<v.ObjectSchema<typeof logEntryBase, undefined>>;

/**
 * The numbered log of one lake: entries 1, 2, 3 … without a gap, since N + 1 is only ever written by somebody who has
 * seen N. Writing entry N is the commit of batch N.
 */
export class Log<E extends LogEntry> {
  readonly #lake: Lake;
  readonly #schema: v.GenericSchema<unknown, E>;
  /** A log does not shrink: where the head was is where to look for it next. */
  #lastHead = 0;

  constructor(lake: Lake, schema: v.GenericSchema<unknown, E>) {
    this.#lake = lake;
    this.#schema = schema;
  }

  /**
   * The number of the last entry, 0 when there is none. `hint` is a number that may be near it: the nearer, the fewer
   * probes (one when it is at most 999 behind), but any will do. `lake_missing` where an entry is seen to be gone.
   */
  async head(hint = 0): Promise<number> {
    const start = Math.max(Number.isSafeInteger(hint) ? hint : 0, this.#lastHead, 1);
    this.#lastHead = await this.#searchFrom(start);
    return this.#lastHead;
  }

  /** `lake_missing` when there is no such entry; `lake_corrupt` when it is not one that this build can read. */
  async read(batch: number): Promise<E> {
    const key = logKey(batch);
    return this.#parse(await readJson(this.#lake, key, ENTRY_MAX_BYTES), key, batch);
  }

  /**
   * Writes the entry unless its batch is committed already; `won` when the entry that is there now is this attempt's.
   * An answer can be lost after the entry was written: whoever then meets an entry must look whose it is.
   */
  async commit(entry: E): Promise<'won' | 'lost'> {
    const key = logKey(entry.batch);
    const body = toJson(entry);
    this.#checkReadable(body, key, entry.batch);
    if (body.length > ENTRY_MAX_BYTES) throw new TypeError(`${key} would be over ${ENTRY_MAX_BYTES} bytes`);
    const outcome = await this.#putIfAbsent(key, body);
    const winner = outcome === 'created' ? entry : await this.read(entry.batch);
    this.#lastHead = Math.max(this.#lastHead, entry.batch);
    return winner.attempt === entry.attempt ? 'won' : 'lost';
  }

  /** Once more where the lake did not answer: the entry may be there, and asking again does no harm. */
  async #putIfAbsent(key: string, body: Uint8Array): Promise<'created' | 'exists'> {
    try {
      return await this.#lake.putIfAbsent(key, body);
    } catch (error) {
      if (error instanceof PipelineError && error.kind === 'lake_unavailable') {
        return this.#lake.putIfAbsent(key, body);
      }
      throw error;
    }
  }

  /** An entry that cannot be read back would stop the log for good. To try and write one is a bug. */
  #checkReadable(body: Uint8Array, key: string, batch: number): void {
    try {
      this.#parse(JSON.parse(Buffer.from(body).toString('utf8')), key, batch);
    } catch (error) {
      throw new TypeError(`${key} would not be readable`, { cause: error });
    }
  }

  #parse(content: unknown, key: string, batch: number): E {
    const known = v.safeParse(anyFormat, content);
    if (known.success && known.output.format !== FORMAT) {
      throw new PipelineError('lake_corrupt', `${key} is in a format this build does not know`, { key, batch });
    }
    const parsed = v.safeParse(this.#schema, content);
    if (!parsed.success) {
      throw new PipelineError('lake_corrupt', `${key} is not a log entry${fieldOf(parsed.issues)}`, { key, batch });
    }
    if (parsed.output.batch !== batch) {
      throw new PipelineError('lake_corrupt', `${key} holds the entry of another batch`, { key, batch });
    }
    return parsed.output;
  }

  /**
   * Gallops up from `start` while there are more entries than one probe sees, then bisects: about 2·log₂(head / 1000)
   * probes where the hint is of no use, and one where it is good.
   */
  async #searchFrom(start: number): Promise<number> {
    let low = 0;
    let high = Infinity;
    let probe = start;
    for (let stride = PROBE_KEYS; high - low > 1; stride *= 2) {
      const { last, isHead } = await this.#lookFrom(probe);
      if (isHead) return last;
      if (last === 0) high = probe;
      else low = last;
      probe = low + (high === Infinity ? stride : Math.floor((high - low) / 2));
    }
    return low;
  }

  /** The last entry among the first `PROBE_KEYS` from `first` on, 0 when there are none, and whether it is the head. */
  async #lookFrom(first: number): Promise<{ readonly last: number; readonly isHead: boolean }> {
    let next = first;
    for await (const key of this.#lake.list(LOG_PREFIX, first === 1 ? undefined : logKey(first - 1))) {
      const batch = batchOfLogKey(key);
      if (batch === null) continue;
      if (batch !== next) await this.#mustExist(next);
      next = batch + 1;
      if (next - first >= PROBE_KEYS) return { last: batch, isHead: false };
    }
    return next === first ? { last: 0, isHead: false } : { last: next - 1, isHead: true };
  }

  /** A listing of a directory that is being written to may leave out an entry; only its absence itself is a gap. */
  async #mustExist(batch: number): Promise<void> {
    (await this.#lake.get(logKey(batch))).destroy();
  }
}

/** Where the first fault is. A name of a declaration only: anything else may be content. */
function fieldOf(issues: readonly v.BaseIssue<unknown>[]): string {
  const name = issues[0]?.path?.[0]?.key;
  return typeof name === 'string' && /^[a-z_]{1,40}$/.test(name) ? `: see ${name}` : '';
}
