import type pg from 'pg';
import type { Batch } from './story.ts';

/** What there is to find fault with. */
export interface Verdict {
  /** How many there have to be. */
  readonly versions: number;
  /** States of rows, as of a batch, that are neither a version nor in quarantine. */
  readonly lost: readonly string[];
  /** Versions that are there twice, or like the one before. */
  readonly doubled: readonly string[];
  /** Versions that are behind a later one. */
  readonly outOfOrder: readonly string[];
  /** Versions that never were, and whatever else is not as it is in the source. */
  readonly wrong: readonly string[];
}

interface Row {
  readonly fact: string;
  readonly key: string;
  readonly batch: string;
  readonly counter: string;
  readonly note: string | null;
}

/** What a row was as of a batch. */
interface StateRow extends Row {
  readonly is_there: boolean;
  /** Another one than the batch before saw. */
  readonly is_news: boolean;
}

/**
 * What rows were as of each batch, as PostgreSQL itself says it from what the writer has written down and the snapshots
 * in the log: of each key the state with the highest counter that the snapshot sees. Nothing of the product's capture is
 * in it: neither `xmin` nor comparing rows.
 */
const STATES = `
  with seen as (
    select distinct on (c.fact, c.key, b.batch) c.fact, c.key, b.batch, c.counter, c.is_there, c.note
    from audit.batch b
    join audit.change c on pg_visible_in_snapshot(c.xid, b.snapshot)
    order by c.fact, c.key, b.batch, c.counter desc
  )
  select fact, key::text, batch::text, counter::text, note, is_there,
    counter is distinct from lag(counter) over (partition by fact, key order by batch) as is_news
  from seen`;

const BATCHES = `
  drop table if exists audit.batch;
  create table audit.batch (batch bigint, snapshot pg_snapshot)`;

async function statesOf(source: pg.Client, batches: readonly Batch[]): Promise<readonly StateRow[]> {
  await source.query(BATCHES);
  for (const { batch, snapshot } of batches) {
    await source.query('insert into audit.batch values ($1, $2)', [batch, snapshot]);
  }
  return (await source.query<StateRow>(STATES)).rows;
}

/**
 * Refunds, and the notes of sales, are known to the later model only. While stages run one and the other, what a batch
 * has of them is as the one knows it that did it; from this batch on, which was read whole for it, all of it is there.
 */
function settledAt(batches: readonly Batch[]): number {
  const from = batches.findLastIndex(({ isLater }) => !isLater) + 1;
  const settled = batches.slice(from).find(({ batch, whole }) => batch === 1 || whole.some((table) => table.startsWith('sale ')));
  return settled?.batch ?? Infinity;
}

const VERSIONS = `
  select 'fact_sale' as fact, sale_id::text as key, batch_id::text as batch, counter::text, note from fact_sale
  union all
  select 'fact_refund', refund_id::text, batch_id::text, counter::text, null from fact_refund`;

const WAITING = `
  select table_name as fact, record_key as key, batch_id::text as batch, row ->> 'counter' as counter, null as note
  from pipeline.quarantine where released_at is null`;

/** Against the version before, by the order of batches. */
const neighbours = (fact: string, key: string, record: string): string => `
  select '${fact} ' || ${key} || ' in batch ' || batch_id as what, counter < before_counter as is_behind, row = before as is_like
  from (
    select f.*, lag(counter) over w as before_counter, to_jsonb(f) - '{batch_id,${record}}'::text[] as row,
      lag(to_jsonb(f) - '{batch_id,${record}}'::text[]) over w as before
    from ${fact} f window w as (partition by ${key} order by batch_id)
  ) f where counter < before_counter or row = before`;

