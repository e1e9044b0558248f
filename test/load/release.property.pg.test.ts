import fc from 'fast-check';
import { expect, test } from 'vitest';
import { retryRows } from '../../src/load/retry.ts';
import { numeric } from '../../src/shared/model/column.ts';
import { column } from '../../src/shared/model/expression.ts';
import { fact } from '../../src/shared/model/fact.ts';
import type { Model } from '../../src/shared/model/model.ts';
import type { Reject } from '../../src/transform/reject.ts';
import { type BatchContent, freshProcessed, reject, type TextRow } from '../support/processed.ts';
import {
  factColumns,
  factOptions,
  factSale,
  itemRow,
  sale,
  saleRow,
  shopRow,
  shops,
  shopsWith,
  sourceSale,
} from './shops.ts';
import { freshWarehouse, Warehouse } from './warehouse.ts';

const widened = shopsWith(fact('fact_sale', sale, factOptions, { ...factColumns, price: column().as(numeric(12, 4)) }));

interface Version {
  readonly key: number;
  readonly shop: number;
  readonly item: number | null;
  readonly note: string;
  /** Its price has more decimals than `shops` can hold. */
  readonly fine: boolean;
}

interface Scenario {
  /** The versions that each batch brings. */
  readonly batches: readonly (readonly Version[])[];
  /** The batch (from 0) by which a dimension row arrives: shops 1 and 2, then item 1. */
  readonly arrivals: readonly number[];
  /** The batch from which on the model is the wider one. */
  readonly mended: number;
  /** After which batches (from 0) somebody retries every second row that waits, or all. */
  readonly retries: readonly { readonly after: number; readonly all: boolean }[];
}

const version: fc.Arbitrary<Version> = fc.record({
  key: fc.integer({ min: 1, max: 2 }),
  shop: fc.integer({ min: 1, max: 2 }),
  item: fc.constantFrom(null, null, null, 1),
  note: fc.constantFrom('a', 'a', 'a', 'b'),
  fine: fc.constantFrom(false, false, false, false, true),
});

const SIZE = 7;

const scenario: fc.Arbitrary<Scenario> = fc.record({
  batches: fc.array(fc.uniqueArray(version, { minLength: 1, maxLength: 2, selector: ({ key }) => key }), {
    minLength: SIZE,
    maxLength: SIZE,
  }),
  arrivals: fc.array(fc.integer({ min: 0, max: SIZE }), { minLength: 3, maxLength: 3 }),
  mended: fc.integer({ min: 0, max: SIZE }),
  retries: fc.array(fc.record({ after: fc.integer({ min: 0, max: SIZE }), all: fc.boolean() }), { maxLength: 3 }),
});

/** What transform would make of it; a last batch brings all that has not arrived. */
function contents({ batches, arrivals, mended }: Scenario): readonly (BatchContent & { readonly model: Model })[] {
  return [...batches, []].map((versions, at) => {
    const model = at >= mended ? widened : shops;
    const arrived = arrivals.flatMap((batch, which) => (batch === at ? [which] : []));
    const rejected = (one: Version) => one.fine && model === shops;
    return {
      model,
      rows: {
        dim_shop: arrived.filter((which) => which < 2).map((which) => shopRow(which + 1)),
        dim_item: arrived.filter((which) => which >= 2).map((which) => itemRow(which - 1)),
        fact_sale: versions.filter((one) => !rejected(one)).map((one) => saleRow(one.key, differences(one))),
      },
      rejects: versions.filter(rejected).map(rejectOf),
    };
  });
}

function differences({ shop, item, note, fine }: Version): TextRow {
  return { shop_id: `${shop}`, item_id: item === null ? null : `${item}`, note, ...(fine ? { price: '9.9876' } : {}) };
}

function rejectOf(one: Version): Reject {
  return reject(factSale.spec, 'price', 'has more than 2 decimals', sourceSale(`${one.key}`, differences(one)));
}

/** Loads a scenario batch by batch into an emptied warehouse; its history and its current state. */
async function outcome(warehouse: Warehouse, told: Scenario): Promise<unknown> {
  await warehouse.client.query(
    'drop schema if exists pipeline cascade; drop schema public cascade; create schema public',
  );
  const { schema, url, client } = warehouse;
  const fresh = new Warehouse(shops, schema, url, await freshProcessed(shops), client);
  for (const [at, { model, ...content }] of contents(told).entries()) {
    await fresh.processed.commit({ ...content, model });
    await fresh.load({ model });
    for (const { after, all } of told.retries) if (after === at) await retry(fresh, at + 1 >= told.mended ? widened : model, all);
  }
  const columns = 'sale_id, batch_id, shop_id, item_id, price, note';
  return {
    history: await fresh.rows(
      `select ${columns}, version, is_current, changed_columns from history_sale order by sale_id, batch_id`,
    ),
    current: await fresh.rows(`select ${columns} from current_sale order by sale_id`),
    waiting: await fresh.rows('select * from pipeline.quarantine where released_at is null'),
  };
}

/**
 * A dimension row that arrives releases all that refers to it in the same batch: what is left for a retry is a model
 * that was mended, here right before its first batch.
 */
async function retry(warehouse: Warehouse, model: Model, all: boolean): Promise<void> {
  const waiting = await warehouse.rows(
    'select quarantine_id from pipeline.quarantine where released_at is null order by 1 desc',
  );
  const ids = waiting.flatMap(([id], at) => (at % 2 === 0 ? [String(id)] : []));
  if (ids.length === 0) return;
  await retryRows(warehouse.context({ model }), all ? null : ids);
}

test('rows that had to wait end as if nothing had ever been missing, nor the model too narrow', async () => {
  const [late, early] = [await freshWarehouse(shops), await freshWarehouse(shops)];
  await fc.assert(
    fc.asyncProperty(scenario, async (told) => {
      const expected = await outcome(early, { ...told, arrivals: told.arrivals.map(() => 0), mended: 0 });
      expect(await outcome(late, told)).toEqual(expected);
    }),
    { numRuns: Number(process.env['STARLING_TEST_RUNS'] ?? 8) },
  );
}, 600_000);
