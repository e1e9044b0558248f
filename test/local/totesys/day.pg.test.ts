import { beforeEach, describe, expect, it } from 'vitest';
import { liveOneDay, openLateTransaction } from '../../../src/local/totesys/day.ts';
import { createTotesys } from '../../../src/local/totesys/schema.ts';
import { connectTo } from '../../support/postgres.ts';
import {
  cell, count, digests, emptySource, generatedSource, isDense, LAST_DAY, snapshotOf, type Source, stampsOf,
} from './sources.ts';

const NEXT_DAY = '2026-03-04';

describe('a day in the life of the source', () => {
  let source: Source;
  beforeEach(async () => {
    source = await generatedSource(600);
  });

  it('brings designs, and dozens of orders with their payments, in office hours of the next weekday', async () => {
    const { client } = source;
    const lived = await liveOneDay(client, { seed: 1 });
    expect(lived.day).toBe(NEXT_DAY);
    expect(lived.salesOrders).toBeGreaterThanOrEqual(36);
    const inOffice = async (table: string): Promise<number> =>
      count(
        client,
        `from ${table} where created_at >= $1::date + time '08:00' and created_at < $1::date + time '19:00'`,
        [NEXT_DAY],
      );
    expect(await inOffice('sales_order')).toBe(lived.salesOrders);
    expect(await count(client, 'from sales_order')).toBe(600 + lived.salesOrders);
    expect(await inOffice('purchase_order')).toBe(lived.purchaseOrders);
    expect(await inOffice('transaction')).toBe(lived.salesOrders + lived.purchaseOrders);
    expect(await inOffice('payment')).toBe(lived.salesOrders + lived.purchaseOrders);
    expect(await inOffice('design')).toBe(lived.designs);
    expect(lived.designs).toBeGreaterThan(0);
  });

  it('numbers new rows from the highest id on', async () => {
    const { client } = source;
    await liveOneDay(client, { seed: 1 });
    for (const table of ['design', 'sales_order', 'purchase_order', 'transaction', 'payment']) {
      expect(await isDense(client, table)).toBe(true);
    }
  });

  it('books the payments that are due in one burst at 07:55', async () => {
    const { client } = source;
    const paidBefore = await count(client, 'from payment where paid');
    const lived = await liveOneDay(client, { seed: 1 });
    expect(lived.paymentsPaid).toBeGreaterThan(0);
    expect(await count(client, 'from payment where paid')).toBe(paidBefore + lived.paymentsPaid);
    const burst = `from payment where last_updated::date = $1::date and last_updated::time between '07:55' and '07:56'`;
    expect(await count(client, burst, [NEXT_DAY])).toBe(lived.paymentsPaid);
    expect(await cell(client, `select count(distinct last_updated)::int ${burst}`, [NEXT_DAY])).toBe(1);
    const wrong = `${burst}
      and greatest(payment_date::date, created_at::date + 1) not between $2::date + 1 and $1::date`;
    expect(await count(client, wrong, [NEXT_DAY, LAST_DAY])).toBe(0);
  });

  it('changes orders and a design silently, with last_updated as it was', async () => {
    const { client } = source;
    const before = await snapshotOf(source);
    const { silentEdits } = await liveOneDay(client, { seed: 1 });
    const edited = {
      sales_order: silentEdits.salesOrderIds,
      purchase_order: silentEdits.purchaseOrderIds,
      design: silentEdits.designIds,
    };
    for (const [table, ids] of Object.entries(edited)) {
      expect(ids.length).toBeGreaterThan(0);
      expect(new Set(ids).size).toBe(ids.length);
      expect(await stampsOf(client, table, ids)).toEqual(await stampsOf(before, table, ids));
      const rows = `select json_object_agg(${table}_id, t::text) from ${table} t where ${table}_id = any ($1::int[])`;
      const [then, now] = [await cell(before, rows, [ids]), await cell(client, rows, [ids])];
      for (const id of ids) expect(Object(now)).not.toHaveProperty(String(id), Object(then)[id]);
    }
  });

  it('changes staff, design, delivery date and delivery location of sales orders', async () => {
    const { client } = source;
    const before = await snapshotOf(source);
    const { silentEdits } = await liveOneDay(client, { seed: 1 });
    for (const column of ['staff_id', 'design_id', 'agreed_delivery_date', 'agreed_delivery_location_id']) {
      const values = `select json_agg(${column} order by sales_order_id) from sales_order
        where sales_order_id = any ($1::int[])`;
      const ids = [silentEdits.salesOrderIds];
      expect(await cell(client, values, ids)).not.toEqual(await cell(before, values, ids));
    }
  });

  it('writes some rows again without a change', async () => {
    const { client } = source;
    const before = await snapshotOf(source);
    const { noOpUpdates, silentEdits } = await liveOneDay(client, { seed: 1 });
    expect(noOpUpdates.salesOrderIds).toHaveLength(1);
    expect(silentEdits.salesOrderIds).not.toContain(noOpUpdates.salesOrderIds[0]);
    const both = [['sales_order', noOpUpdates.salesOrderIds], ['staff', noOpUpdates.staffIds]] as const;
    for (const [table, ids] of both) {
      const text = `select t::text from ${table} t where ${table}_id = any ($1::int[])`;
      const version = `select xmin::text from ${table} where ${table}_id = any ($1::int[])`;
      expect(await cell(client, text, [ids])).toBe(await cell(before, text, [ids]));
      expect(await cell(client, version, [ids])).not.toBe(await cell(before, version, [ids]));
    }
  });

  it('renames a department that has staff, and says so in last_updated', async () => {
    const { client } = source;
    const { renamedDepartment: { departmentId, from, to } } = await liveOneDay(client, { seed: 1 });
    expect(to).toContain(from);
    expect(to).not.toBe(from);
    const row = 'from department where department_id = $1 and department_name = $2 and last_updated::date = $3::date';
    expect(await count(client, row, [departmentId, to, NEXT_DAY])).toBe(1);
    expect(await count(client, 'from staff where department_id = $1', [departmentId])).toBeGreaterThan(0);
  });

  it('takes several transactions', async () => {
    await liveOneDay(source.client, { seed: 1 });
    const sql = 'select count(distinct xmin::text)::int from payment where created_at::date = $1::date';
    expect(await cell(source.client, sql, [NEXT_DAY])).toBe(4);
  });

  it('leaves all foreign keys and prices in order', async () => {
    const { client } = source;
    await liveOneDay(client, { seed: 1 });
    expect(await count(client, "from pg_constraint where contype = 'f' and convalidated")).toBe(17);
    expect(await count(client, 'from sales_order where unit_price::numeric(10,2) <> unit_price')).toBe(0);
    const early = `from sales_order s join design d using (design_id)
      where s.created_at::date = $1::date and d.created_at > s.created_at`;
    expect(await count(client, early, [NEXT_DAY])).toBe(0);
  });

  it('is carried on by a second day, and over a weekend', async () => {
    const days: string[] = [];
    for (let i = 0; i < 4; i += 1) days.push((await liveOneDay(source.client, { seed: 1 })).day);
    expect(days).toEqual(['2026-03-04', '2026-03-05', '2026-03-06', '2026-03-09']);
  });

  it('does not pile up the new names of a department', async () => {
    for (let i = 0; i < 12; i += 1) await liveOneDay(source.client, { seed: 1 });
    const suffix = '(Group|Team|Office|Hub|Collective)';
    expect(await count(source.client, `from department where department_name ~ ' ${suffix}$'`)).toBeGreaterThan(0);
    expect(await count(source.client, `from department where department_name ~ '${suffix} ${suffix}$'`)).toBe(0);
  });

  it('is the same day for the same source, seed and day', async () => {
    const twin = await generatedSource(600);
    expect(await liveOneDay(twin.client, { seed: 5 })).toEqual(await liveOneDay(source.client, { seed: 5 }));
    expect(await digests(twin.client)).toEqual(await digests(source.client));
    const third = await generatedSource(600);
    await liveOneDay(third.client, { seed: 6 });
    expect(await digests(third.client)).not.toEqual(await digests(source.client));
  });

  it('can be a later weekday, and settles what was due in between', async () => {
    const lived = await liveOneDay(source.client, { seed: 1, day: '2026-03-13' });
    expect(lived.day).toBe('2026-03-13');
    expect(await cell(source.client, 'select max(created_at)::date::text from sales_order')).toBe('2026-03-13');
    expect(lived.paymentsPaid).toBeGreaterThan(30);
  });

  it.each(['2026-03-03', '2026-03-07', '2026-02-30', '2026-13-01', 'tomorrow'])("refuses '%s'", async (day) => {
    const refused = liveOneDay(source.client, { seed: 1, day });
    await expect(refused).rejects.toMatchObject({ name: 'PipelineError', kind: 'config' });
    expect(await count(source.client, 'from sales_order')).toBe(600);
  });
});

