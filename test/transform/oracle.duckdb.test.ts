import fc from 'fast-check';
import { expect, test } from 'vitest';
import { totesys } from '../../src/models/totesys/model.ts';
import type { IngestionEntry, ProcessedEntry } from '../../src/shared/lake/entries.ts';
import { QUARANTINE } from '../../src/shared/model/model.ts';
import { freshLakes, ingested, type Lakes, processedEntry, transformed } from '../support/batches.ts';
import type { CsvCell } from '../support/csv.ts';
import { csvOf, type Duck, literal, openDuck, parquetOf, type TextRow } from '../support/duckdb.ts';

type Rows = readonly (readonly CsvCell[])[];

const unit = fc.constantFrom('a', 'B', ',', '"', "'", '\n', '\r\n', ';', '\\', '0', ' ', 'é', 'ß', '日', '🧵');
const words = fc.oneof(fc.string({ unit, maxLength: 6 }), fc.constantFrom('', '00123', 'O\'Hara, "Jo"', 'NULL', '\\N'));
const maybe = fc.option(words, { freq: 3 });
const stamp = fc
  .date({ min: new Date('1960-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
  .map((date) =>
    date
      .toISOString()
      .slice(0, 23)
      .replace('T', ' ')
      .replace(/\.?0+$/, ''),
  )
  .filter((text) => text.length >= 19);
const price = fc
  .tuple(fc.integer({ min: -(10 ** 9), max: 10 ** 9 }), fc.constantFrom(0, 1, 2, 3, 8))
  .map(([digits, scale]) => {
    const text = (digits / 10 ** scale).toFixed(scale);
    return scale < 3 ? text : `${text}00`;
  });
const day = fc.oneof(
  { weight: 6, arbitrary: stamp.map((text) => text.slice(0, 10)) },
  fc.constantFrom('2023-02-29', 'soon', '', '2024-1-1'),
);
const number = fc.integer({ min: 0, max: 999 }).map(String);
const reference = fc.integer({ min: 1, max: 6 }).map(String);
const code = fc.constantFrom('GBP', 'USD', 'EUR', 'QQQ', 'gbp');

function rows(...columns: readonly fc.Arbitrary<CsvCell>[]): fc.Arbitrary<Rows> {
  return fc
    .array(fc.tuple(...columns, stamp, stamp), { maxLength: 8 })
    .map((all) => all.map((row, at) => [String(at + 1), ...row]));
}

const sources = fc.record({
  department: rows(words, maybe, maybe),
  staff: rows(words, words, reference, words),
  address: rows(words, maybe, maybe, words, words, words, words),
  counterparty: rows(words, reference, maybe, maybe),
  currency: rows(code),
  design: rows(words, words, words),
  sales_order: rows(reference, reference, reference, number, price, reference, day, day, reference),
});

const isDay = (column: string): string =>
  `(regexp_matches(${column}, '^[0-9]{4}-[0-9]{2}-[0-9]{2}$') and try_cast(${column} as date) is not null)`;
const PRICE = 'unit_price::decimal(38, 12)';
const FITS = `(${PRICE} = round(${PRICE}, 2) and abs(${PRICE}) < 100000000)`;
const NAMES = [
  ['GBP', 'British Pound'],
  ['USD', 'US Dollar'],
  ['EUR', 'Euro'],
]
  .map(([of = '', name = '']) => `when ${literal(of)} then ${literal(name)}`)
  .join(' ');

/** The sales star over the source's tables, written by hand. */
const STAR: Readonly<Record<string, string>> = {
  dim_staff: `
    select staff_id::int, first_name, last_name, department_name, location, email_address
    from staff join department using (department_id)`,
  dim_location: `
    select address_id::int, address_line_1, address_line_2, district, city, postal_code, country, phone from address`,
  dim_currency: `
    select currency_id::int, currency_code, case currency_code ${NAMES} else currency_code end from currency`,
  dim_design: `select design_id::int, design_name, file_location, file_name from design`,
  dim_counterparty: `
    select counterparty_id::int, counterparty_legal_name, address_line_1, address_line_2, district, city,
      postal_code, country, phone
    from counterparty join address on legal_address_id = address_id`,
  fact_sales_order: `
    select sales_order_id::int, created_at::timestamp::date, created_at::timestamp::time, last_updated::timestamp::date,
      last_updated::timestamp::time, staff_id::int, counterparty_id::int, units_sold::int, unit_price::decimal(10, 2),
      currency_id::int, design_id::int, agreed_payment_date::date, agreed_delivery_date::date,
      agreed_delivery_location_id::int
    from sales_order where ${FITS} and ${isDay('agreed_payment_date')} and ${isDay('agreed_delivery_date')}`,
};

const REJECTED = `
  select 'dim_staff', staff_id, 'department_name' from staff
  where department_id not in (select department_id from department)
  union all
  select 'dim_counterparty', counterparty_id, 'counterparty_legal_address_line_1' from counterparty
  where legal_address_id not in (select address_id from address)
  union all
  select 'fact_sales_order', sales_order_id, case when not ${FITS} then 'unit_price'
    when not ${isDay('agreed_payment_date')} then 'agreed_payment_date' else 'agreed_delivery_date' end
  from sales_order where not (${FITS} and ${isDay('agreed_payment_date')} and ${isDay('agreed_delivery_date')})`;

async function declareSources(duck: Duck, lakes: Lakes, entry: IngestionEntry): Promise<void> {
  for (const [name, { parts, columns }] of Object.entries(entry.tables)) {
    await duck.run(`create or replace temp view ${name} as select * from ${csvOf(lakes.ingestion, parts, columns)}`);
  }
}

async function written(duck: Duck, lakes: Lakes, entry: ProcessedEntry, name: string): Promise<readonly TextRow[]> {
  const columns = [...totesys.dimensions, ...totesys.facts].find((output) => output.name === name)?.columns ?? [];
  const parts = entry.outputs[name]?.parts ?? [];
  return duck.rows(
    `select * from ${parquetOf(
      lakes.processed,
      parts,
      columns.map((column) => column.name),
    )}`,
  );
}

function sorted(all: readonly TextRow[]): readonly string[] {
  return all.map((row) => JSON.stringify(row)).toSorted();
}

test('the sales star is what DuckDB makes of the same CSV', async () => {
  const duck = await openDuck();
  await fc.assert(
    fc.asyncProperty(sources, fc.integer({ min: 1, max: 3 }), async (tables, parts) => {
      const lakes = await freshLakes();
      const batch = Object.entries(tables).map(([name, all]) => [name, { rows: all, parts }] as const);
      await declareSources(duck, lakes, await ingested(lakes, totesys, Object.fromEntries(batch)));
      await transformed(lakes, totesys);
      const entry = await processedEntry(lakes, 1);
      for (const [name, query] of Object.entries(STAR)) {
        expect([name, sorted(await written(duck, lakes, entry, name))]).toEqual([name, sorted(await duck.rows(query))]);
      }
      const columns = ['table_name', 'record_key', 'column_name'];
      const rejects = parquetOf(lakes.processed, entry.outputs[QUARANTINE]?.parts ?? [], columns);
      expect(sorted(await duck.rows(`select ${columns.join(', ')} from ${rejects}`))).toEqual(
        sorted(await duck.rows(REJECTED)),
      );
    }),
    { numRuns: 15 },
  );
});
