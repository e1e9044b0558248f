import { beforeAll, expect, test } from 'vitest';
import { runPipeline } from '../../src/cli/pipeline.ts';
import { contextOf, countOf, freshPlace, type Place, rowsOf, type Template, totesysTemplate } from '../support/totesys.ts';
import { expectExact } from './warehouses.ts';

let template: Template;
beforeAll(async () => {
  template = await totesysTemplate();
});

async function runAt(place: Place, clock: string): Promise<void> {
  expect(await runPipeline(contextOf(place, { now: () => new Date(clock) }))).toEqual([]);
}

const time = (column: string) => `coalesce(to_char(${column} at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), '-')`;

/** The versions of an order: its units, and for which time it had them, in whole minutes. */
async function versionsOf({ warehouse }: Place, order: number): Promise<readonly string[][]> {
  return rowsOf(warehouse, `select units_sold, ${time('valid_from')}, ${time('valid_to')}
    from history_sales_order where sales_order_id = ${order} order by version`);
}

/** Versions that end before they begin, leave a gap to the next, or are current beside another one. */
const INVERTED = `
  select count(*) from (
    select *, lead(valid_from) over w as next, count(*) filter (where is_current) over w2 as current,
      row_number() over (partition by sales_order_id order by batch_id) as nth
    from history_sales_order
    window w as (partition by sales_order_id order by version), w2 as (partition by sales_order_id)
  ) as history
  where valid_to < valid_from or valid_to is distinct from next or current <> 1 or nth <> version`;

test("clocks may jump on either side: versions keep the order of their batches, and no time ends before it begins", async () => {
  const place = await freshPlace(template);
  const edit = async (units: number) => place.source.query('update sales_order set units_sold = $1 where sales_order_id = 3', [units]);
  await place.source.query(`update sales_order set units_sold = 1, created_at = '2024-01-02 10:00', last_updated = '2024-01-02 10:00' where sales_order_id = 3`);
  await runAt(place, '2030-06-01T12:00:00Z');
  // Starling's clock five years back, then hours forward and back again; the source stamps nothing.
  for (const [units, clock] of [[2, '2025-06-01T12:00:00Z'], [3, '2031-01-01T06:00:00Z'], [4, '2031-01-01T02:00:00Z']] as const) {
    await edit(units);
    await runAt(place, clock);
  }
  expect(await versionsOf(place, 3)).toEqual([
    ['1', '2024-01-02 10:00', '2025-06-01 12:00'],
    ['2', '2025-06-01 12:00', '2031-01-01 06:00'],
    ['3', '2031-01-01 06:00', '2031-01-01 06:00'],
    ['4', '2031-01-01 06:00', '-'],
  ]);
  // The source's clock: an order out of the future, that is then stamped with the past.
  await place.source.query(`update sales_order set units_sold = 5, last_updated = '2041-01-01 00:00' where sales_order_id = 3`);
  await runAt(place, '2026-01-01T00:00:00Z');
  await place.source.query(`update sales_order set units_sold = 6, last_updated = '2001-01-01 00:00' where sales_order_id = 3`);
  await runAt(place, '2026-01-02T00:00:00Z');
  expect((await versionsOf(place, 3)).slice(4)).toEqual([
    ['5', '2041-01-01 00:00', '2041-01-01 00:00'], ['6', '2041-01-01 00:00', '-'],
  ]);
  expect(await countOf(place.warehouse, INVERTED)).toBe(0);
  expect(await rowsOf(place.warehouse, 'select batch_id from pipeline.ledger order by batch_id')).toHaveLength(6);
  await expectExact(place);
});
