import * as v from 'valibot';
import { PipelineError } from '../errors.ts';
import { readJson, toJson } from '../lake/json.ts';
import type { Lake } from '../lake/lake.ts';
import type { Stage } from '../report.ts';

/** A batch that fails in one way. `kind` is an error's, or `bug`. */
export interface Incident {
  readonly batch: number;
  readonly kind: string;
}

const markSchema = v.object({
  claimed_at: v.pipe(v.string(), v.isoTimestamp()),
  published_at: v.nullable(v.pipe(v.string(), v.isoTimestamp())),
});
type Mark = v.InferOutput<typeof markSchema>;

const MARK_MAX_BYTES = 4096;

/** Who has claimed a message and not published it for this long is dead: no function lives longer. */
const CLAIM_LASTS_MS = 15 * 60 * 1000;

const KEY = /\/(\d{20})\/([a-z_]+)\.json$/;

/** The mark under which a batch's recovery is told; no error's kind. */
const RECOVERED = 'recovered';

/**
 * Which failures have been told and are not over, so that each is told once, whoever meets it and however often:
 * `state/alerts/<stage>/<20-digit batch>/<kind>.json`. Whoever puts the mark publishes; a mark that nobody came to
 * publish is taken over. So a message is told at least once, and twice only where its publisher died in between.
 */
export class Incidents {
  readonly #lake: Lake;
  readonly #stage: Stage;
  readonly #now: () => Date;

  constructor(lake: Lake, stage: Stage, now: () => Date) {
    this.#lake = lake;
    this.#stage = stage;
    this.#now = now;
  }

  /**
   * Calls `publish` unless it has been done for this incident, or somebody is at it; when it fails, the next one tries
   * again. @returns whether it is published.
   */
  async tell({ batch, kind }: Incident, publish: () => Promise<void>): Promise<boolean> {
    const key = this.#key(batch, kind);
    const mark: Mark = { claimed_at: this.#now().toISOString(), published_at: null };
    const found = await this.#claim(key, mark);
    if (found !== 'claimed') return found.published_at !== null;
    try {
      await publish();
    } catch (error) {
      await this.#lake.delete(key);
      throw error;
    }
    await this.#lake.replace(key, toJson({ ...mark, published_at: this.#now().toISOString() }));
    return true;
  }

  /** Calls `publish` for every batch of which a failure was told and that is over, and then forgets them. */
  async settle(isOver: (batch: number) => boolean, publish: (batch: number) => Promise<void>): Promise<void> {
    const open = new Map<number, string[]>();
    for await (const key of this.#lake.list(`state/alerts/${this.#stage}/`)) {
      const [, digits] = KEY.exec(key) ?? [];
      // Whatever else people leave there.
      if (digits === undefined) continue;
      const batch = Number(digits);
      if (isOver(batch)) open.set(batch, [...(open.get(batch) ?? []), key]);
    }
    for (const [batch, keys] of open) {
      const told = keys.filter((key) => !key.endsWith(`/${RECOVERED}.json`));
      const isTold =
        !(await this.#anyPublished(told)) || (await this.tell({ batch, kind: RECOVERED }, async () => publish(batch)));
      if (!isTold) continue;
      for (const key of told) await this.#lake.delete(key);
      await this.#lake.delete(this.#key(batch, RECOVERED));
    }
  }

  /** The mark that somebody else has put, where there is one to be respected. */
  async #claim(key: string, mark: Mark): Promise<Mark | 'claimed'> {
    if ((await this.#lake.putIfAbsent(key, toJson(mark))) === 'created') return 'claimed';
    const found = await this.#read(key);
    if (found !== null && (found.published_at !== null || this.#isFresh(found))) return found;
    await this.#lake.replace(key, toJson(mark));
    return 'claimed';
  }

  #isFresh({ claimed_at }: Mark): boolean {
    return this.#now().getTime() - new Date(claimed_at).getTime() < CLAIM_LASTS_MS;
  }

  async #anyPublished(keys: readonly string[]): Promise<boolean> {
    for (const key of keys) if ((await this.#read(key))?.published_at) return true;
    return false;
  }

  /** Null for what somebody else has just removed, or what is no mark. A lake that does not answer says neither. */
  async #read(key: string): Promise<Mark | null> {
    const content = await readJson(this.#lake, key, MARK_MAX_BYTES).catch((error: unknown) => {
      if (error instanceof PipelineError && (error.kind === 'lake_missing' || error.kind === 'lake_corrupt')) return null;
      throw error;
    });
    const parsed = v.safeParse(markSchema, content);
    return parsed.success ? parsed.output : null;
  }

  #key(batch: number, kind: string): string {
    return `state/alerts/${this.#stage}/${String(batch).padStart(20, '0')}/${kind}.json`;
  }
}
