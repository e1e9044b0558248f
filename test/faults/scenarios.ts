import type pg from 'pg';
import { generateTotesys } from '../../src/local/totesys/generate.ts';
import { liveOneDay } from '../../src/local/totesys/day.ts';
import type { ModelName } from './job.ts';
import { MARKET_SCHEMA } from './market.ts';

/** What a source goes through: what each batch is to bring. */
export interface Scenario {
  readonly name: string;
  readonly model: ModelName;
  /** All batches are done in ranges, and faults tried on that; without any they have to end as those that are not. */
  readonly inRanges: boolean;
  /** What has happened before; each is brought to the warehouse before the next. */
  readonly before: readonly Change[];
  /** What the batch is to bring that faults are tried on; nothing where null. */
  readonly change: Change | null;
}

type Change = (source: pg.Client) => Promise<void>;

const sql = (text: string): Change => async (source) => void (await source.query(text));

const SOLD = `'2031-03-03 09:00:00', '2031-03-03 09:00:00'`;

/** Two rows that do not fit: a price of three decimals, a stall that comes later. */
const ROWS = `
  insert into town values (1, 'Ash'), (2, 'Birch');
  insert into stall values (1, 'apples', 1), (2, 'bread', 1), (3, 'cheese', 2);
  insert into sale select n, 1 + n % 3, n + 0.25, n, null, ${SOLD} from generate_series(1, 12) n;
  insert into sale values (20, 1, 9.999, 20, null, ${SOLD}), (21, 7, 1.50, 21, 'early', ${SOLD});
  insert into refund select n, 1 + n % 2, n + 0.5, n, '2031-03-03 10:00:00' from generate_series(1, 4) n`;

const OPENING = `${MARKET_SCHEMA}; ${ROWS}`;

/** Edited, silently too; new; deleted and inserted again; a town renamed; quarantined, released and mended. */
const DAY = `
  update sale set price = price + 1, counter = counter + 100, last_updated = '2031-03-04 09:00:00' where sale_id in (1, 2);
  update sale set counter = counter + 100 where sale_id = 3;
  update sale set counter = counter where sale_id in (4, 5);
  begin; delete from sale where sale_id in (6, 7);
  insert into sale values (6, 2, 6.25, 106, 'again', ${SOLD}), (7, 1, 7.25, 7, null, ${SOLD}); commit;
  insert into sale select n, 1 + n % 3, n, n, 'new', ${SOLD} from generate_series(30, 34) n;
  insert into sale values (40, 2, 0.001, 40, null, ${SOLD}), (41, 8, 2, 41, null, ${SOLD});
  insert into stall values (7, 'late', 2);
  update sale set price = 9.99, counter = 120 where sale_id = 20;
  update town set name = 'Alder' where town_id = 1;
  update refund set amount = 7, counter = 101 where refund_id = 1;
  insert into refund values (9, 3, 1, 9, '2031-03-05 10:00:00')`;

export const MARKET_SCENARIOS: readonly Scenario[] = [
  { name: 'the first batch', model: 'market', inRanges: false, before: [], change: sql(OPENING) },
  { name: 'what changed', model: 'market', inRanges: false, before: [sql(OPENING)], change: sql(DAY) },
  { name: 'nothing new', model: 'market', inRanges: false, before: [sql(OPENING), sql(DAY)], change: null },
];

/** Sales on several pages, ten or so on each. */
const WIDE_OPENING = `
  ${MARKET_SCHEMA}; alter table sale set (fillfactor = 10); ${ROWS};
  insert into sale select n, 1 + n % 3, n + 0.25, n, null, ${SOLD} from generate_series(101, 140) n`;

export const RANGES_SCENARIOS: readonly Scenario[] = [
  { name: 'the first batch, in ranges', model: 'market', inRanges: true, before: [], change: sql(WIDE_OPENING) },
  { name: 'what changed, in ranges', model: 'market', inRanges: true, before: [sql(WIDE_OPENING)], change: sql(DAY) },
];

const FIRST_YEAR: Change = async (source) => void (await generateTotesys(source, { orders: 40, seed: 5 }));
const NEXT_DAY: Change = async (source) => void (await liveOneDay(source, { seed: 6 }));

export const TOTESYS_SCENARIOS: readonly Scenario[] = [
  { name: 'the first batch of totesys', model: 'totesys', inRanges: false, before: [], change: FIRST_YEAR },
  { name: 'a day of totesys', model: 'totesys', inRanges: false, before: [FIRST_YEAR], change: NEXT_DAY },
];
