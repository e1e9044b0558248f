import type { Client } from 'pg';
import { beforeAll, describe, expect, it } from 'vitest';
import { liveOneDay } from '../../../src/local/totesys/day.ts';
import { generateTotesys } from '../../../src/local/totesys/generate.ts';
import { createTotesys, TABLES } from '../../../src/local/totesys/schema.ts';
import { cell, count, digests, emptySource, generatedSource, isDense, LAST_DAY, NOW } from './sources.ts';

const ORDER_TABLES = ['sales_order', 'purchase_order', 'transaction', 'payment'] as const;

describe('a generated source', () => {
  let client: Client;
  beforeAll(async () => {
    ({ client } = await generatedSource(600));
  });

  it('has as many rows as were asked for, and what goes with them', async () => {
    const counts: [string, number][] = [];
    for (const table of TABLES) counts.push([table, await count(client, `from ${table}`)]);
    expect(Object.fromEntries(counts)).toEqual({
      address: 30, department: 8, currency: 3, payment_type: 4, staff: 20, counterparty: 20, design: 26,
      sales_order: 600, purchase_order: 252, transaction: 852, payment: 852,
    });
  });

  it('numbers its rows without gaps from 1', async () => {
    for (const table of TABLES) expect(await isDense(client, table)).toBe(true);
  });

  it.each(['design', ...ORDER_TABLES])('takes in %s rows on weekdays from 08:00 to 19:00 only', async (table) => {
    const outside = `from ${table} where extract(isodow from created_at) > 5
      or created_at::time < '08:00' or created_at::time >= '19:00'`;
    expect(await count(client, outside)).toBe(0);
  });

  it('ends on the last weekday before now', async () => {
    expect(await cell(client, 'select max(created_at)::date::text from sales_order')).toBe(LAST_DAY);
    for (const table of ORDER_TABLES) {
      expect(await cell(client, `select max(last_updated)::date <= $1::date from ${table}`, [LAST_DAY])).toBe(true);
    }
  });

  it('has timestamps of whole milliseconds', async () => {
    for (const table of TABLES) {
      const finer = `from ${table} where date_trunc('milliseconds', created_at) <> created_at
        or date_trunc('milliseconds', last_updated) <> last_updated`;
      expect(await count(client, finer)).toBe(0);
    }
  });

  it('has dozens of orders in one millisecond', async () => {
    const most = 'select count(*)::int from sales_order group by created_at order by 1 desc limit 1';
    expect(await cell(client, most)).toBeGreaterThanOrEqual(24);
  });

  it.each(['sales_order', 'purchase_order', 'payment'])('does not number %s rows in order of time', async (table) => {
    const backwards = `from (
      select created_at < lag(created_at) over (order by ${table}_id) as backwards from ${table}) t where backwards`;
    expect(await count(client, backwards)).toBeGreaterThan(0);
  });

  it('has leading zeros, ZIP+4 codes, commas, apostrophes, quotes, letters outside ASCII, and nulls', async () => {
    const found = {
      zeroCodes: "from address where postal_code ~ '^0[0-9]{4}$'",
      zipPlus4: "from address where postal_code ~ '^[0-9]{5}-[0-9]{4}$'",
      zeroPhones: "from address where phone like '0%'",
      nonAscii: "from address where country ~ '[^[:ascii:]]'",
      noSecondLine: 'from address where address_line_2 is null',
      secondLine: 'from address where address_line_2 is not null',
      noDistrict: 'from address where district is null',
      district: 'from address where district is not null',
      noLocation: 'from department where location is null',
      commas: "from counterparty where counterparty_legal_name like '%,%'",
      ampersands: "from counterparty where counterparty_legal_name like '%&%'",
      quotes: "from counterparty where counterparty_legal_name like '%\"%'",
      apostrophes: "from staff where last_name like '%''%'",
    };
    const missing: string[] = [];
    for (const [what, sql] of Object.entries(found)) if (await count(client, sql) === 0) missing.push(what);
    expect(missing).toEqual([]);
  });

  it('writes prices with two decimals as a rule, with fewer or more at times, and all fit numeric(10,2)', async () => {
    const decimals = 'select array_agg(distinct scale(unit_price) order by scale(unit_price)) from sales_order';
    expect(await cell(client, decimals)).toEqual(expect.arrayContaining([1, 2, 3]));
    const columns = { sales_order: 'unit_price', purchase_order: 'item_unit_price', payment: 'payment_amount' };
    for (const [table, column] of Object.entries(columns)) {
      const wrong = `from ${table} where ${column}::numeric(10,2) <> ${column} or ${column} <= 0`;
      expect(await count(client, wrong)).toBe(0);
    }
  });

  it('writes agreed dates as YYYY-MM-DD, never before the order', async () => {
    for (const table of ['sales_order', 'purchase_order']) {
      for (const column of ['agreed_delivery_date', 'agreed_payment_date']) {
        const wrong = `from ${table} where ${column} !~ '^\\d{4}-\\d\\d-\\d\\d$' or ${column}::date < created_at::date`;
        expect(await count(client, wrong)).toBe(0);
      }
    }
  });

  it('has one transaction with one payment for each order', async () => {
    expect(await count(client, 'from transaction where num_nonnulls(sales_order_id, purchase_order_id) <> 1')).toBe(0);
    const joined = `from transaction t join payment p using (transaction_id)
      left join sales_order s using (sales_order_id) left join purchase_order o using (purchase_order_id)
      where t.transaction_type = case when s is null then 'PURCHASE' else 'SALE' end
        and p.payment_type_id = case when s is null then 3 else 1 end
        and p.payment_amount = coalesce(s.units_sold * s.unit_price, o.item_quantity * o.item_unit_price)
        and p.counterparty_id = coalesce(s.counterparty_id, o.counterparty_id)
        and p.currency_id = coalesce(s.currency_id, o.currency_id)
        and p.payment_date = coalesce(s.agreed_payment_date, o.agreed_payment_date)
        and p.created_at = coalesce(s.created_at, o.created_at) and t.created_at = p.created_at`;
    expect(await count(client, joined)).toBe(852);
    const orders = 'select count(distinct (sales_order_id, purchase_order_id))::int from transaction';
    expect(await cell(client, orders)).toBe(852);
  });

  it('turns payments paid in one burst a day, at 07:55 of the payment date or the next weekday', async () => {
    expect(await count(client, 'from payment where paid')).toBeGreaterThan(400);
    const wrong = `from payment where paid and (to_char(last_updated, 'HH24:MI') <> '07:55'
      or extract(isodow from last_updated) > 5 or last_updated <= created_at
      or last_updated::date - greatest(payment_date::date, created_at::date + 1) not between 0 and 2)`;
    expect(await count(client, wrong)).toBe(0);
    const bursts = `select count(distinct last_updated) = count(distinct last_updated::date) from payment where paid`;
    expect(await cell(client, bursts)).toBe(true);
    expect(await count(client, 'from payment where not paid and last_updated <> created_at')).toBe(0);
  });

  it('moved last_updated of hardly any order', async () => {
    const moved = await count(client, 'from sales_order where last_updated <> created_at');
    expect(moved).toBeGreaterThan(0);
    expect(moved).toBeLessThan(30);
  });

  it('never sells a design before it was there', async () => {
    const early = 'from sales_order s join design d using (design_id) where d.created_at >= s.created_at';
    expect(await count(client, early)).toBe(0);
  });

  it('has staff in every department', async () => {
    expect(await cell(client, 'select count(distinct department_id)::int from staff')).toBe(8);
  });

  it('has all foreign keys, and they hold', async () => {
    expect(await count(client, "from pg_constraint where contype = 'f' and convalidated")).toBe(17);
    await expect(client.query('update sales_order set staff_id = 999 where sales_order_id = 1'))
      .rejects.toMatchObject({ code: '23503' });
  });
});

