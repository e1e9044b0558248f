import * as v from 'valibot';
import { PipelineError } from '../errors.ts';
import { ENTRY_MAX_BYTES, readJson, toJson } from './json.ts';
import { splitKey, splitPrefix } from './key.ts';
import type { Lake } from './lake.ts';
import type { Log, LogEntry } from './log.ts';

/**
 * A batch too large for one process, done in ranges by several. Its plan is an object in the lake, and so is a mark for
 * each range that is done. There is no coordinator: whoever finds that no mark is missing commits the batch, by a log
 * entry, of which there is only ever one. So a range may be done twice (the mark that was first counts), and a batch
 * may have several plans at once (one of them wins); what is lost of it all is work.
 */

/** One range of a batch: all that a message to a worker says. */
export const rangeRefSchema = v.strictObject({
  batch: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  /** Of the plan. */
  attempt: v.pipe(v.string(), v.uuid()),
  range: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});
export type RangeRef = Readonly<v.InferOutput<typeof rangeRefSchema>>;

/** What became of a range: `gone` where nobody needs it any more. */
export type RangeOutcome = 'done' | 'committed' | 'gone';

/** How a stage has large batches done in ranges. */
export interface Splitting {
  /** What is smaller than this is done at once, as always. */
  readonly thresholdBytes: number;
  /** About how much a range is to be; see `rangeBytesOf`. */
  readonly rangeBytes: number;
  /** In how many ranges a batch is to be done, about, where there are workers for so many: then `rangeBytes` is the least. */
  readonly ranges?: number;
  /** Hands ranges to workers; those that get lost are handed out again by a later look. */
  readonly send: (ranges: readonly RangeRef[]) => Promise<void>;
  /** Whether ranges that were handed out wait or are being worked on. */
  readonly isBusy: () => Promise<boolean>;
}

/** How much a range is to be of a batch of so many bytes. */
export function rangeBytesOf({ rangeBytes, ranges }: Pick<Splitting, 'rangeBytes' | 'ranges'>, bytes: number): number {
  return ranges === undefined ? rangeBytes : Math.max(rangeBytes, Math.ceil(bytes / ranges));
}

/** What every plan says, whatever its stage. */
export const splitPlanBase = {
  format: v.literal(1),
  batch: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  attempt: v.pipe(v.string(), v.uuid()),
  /** The declarations that it was made by: a build with others makes a plan of its own. */
  model: v.string(),
};

/** Enough of a plan to see whose it is. */
const anyPlan = v.looseObject({ format: v.unknown(), model: v.unknown() });

export type SplitPlan = v.InferOutput<v.ObjectSchema<typeof splitPlanBase, undefined>> & {
  readonly ranges: readonly unknown[];
};

/** Why a plan is one no more. `failed`: nobody wanted that, it could not be finished. */
const voidSchema = v.object({ reason: v.string(), failed: v.optional(v.boolean()) });
type Void = v.InferOutput<typeof voidSchema>;

/** One after the other, a thousand marks in S3 would be half a minute. */
const MARKS_AT_ONCE = 16;

interface Attempt {
  readonly attempt: string;
  readonly isPlan: boolean;
  readonly isVoid: boolean;
}

/** One attempt, put by several workers: won is it by the one whose entry is there. */
export async function commitOnce<E extends LogEntry>(log: Log<E>, entry: E): Promise<'won' | 'lost'> {
  if ((await log.commit(entry)) === 'lost') return 'lost';
  return (await log.read(entry.batch)).committed_at === entry.committed_at ? 'won' : 'lost';
}

/** The plans of one lake and their marks. Like log entries, both are only ever put where there is none. */
export class Splits<P extends SplitPlan, M> {
  readonly #lake: Lake;
  readonly #plan: v.GenericSchema<unknown, P>;
  readonly #mark: v.GenericSchema<unknown, M>;

  constructor(lake: Lake, plan: v.GenericSchema<unknown, P>, mark: v.GenericSchema<unknown, M>) {
    this.#lake = lake;
    this.#plan = plan;
    this.#mark = mark;
  }

  async begin(plan: P): Promise<void> {
    await this.#lake.putIfAbsent(splitKey(plan.batch, plan.attempt, 'plan'), toJson(plan));
  }

  /** The plan by which a batch is being done; of several the same one for everybody. Null where there is none. */
  async find(batch: number, model: string): Promise<P | null> {
    for (const { attempt, isPlan, isVoid } of await this.#attempts(batch)) {
      if (!isPlan || isVoid) continue;
      const plan = await this.#readOf(batch, attempt, model);
      if (plan !== null) return plan;
    }
    return null;
  }

  /** The same, of those that still stand: the others are given up. @param whyNot Null of a plan that stands. */
  async findStanding(batch: number, model: string, whyNot: (plan: P) => string | null): Promise<P | null> {
    for (;;) {
      const plan = await this.find(batch, model);
      const reason = plan && whyNot(plan);
      if (plan === null || reason === null) return plan;
      await this.giveUp(plan, reason);
    }
  }

