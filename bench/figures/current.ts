import type { Client } from 'pg';
import { withClient } from '../ground.ts';
import { inTurn, type Side } from '../in-turn.ts';
import type { Measured } from '../measured.ts';
import { CURRENT_TABLE, expectRows, FACT_COLUMNS, FACT_TABLE, removeLakes } from '../prepared.ts';
import { ratio, type Scope } from '../scope.ts';

const VERSIONS = 3;
/** A query takes a fraction of a second: more of them than rounds are asked for. */
const QUERIES_A_ROUND = 3;

/** `current_vs_table`: an aggregate over the current table, each order in its third version, beside a table that never was any other. */
export async function currentVsTable(scope: Scope): Promise<void> {
  const { prepared, rounds } = scope;
  const orders = Math.ceil(scope.rows / 2);
  await withVersions(scope, orders, async (warehouse) => {
    // Unlogged would do, too; what counts is that it holds the rows that are current, one behind the other.
    await warehouse.query(`create table public.plain as select ${FACT_COLUMNS} from ${CURRENT_TABLE}`);
    await warehouse.query('vacuum analyze');
    const ours = aggregate(warehouse, CURRENT_TABLE);
    const yardstick = aggregate(warehouse, 'public.plain');
    for (const side of [ours, yardstick]) await side.measure();
    const compared = await inTurn(prepared.ground, rounds * QUERIES_A_ROUND, ours, yardstick);
    scope.tell(ratio('current_vs_table', compared, { orders, versions: VERSIONS, ...(await sizes(warehouse)) }));
  });
}

/** A warehouse that has followed so many orders through three versions, batch by batch, as the product does it. */
async function withVersions({ prepared }: Scope, orders: number, work: (warehouse: Client) => Promise<void>): Promise<void> {
  const { ground } = prepared;
  const template = new URL(await prepared.source(orders)).pathname.slice(1);
  const names = [await ground.database('source', template), await prepared.emptyWarehouse()] as const;
  const [sourceUrl, warehouseUrl] = [ground.url(names[0]), ground.url(names[1])];
  const lakes = await prepared.emptyLakes();
  try {
    await prepared.run({ work: 'run', model: 'totesys', ...lakes, sourceUrl, warehouseUrl });
    for (let version = 2; version <= VERSIONS; version += 1) {
      const update = 'update sales_order set units_sold = units_sold + 1, last_updated = now()';
      await withClient(sourceUrl, async (source) => source.query(update));
      // As autovacuum would have between two batches.
      for (const url of [sourceUrl, warehouseUrl]) await withClient(url, async (client) => client.query('vacuum analyze'));
      await prepared.run({ work: 'run', model: 'totesys', ...lakes, sourceUrl, warehouseUrl });
    }
    await withClient(warehouseUrl, async (warehouse) => {
      expectRows(FACT_TABLE, await countOf(warehouse, FACT_TABLE), orders * VERSIONS);
      await work(warehouse);
    });
  } finally {
    await removeLakes(lakes);
    for (const name of names) await ground.drop(name);
  }
}

function aggregate(warehouse: Client, table: string): Side {
  const query = `select currency_id, count(*), sum(units_sold * unit_price) from ${table} group by currency_id`;
  return {
    measure: async (): Promise<Measured> => {
      const from = performance.now();
      await warehouse.query(query);
      return { seconds: (performance.now() - from) / 1_000, cpu: 0, peakMb: null };
    },
  };
}

async function countOf(client: Client, table: string): Promise<number | undefined> {
  return (await client.query<{ rows: number }>(`select count(*)::int as rows from ${table}`)).rows[0]?.rows;
}

/** What is left of earlier versions in the pages of the one is what the other does without. */
async function sizes(client: Client): Promise<{ readonly ours_mb: number; readonly yardstick_mb: number }> {
  const query = 'select pg_relation_size($1::regclass)::float8 / 1e6 as ours, pg_relation_size($2::regclass)::float8 / 1e6 as theirs';
  const { rows } = await client.query<{ ours: number; theirs: number }>(query, [CURRENT_TABLE, 'public.plain']);
  return { ours_mb: rows[0]?.ours ?? 0, yardstick_mb: rows[0]?.theirs ?? 0 };
}