describe('a source too small for a whole day', () => {
  it('edits the one sales order that it has', async () => {
    const { client } = await generatedSource(1);
    const { silentEdits, noOpUpdates } = await liveOneDay(client, { seed: 1 });
    expect(silentEdits).toMatchObject({ salesOrderIds: [1], purchaseOrderIds: [] });
    expect(noOpUpdates.salesOrderIds).toEqual([]);
  });

  it('refuses to live where there are no orders', async () => {
    const { client } = await emptySource();
    await createTotesys(client);
    await expect(liveOneDay(client, { seed: 1 })).rejects.toMatchObject({ name: 'PipelineError', kind: 'config' });
  });

  it('undoes the transaction in which it fails', async () => {
    const { client } = await generatedSource(20);
    await client.query('alter table design add constraint full_up check (design_id <= 20)');
    await expect(liveOneDay(client, { seed: 1 })).rejects.toMatchObject({ code: '23514' });
    expect(await cell(client, 'select pg_current_xact_id_if_assigned() is null')).toBe(true);
    expect(await count(client, 'from design')).toBe(20);
  });
});

describe('a late transaction', () => {
  it('is stamped at its start, seen only after its commit, and holds up nobody', async () => {
    const { client, url } = await generatedSource(600);
    const late = await openLateTransaction(await connectTo(url), { seed: 1 });
    const [updated, inserted] = late.orderIds;
    expect(inserted).toBe(601);
    const changed = 'from sales_order where sales_order_id = any ($1::int[]) and last_updated = $2::timestamp';
    expect(await count(client, changed, [late.orderIds, late.stampedAt])).toBe(0);

    await client.query("set lock_timeout = '2s'");
    const lived = await liveOneDay(client, { seed: 2 });
    expect(lived.silentEdits.salesOrderIds).not.toContain(updated);
    const watermark = await cell(client, 'select max(last_updated)::text from sales_order');
    expect(await count(client, 'from sales_order where sales_order_id = $1', [inserted])).toBe(0);

    await late.commit();
    expect(await count(client, changed, [late.orderIds, late.stampedAt])).toBe(2);
    const missed = 'from sales_order where sales_order_id = any ($1::int[]) and last_updated < $2::timestamp';
    expect(await count(client, missed, [late.orderIds, watermark])).toBe(2);
    expect(await cell(client, 'select created_at::date::text from sales_order where sales_order_id = $1', [inserted]))
      .toBe(LAST_DAY);
    expect(late.stampedAt.slice(11) < '19:00').toBe(true);
  });

  it('can be one of several', async () => {
    const { client, url } = await generatedSource(600);
    const late = [];
    for (const seed of [1, 2, 3]) late.push(await openLateTransaction(await connectTo(url), { seed }));
    expect(late.map(({ orderIds }) => orderIds[1])).toEqual([601, 602, 603]);
    for (const { commit } of late.toReversed()) await commit();
    await liveOneDay(client, { seed: 1 });
    expect(await isDense(client, 'sales_order')).toBe(true);
  });

  it('never happened when its connection ends first', async () => {
    const { client, url } = await generatedSource(600);
    const before = await digests(client);
    const own = await connectTo(url);
    await openLateTransaction(own, { seed: 1 });
    await own.end();
    expect(await digests(client)).toEqual(before);
  });

  it('is refused where there are no orders, or none that is free', async () => {
    const { client } = await emptySource();
    await createTotesys(client);
    await expect(openLateTransaction(client, { seed: 1 })).rejects.toMatchObject({ kind: 'config' });

    const single = await generatedSource(1);
    await openLateTransaction(await connectTo(single.url), { seed: 1 });
    const second = openLateTransaction(await connectTo(single.url), { seed: 2 });
    await expect(second).rejects.toMatchObject({ kind: 'config' });
  });
});
