/** A table that makes several ranges, and what has to hold of it once they are read. */

import { beforeAll, expect } from 'vitest';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import type { RangeRef } from '../../src/shared/lake/split.ts';
import { int, text } from '../../src/shared/model/column.ts';
import { table } from '../../src/shared/model/table.ts';
import { applied, harness, sourceServer } from './harness.ts';
import { Divided, Handed, repeatedIn } from './splitting.ts';

export const item = table('item', { item_id: int().key(), name: text(), pad: text() });
export const small = table('small', { small_id: int().key() });

/** Five rows a page. */
export const COLUMNS = `item_id int primary key, name text not null, pad text default repeat('x', 1500)`;
export const items = (from: number, to: number) => `insert into item select id, 'first' from generate_series(${from}, ${to}) id`;
const FORTY = `
  create table item (${COLUMNS}); alter table item alter pad set storage plain; ${items(1, 40)};
  create table small (small_id int primary key); insert into small values (1), (2)`;

/** Two pages a range. */
export const RANGE_BYTES = 16_384;

interface Begun {
  readonly batch: Divided;
  readonly refs: readonly RangeRef[];
}

interface Forty {
  /** Forty items, of which nothing has been read. */
  readonly divided: (setUp?: string) => Promise<Divided>;
  /** Their first batch is begun, and in nobody's hands. */
  readonly begun: (setUp?: string) => Promise<Begun>;
}

/** Sources on a server of the test file's own. */
export function fortyItems(): Forty {
  let server: Cluster | undefined;
  beforeAll(async () => {
    server = await sourceServer();
  });
  const divided = async (setUp = FORTY): Promise<Divided> => {
    if (!server) throw new Error('there is no server yet');
    return new Divided(await harness(server, setUp, item, small), new Handed(RANGE_BYTES), item, small);
  };
  const begun = async (setUp = FORTY): Promise<Begun> => {
    const batch = await divided(setUp);
    await batch.look();
    const refs = batch.handed.take();
    expect(refs.length).toBeGreaterThan(2);
    return { batch, refs };
  };
  return { divided, begun };
}

export async function work(batch: Divided, refs: readonly RangeRef[]): Promise<readonly string[]> {
  const outcomes: string[] = [];
  for (const ref of refs) outcomes.push(await batch.work(ref));
  return outcomes;
}

export async function inSource({ source }: Divided): Promise<readonly string[]> {
  const { rows } = await source.sql.query<{ row: string }>(`select item_id || ' ' || name as row from item order by item_id`);
  return rows.map(({ row }) => row);
}

/** Of the keys that the source has, what the lake has. */
export async function inLake({ source }: Divided): Promise<readonly string[]> {
  const rows = await applied(source, 'item', 'item_id');
  const keys = (await source.sql.query<{ id: string }>('select item_id::text as id from item order by item_id')).rows;
  return keys.map(({ id }) => `${id} ${rows.get(id)?.['name'] ?? 'is missing'}`);
}

/** After one more batch, read at once, the lake has what the source has; no batch has a key twice; nothing is told. */
export async function expectAll(batch: Divided): Promise<void> {
  await batch.source.ingest();
  expect(await inLake(batch)).toEqual(await inSource(batch));
  expect(await repeatedIn(batch, 'item', 'item_id')).toEqual([]);
}

export async function killed(): Promise<never> {
  throw new Error('killed');
}

export function none(): never {
  throw new Error('there is no such range');
}