export async function judge(source: pg.Client, warehouse: pg.Client, batches: readonly Batch[]): Promise<Verdict> {
  const states = await statesOf(source, batches);
  const settled = settledAt(batches);
  const versions = (await warehouse.query<Row>(VERSIONS)).rows;
  const waiting = (await warehouse.query<Row>(WAITING)).rows;
  const known = new Map(versions.map((row) => [placeOf(row), row]));
  const kept = new Set(waiting.map(countedOf));
  const seen = new Map(states.map((row) => [placeOf(row), row]));
  const wanted = states.filter((row) => row.is_there && row.is_news && isFollowed(row, settled));
  const isMet = (row: Row): boolean => known.get(placeOf(row))?.counter === row.counter || kept.has(countedOf(row));
  const twice = versions.filter((row) => known.get(placeOf(row)) !== row || kept.has(countedOf(row)));
  const never = versions.filter((row) => !isOf(row, seen.get(placeOf(row)), settled));
  const beside = await besides(warehouse);
  return {
    versions: wanted.length,
    lost: wanted.filter((row) => !isMet(row)).map(titleOf),
    doubled: [...twice.map(titleOf), ...beside.filter((row) => row.is_like).map(({ what }) => what)],
    outOfOrder: beside.filter((row) => row.is_behind).map(({ what }) => what),
    wrong: [...never.map((row) => `${titleOf(row)} never was`), ...(await differences(source, warehouse))],
  };
}

/** Sales always are; the batch with which refunds settle may bring what was there before. */
function isFollowed({ fact, batch }: Row, settled: number): boolean {
  return fact === 'fact_sale' || settled === 1 || Number(batch) > settled;
}

function isOf(version: Row, state: StateRow | undefined, settled: number): boolean {
  if (state?.is_there !== true || state.counter !== version.counter) return false;
  const isUnknown = Number(version.batch) < settled && version.note === null;
  return isUnknown || version.note === state.note;
}

function countedOf(row: Row): string {
  return `${placeOf(row)} ${row.counter}`;
}

interface Beside {
  readonly what: string;
  readonly is_behind: boolean;
  readonly is_like: boolean;
}

async function besides(warehouse: pg.Client): Promise<readonly Beside[]> {
  const sales = await warehouse.query<Beside>(neighbours('fact_sale', 'sale_id', 'sale_record_id'));
  const refunds = await warehouse.query<Beside>(neighbours('fact_refund', 'refund_id', 'refund_record_id'));
  return [...sales.rows, ...refunds.rows];
}

function placeOf({ fact, key, batch }: Row): string {
  return `${fact} ${key} in batch ${batch}`;
}

function titleOf(row: Row): string {
  return `${placeOf(row)} (counter ${row.counter}, note ${row.note})`;
}

/** Of what is in the source and can be used: what the current tables and the dimension have to show. */
const PRESENT: readonly (readonly [what: string, source: string, warehouse: string])[] = [
  [
    'dim_stall',
    'select stall_id::text as key, concat_ws(\'|\', s.name, t.name) as row from stall s join town t using (town_id)',
    'select stall_id::text as key, concat_ws(\'|\', name, town_name) as row from dim_stall',
  ],
  [
    'current_sale',
    `select sale_id::text as key, concat_ws('|', stall_id, price::numeric(10, 2), counter, note) as row from sale
      where price = round(price, 2) and stall_id in (select stall_id from stall)`,
    'select sale_id::text as key, concat_ws(\'|\', stall_id, price, counter, note) as row from current_sale',
  ],
  [
    'current_refund',
    `select refund_id::text as key, concat_ws('|', stall_id, amount::numeric(10, 2), counter) as row from refund
      where amount = round(amount, 2) and stall_id in (select stall_id from stall)`,
    'select refund_id::text as key, concat_ws(\'|\', stall_id, amount, counter) as row from current_refund',
  ],
];

const LEDGER = `select count(*) = max(batch_id) and min(batch_id) = 1 and count(distinct log_id) = 1 as is_whole from pipeline.ledger`;

async function differences(source: pg.Client, warehouse: pg.Client): Promise<readonly string[]> {
  const found: string[] = [];
  for (const [what, there, here] of PRESENT) {
    const rows = new Map((await warehouse.query<{ key: string; row: string }>(here)).rows.map(({ key, row }) => [key, row]));
    for (const { key, row } of (await source.query<{ key: string; row: string }>(there)).rows) {
      if (rows.get(key) !== row) found.push(`${what} ${key} is ${rows.get(key)}, in the source ${row}`);
    }
  }
  const { rows } = await warehouse.query<{ is_whole: boolean }>(LEDGER);
  return rows[0]?.is_whole === true ? found : [...found, 'the ledger has gaps, or more than one log'];
}