  /**
   * The plan that a message is of; null where nobody needs its ranges: it was given up, or is another model's and the
   * batch is being done by one of this model, too. `lake_missing` where there never was one, `model_mismatch` where
   * whoever asks is behind.
   */
  async planOf({ batch, attempt }: Pick<RangeRef, 'batch' | 'attempt'>, model: string): Promise<P | null> {
    if (await this.#exists(splitKey(batch, attempt, 'void'))) return null;
    const plan = await this.#readOf(batch, attempt, model);
    if (plan !== null || (await this.find(batch, model)) !== null) return plan;
    const message = `batch ${batch} is being done in ranges by another model than this build has`;
    throw new PipelineError('model_mismatch', message, { batch });
  }

  async isDone({ batch, attempt, range }: RangeRef): Promise<boolean> {
    return this.#exists(splitKey(batch, attempt, range));
  }

  /** Notes that a range is done. Another's mark that was first stays. */
  async mark({ batch, attempt, range }: RangeRef, made: M): Promise<void> {
    await this.#lake.putIfAbsent(splitKey(batch, attempt, range), toJson(made));
  }

  /** The ranges without a mark. */
  async missing({ batch, attempt, ranges }: P): Promise<readonly RangeRef[]> {
    const done = new Set<string>();
    const prefix = `${splitPrefix(batch)}${attempt}/`;
    for await (const key of this.#lake.list(prefix)) done.add(key);
    return ranges.map((_, range) => ({ batch, attempt, range })).filter((ref) => !done.has(splitKey(batch, attempt, ref.range)));
  }

  /** The marks of all ranges, in their order. */
  async marks({ batch, attempt, ranges }: P): Promise<readonly M[]> {
    const keys = ranges.map((_, range) => splitKey(batch, attempt, range));
    const marks: M[] = [];
    for (let at = 0; at < keys.length; at += MARKS_AT_ONCE) {
      marks.push(...(await Promise.all(keys.slice(at, at + MARKS_AT_ONCE).map(async (key) => this.#readMark(key)))));
    }
    return marks;
  }

  /** What it was made of is not there any more: it can never be finished. The next look makes another one. */
  async giveUp({ batch, attempt }: SplitPlan, reason: string): Promise<void> {
    await this.#void(batch, attempt, { reason });
  }

  /** The same, where nobody wanted it. @returns how many plans of this batch have ended so. */
  async fail({ batch, attempt }: SplitPlan, reason: string): Promise<number> {
    await this.#void(batch, attempt, { reason, failed: true });
    let failed = 0;
    for (const one of await this.#attempts(batch)) {
      const key = splitKey(batch, one.attempt, 'void');
      const content = one.isVoid && this.#parse(voidSchema, await readJson(this.#lake, key, ENTRY_MAX_BYTES), key);
      if (content && content.failed === true) failed += 1;
    }
    return failed;
  }

  /**
   * Gives up all plans of a batch that is committed. Whoever takes its entry out of the log, or begins another log,
   * means it to be done again, and not to be taken up as it was: objects of it may be why. The commit stands without.
   */
  async retire(batch: number): Promise<void> {
    try {
      const left = (await this.#attempts(batch)).filter(({ isPlan, isVoid }) => isPlan && !isVoid);
      for (const { attempt } of left) await this.#void(batch, attempt, { reason: 'its batch is committed' });
    } catch {
      // What is left of them is then only ever taken up by such a log.
    }
  }

  async #void(batch: number, attempt: string, content: Void): Promise<void> {
    await this.#lake.putIfAbsent(splitKey(batch, attempt, 'void'), toJson(content));
  }

  /** All tries at a batch, in one order for everybody. */
  async #attempts(batch: number): Promise<readonly Attempt[]> {
    const attempts = new Map<string, Set<string>>();
    const prefix = splitPrefix(batch);
    for await (const key of this.#lake.list(prefix)) {
      const [attempt = '', name = ''] = key.slice(prefix.length).split('/');
      attempts.set(attempt, (attempts.get(attempt) ?? new Set()).add(name));
    }
    return [...attempts].map(([attempt, names]) => ({ attempt, isPlan: names.has('plan.json'), isVoid: names.has('void.json') }));
  }

  /** Null for a plan of another build's, which need not be readable here. */
  async #readOf(batch: number, attempt: string, model: string): Promise<P | null> {
    const content = await readJson(this.#lake, splitKey(batch, attempt, 'plan'), ENTRY_MAX_BYTES);
    const { format, model: madeBy } = this.#parse(anyPlan, content, splitKey(batch, attempt, 'plan'));
    return format === 1 && madeBy === model ? this.#checked(content, batch, attempt) : null;
  }

  #checked(content: unknown, batch: number, attempt: string): P {
    const key = splitKey(batch, attempt, 'plan');
    const plan = this.#parse(this.#plan, content, key);
    if (plan.batch === batch && plan.attempt === attempt) return plan;
    throw new PipelineError('lake_corrupt', `${key} holds the plan of another attempt`, { key, batch });
  }

  async #readMark(key: string): Promise<M> {
    return this.#parse(this.#mark, await readJson(this.#lake, key, ENTRY_MAX_BYTES), key);
  }

  #parse<T>(schema: v.GenericSchema<unknown, T>, content: unknown, key: string): T {
    const parsed = v.safeParse(schema, content);
    if (parsed.success) return parsed.output;
    throw new PipelineError('lake_corrupt', `${key} is not what this build writes there`, { key });
  }

  async #exists(key: string): Promise<boolean> {
    for await (const found of this.#lake.list(key)) if (found === key) return true;
    return false;
  }
}
