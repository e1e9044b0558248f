import { workRange } from '../../src/load/range.ts';
import type { LoadContext } from '../../src/load/load.ts';
import type { RangeOutcome, RangeRef, Splitting } from '../../src/shared/lake/split.ts';
import { expectCurrentIsLatest, type Warehouse } from './warehouse.ts';

/** A queue of ranges: every part is one, and every batch of two parts is large. */
export class Ranges {
  readonly waiting: RangeRef[] = [];
  readonly split: Splitting = {
    thresholdBytes: 0,
    rangeBytes: 1,
    send: async (ranges) => void this.waiting.push(...ranges),
    isBusy: async () => this.waiting.length > 0,
  };

  take(): readonly RangeRef[] {
    return this.waiting.splice(0);
  }
}

/** Works ranges as `workers` connections at once would, each as soon as one is free. */
export async function workAll(
  context: LoadContext,
  refs: readonly RangeRef[],
  workers: number,
): Promise<readonly RangeOutcome[]> {
  const queue = [...refs];
  const outcomes: RangeOutcome[] = [];
  const worker = async (): Promise<void> => {
    for (let ref = queue.shift(); ref; ref = queue.shift()) outcomes.push(await workRange(context, ref));
  };
  await Promise.all(Array.from({ length: workers }, worker));
  return outcomes;
}

/** Looks and works until nothing is left to do. */
export async function loadInRanges(
  warehouse: Warehouse,
  changes: Partial<LoadContext> = {},
  workers = 3,
): Promise<readonly RangeOutcome[]> {
  const outcomes: RangeOutcome[] = [];
  const ranges = new Ranges();
  const context = warehouse.context(changes);
  while (!(await warehouse.load({ ...changes, split: ranges.split })).isUpToDate) {
    outcomes.push(...(await workAll(context, ranges.take(), workers)));
  }
  await expectCurrentIsLatest(warehouse.client, warehouse.schema, context.model);
  return outcomes;
}

/** All that there is in a warehouse of `shops`, but for the numbers and times that no two loads share. */
export const STAR = `
  select (select jsonb_agg(t order by t) from dim_shop t), (select jsonb_agg(t order by t) from dim_item t),
    (select jsonb_agg(t order by t) from dim_date t),
    (select jsonb_agg(to_jsonb(t) - 'sale_record_id' order by sale_id, batch_id) from fact_sale t),
    (select jsonb_agg(t order by t) from current_sale t), (select jsonb_agg(t order by t) from pipeline.ledger t),
    (select jsonb_agg(to_jsonb(t) - 'quarantine_id' || jsonb_build_object('released_at', t.released_at is not null)
      order by batch_id, record_key, to_jsonb(t) - 'quarantine_id') from pipeline.quarantine t)`;

export const STAGED_TABLES = `
  select count(*)::int from pg_class where relnamespace = 'pipeline'::regnamespace and relname like 'staged%' and relkind = 'r'`;

/** Nothing of a batch is seen until all of it is. */
export const SEEN = `
  select (select count(*)::int from fact_sale), (select count(*)::int from current_sale),
    (select count(*)::int from dim_shop), (select coalesce(max(batch_id), 0)::int from pipeline.ledger)`;
