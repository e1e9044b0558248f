/** Batches that are read in ranges, and those who read them. */

import * as v from 'valibot';
import type { IngestContext } from '../../src/ingest/ingest.ts';
import { workRange } from '../../src/ingest/range.ts';
import { type IngestPlan, planSchema } from '../../src/ingest/split-plan.ts';
import { ENTRY_MAX_BYTES, readJson, toJson } from '../../src/shared/lake/json.ts';
import { splitKey, splitPrefix } from '../../src/shared/lake/key.ts';
import type { RangeOutcome, RangeRef, Splitting } from '../../src/shared/lake/split.ts';
import { model } from '../../src/shared/model/model.ts';
import type { Table } from '../../src/shared/model/table.ts';
import type { ReportEvent, StageResult } from '../../src/shared/report.ts';
import type { Harness } from './harness.ts';

/** A queue without workers: whoever tests is one. */
export class Handed implements Splitting {
  readonly thresholdBytes: number;
  readonly rangeBytes: number;
  /** What has been sent and not been taken. */
  readonly refs: RangeRef[] = [];
  busy = false;

  constructor(rangeBytes: number, thresholdBytes = rangeBytes) {
    this.rangeBytes = rangeBytes;
    this.thresholdBytes = thresholdBytes;
  }

  readonly send = async (refs: readonly RangeRef[]): Promise<void> => void this.refs.push(...refs);
  readonly isBusy = async (): Promise<boolean> => this.busy;

  take(): RangeRef[] {
    return this.refs.splice(0);
  }
}

/** A source whose large batches are read in ranges. */
export class Divided {
  readonly source: Harness;
  readonly handed: Handed;
  readonly events: ReportEvent[] = [];
  readonly #tables: readonly Table[];

  constructor(source: Harness, handed: Handed, ...tables: readonly Table[]) {
    this.source = source;
    this.handed = handed;
    this.#tables = tables;
  }

  context(changed: Partial<IngestContext> = {}): IngestContext {
    return {
      model: model({ tables: this.#tables, dimensions: [], facts: [] }),
      sourceUrl: this.source.readerUrl,
      sourceSchema: 'public',
      ingestion: this.source.lake,
      report: (event) => this.events.push(event),
      now: () => new Date(),
      ...changed,
    };
  }

  /** The look of a stage that has workers. */
  async look(changed: Partial<IngestContext> = {}): Promise<StageResult> {
    return this.source.ingest({ ...this.context(), split: this.handed, ...changed });
  }

  async work(ref: RangeRef, changed: Partial<IngestContext> = {}): Promise<RangeOutcome> {
    return workRange(this.context(changed), ref);
  }

  /** Does all that was handed out, one range after the other. */
  async workAll(): Promise<readonly RangeOutcome[]> {
    const outcomes: RangeOutcome[] = [];
    for (const ref of this.handed.take()) outcomes.push(await this.work(ref));
    return outcomes;
  }

  /** The names of what is known of the plans of a batch, without their attempts. */
  async known(batch: number): Promise<readonly string[]> {
    const names: string[] = [];
    for await (const key of this.source.lake.list(splitPrefix(batch))) names.push(key.split('/').at(-1) ?? '');
    return names.toSorted();
  }

  warnings(): readonly string[] {
    return this.events.filter(({ event }) => event === 'warning').map(({ message }) => message ?? '');
  }
}

/** Keys of a table that are more than once in a batch. */
export async function repeatedIn({ source }: Divided, table: string, key = 'id'): Promise<readonly string[]> {
  const repeated: string[] = [];
  for (const { batch } of await source.entries()) {
    const seen = new Set<string>();
    for (const record of await source.records(batch, table)) {
      const value = record[key] ?? '';
      if (seen.has(value)) repeated.push(`${value} in batch ${batch}`);
      seen.add(value);
    }
  }
  return repeated;
}

export async function planOf({ source }: Divided, { batch, attempt }: RangeRef): Promise<IngestPlan> {
  return v.parse(planSchema, await readJson(source.lake, splitKey(batch, attempt, 'plan'), ENTRY_MAX_BYTES));
}

/** As nobody does. */
export async function changePlan({ source }: Divided, { batch, attempt }: RangeRef, plan: IngestPlan): Promise<void> {
  await source.lake.replace(splitKey(batch, attempt, 'plan'), toJson(plan));
}