describe('generateTotesys', () => {
  it('gives the same rows for a seed, whatever the time zone of the session, and others for another', async () => {
    const [one, same, other] = await Promise.all([emptySource(), emptySource(), emptySource()]);
    await same.client.query("set timezone = 'Pacific/Auckland'; set datestyle = 'sql, dmy'");
    await generateTotesys(one.client, { orders: 120, seed: 1, now: NOW });
    await generateTotesys(same.client, { orders: 120, seed: 1, now: NOW });
    await generateTotesys(other.client, { orders: 120, seed: 2, now: NOW });
    await same.client.query("set datestyle = 'iso'");
    expect(await digests(same.client)).toEqual(await digests(one.client));
    const [ours, theirs] = [await digests(one.client), await digests(other.client)];
    for (const table of ['address', 'staff', 'design', ...ORDER_TABLES]) expect(theirs[table]).not.toBe(ours[table]);
  });

  it('says what it made', async () => {
    const { client } = await emptySource();
    const made = await generateTotesys(client, { orders: 40, seed: 1, now: NOW });
    expect(made).toMatchObject({ firstDay: '2026-02-18', lastDay: LAST_DAY });
    expect(made.rows).toMatchObject({ address: 30, sales_order: 40, purchase_order: 17, payment: 57 });
  });

  it('spreads 10,000 orders over two years, within seconds', async () => {
    const { client } = await emptySource();
    const began = performance.now();
    const made = await generateTotesys(client, { orders: 10_000, seed: 1, now: NOW });
    // It takes less than one on an idle machine; tests share theirs.
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(made.firstDay).toBe('2024-03-06');
    expect(await count(client, 'from design')).toBe(435);
    expect(await count(client, 'from sales_order where scale(unit_price) = 0')).toBeGreaterThan(0);
    const delayed = 'from sales_order where agreed_delivery_date::date - created_at::date > 7';
    expect(await count(client, delayed)).toBeGreaterThan(0);
  });

  it('makes the days denser, not more, where there are more orders', async () => {
    const { client } = await emptySource();
    const made = await generateTotesys(client, { orders: 30_000, seed: 1, now: NOW });
    expect(made.firstDay).toBe('2024-03-06');
    expect(await cell(client, 'select count(distinct created_at::date)::int from sales_order')).toBe(520);
  });

  it('makes a source of a single order', async () => {
    const { client } = await generatedSource(1);
    expect(await count(client, 'from payment')).toBe(1);
    expect(await cell(client, 'select created_at::date::text from sales_order')).toBe(LAST_DAY);
  });

  it('ends four weeks ago when no time is given, so that twenty days can be lived before today', async () => {
    const { client } = await emptySource();
    const { lastDay } = await generateTotesys(client, { orders: 1, seed: 1 });
    const age = (Date.now() - Date.parse(lastDay)) / 86_400_000;
    expect(age).toBeGreaterThan(29);
    expect(age).toBeLessThan(32);
    const today = new Date().toISOString().slice(0, 10);
    for (let i = 0; i < 20; i += 1) expect((await liveOneDay(client, { seed: 1 })).day < today).toBe(true);
  });

  it.each([
    ['no orders', { orders: 0, seed: 1 }],
    ['half an order', { orders: 1.5, seed: 1 }],
    ['not a number of orders', { orders: Number.NaN, seed: 1 }],
    ['more than 100 million orders', { orders: 100_000_001, seed: 1 }],
    ['a seed that is not whole', { orders: 1, seed: 0.5 }],
    ['a time that is none', { orders: 1, seed: 1, now: new Date('soon') }],
    ['a time before the epoch', { orders: 1, seed: 1, now: new Date('1969-01-01') }],
  ])('refuses %s', async (_, options) => {
    const { client } = await emptySource();
    await expect(generateTotesys(client, options)).rejects.toMatchObject({ name: 'PipelineError', kind: 'config' });
    expect(await count(client, "from pg_class where relname = 'address'")).toBe(0);
  });

  it('refuses a source that has rows, and leaves it as it was', async () => {
    const { client } = await emptySource();
    await createTotesys(client);
    await client.query("insert into currency (currency_id, currency_code) values (7, 'SEK')");
    await expect(generateTotesys(client, { orders: 1, seed: 1 })).rejects.toMatchObject({ kind: 'config' });
    expect(await count(client, 'from currency')).toBe(1);
    expect(await count(client, 'from address')).toBe(0);
  });
});

describe('createTotesys', () => {
  it('makes eleven empty tables with defaults for their timestamps, and does no harm twice', async () => {
    const { client } = await emptySource();
    await createTotesys(client);
    await client.query("insert into currency (currency_id, currency_code) values (1, 'GBP')");
    await createTotesys(client);
    expect(await count(client, "from information_schema.tables where table_schema = 'public'")).toBe(11);
    expect(await count(client, "from pg_constraint where contype = 'f'")).toBe(17);
    const stamped = "select created_at = last_updated and localtimestamp - created_at < '1 hour' from currency";
    expect(await cell(client, stamped)).toBe(true);
  });
});
