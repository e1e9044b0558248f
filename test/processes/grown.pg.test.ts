import { beforeAll, describe, expect, test } from 'vitest';
import { agrees, compare } from '../../src/cli/compare/compare.ts';
import { runPipeline } from '../../src/cli/pipeline.ts';
import * as dimensions from '../../src/models/totesys/dimensions.ts';
import { factSalesOrder } from '../../src/models/totesys/sales.ts';
import * as source from '../../src/models/totesys/source.ts';
import { int, text } from '../../src/shared/model/column.ts';
import { dimension } from '../../src/shared/model/dimension.ts';
import { column } from '../../src/shared/model/expression.ts';
import { fact } from '../../src/shared/model/fact.ts';
import { model } from '../../src/shared/model/model.ts';
import { table } from '../../src/shared/model/table.ts';
import type { ReportEvent } from '../../src/shared/report.ts';
import { contextOf, freshPlace, quietTemplate, rowsOf, type Template } from '../support/totesys.ts';

let template: Template;
beforeAll(async () => {
  template = await quietTemplate();
});

const salesOrder = table('sales_order', { ...source.salesOrder.declared, discount: int() });
const staff = table('staff', { ...source.staff.declared, grade: text() });
const times = { recordKey: 'sales_record_id', createdAt: 'created_at', lastUpdated: 'last_updated' } as const;

/** The sales star after somebody declared two columns more. */
const grown = model({
  tables: Object.values({ ...source, salesOrder, staff }),
  dimensions: Object.values({
    ...dimensions,
    dimStaff: dimension('dim_staff', staff, { ...dimensions.dimStaff.declared.columns, grade: column() }),
  }),
  facts: [fact('fact_sales_order', salesOrder, times, { ...factSalesOrder.declared.columns, discount: column() })],
});

const ADD_COLUMNS = `
  alter table sales_order add column discount int not null default 7;
  alter table staff add column grade text not null default 'B'`;

describe('a source column that was added with a default', () => {
  test('changes nothing until it is declared, and is then filled in for every row by the next run', async () => {
    const place = await freshPlace(template);
    expect(await runPipeline(contextOf(place))).toEqual([]);
    await place.source.query(ADD_COLUMNS);
    const events: ReportEvent[] = [];
    const report = (event: ReportEvent) => void events.push(event);
    expect(await runPipeline(contextOf(place, { report }))).toEqual([]);
    expect(events.map(({ event }) => event)).toEqual(['warning', 'nothing_new', 'nothing_new', 'nothing_new']);
    expect(events[0]?.message).toContain('sales_order.discount');

    expect(await runPipeline(contextOf(place, { model: grown }))).toEqual([]);
    const versions = `
      select version, discount, changed_columns, count(*) from history_sales_order group by 1, 2, 3 order by 1`;
    expect(await rowsOf(place.warehouse, versions)).toEqual([
      ['1', 'null', 'null', '120'],
      ['2', '7', 'discount', '120'],
    ]);
    expect(await rowsOf(place.warehouse, 'select distinct discount from current_sales_order')).toEqual([['7']]);
    expect(await rowsOf(place.warehouse, 'select distinct grade from dim_staff')).toEqual([['B']]);
    expect((await compare(contextOf(place, { model: grown }))).filter((comparison) => !agrees(comparison))).toEqual([]);
  });

  test('is filled in where the declaration came with a change of rows, and followed from then on', async () => {
    const place = await freshPlace(template);
    expect(await runPipeline(contextOf(place))).toEqual([]);
    await place.source.query(ADD_COLUMNS);
    await place.source.query(`
      update sales_order set discount = 8, units_sold = units_sold + 1 where sales_order_id = 5`);
    expect(await runPipeline(contextOf(place, { model: grown }))).toEqual([]);
    await place.source.query('update sales_order set discount = 9 where sales_order_id = 6');
    await place.source.query(`update staff set grade = 'A' where staff_id = 1`);
    expect(await runPipeline(contextOf(place, { model: grown }))).toEqual([]);
    const versions = `
      select sales_order_id, version, discount, changed_columns from history_sales_order
      where sales_order_id in (5, 6) order by 1, 2`;
    expect(await rowsOf(place.warehouse, versions)).toEqual([
      ['5', '1', 'null', 'null'],
      ['5', '2', '8', 'units_sold,discount'],
      ['6', '1', 'null', 'null'],
      ['6', '2', '7', 'discount'],
      ['6', '3', '9', 'discount'],
    ]);
    expect((await compare(contextOf(place, { model: grown }))).every(agrees)).toBe(true);
  });
});
