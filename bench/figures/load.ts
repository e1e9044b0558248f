import { inTurn, type Side } from '../in-turn.ts';
import { type Ground, withClient } from '../ground.ts';
import type { Measured } from '../measured.ts';
import { CURRENT_TABLE, expectRows, FACT_COLUMNS, FACT_TABLE, type Prepared } from '../prepared.ts';
import { copyByClient } from '../psql.ts';
import { ratio, type Scope } from '../scope.ts';

/** `load_vs_copy`: a batch of Parquet into an empty warehouse, beside binary COPY from files into the same two tables. */
export async function loadVsCopy(scope: Scope): Promise<void> {
  const { prepared, rows, rounds } = scope;
  const compared = await inTurn(prepared.ground, rounds, await oursOf(prepared, rows), await copyFromBinary(prepared, rows));
  scope.tell(ratio('load_vs_copy', compared));
}

async function oursOf(prepared: Prepared, rows: number): Promise<Side> {
  const lakes = await prepared.transformed(rows, 'totesys');
  return intoWarehouse(prepared, rows, async (warehouseUrl) =>
    prepared.run({ work: 'load', model: 'totesys', ...lakes, warehouseUrl }));
}

export async function copyFromBinary(prepared: Prepared, rows: number): Promise<Side> {
  const files = await prepared.binaryFiles(rows);
  const copies = [[FACT_TABLE, files.fact] as const, [CURRENT_TABLE, files.current] as const].map(([table, file]) => ({
    direction: 'from' as const, what: `${table} (${FACT_COLUMNS})`, file, options: 'format binary',
  }));
  return intoWarehouse(prepared, rows, async (url) => copyByClient(prepared.programs.copy, { url, copies }));
}

/** An empty warehouse each time, which holds the rows, in both tables, afterwards. */
export async function intoWarehouse(
  prepared: Prepared,
  rows: number,
  fill: (url: string) => Promise<Measured>,
): Promise<Side> {
  const { ground } = prepared;
  let database: string | undefined;
  return {
    prepare: async () => {
      database = await prepared.emptyWarehouse();
    },
    measure: async () => {
      if (database === undefined) throw new Error('it was not prepared');
      return fill(ground.url(database));
    },
    check: async () => {
      if (database === undefined) return;
      await checkRows(ground, database, rows);
      await ground.drop(database);
    },
  };
}

async function checkRows(ground: Ground, database: string, rows: number): Promise<void> {
  const both = [FACT_TABLE, CURRENT_TABLE];
  const query = both.map((table) => `select count(*)::int as rows from ${table}`).join(' union all ');
  const counted = await withClient(ground.url(database), async (client) => client.query<{ rows: number }>(query));
  for (const [at, table] of both.entries()) expectRows(table, counted.rows[at]?.rows, rows);
}
