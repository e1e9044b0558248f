import { join } from 'node:path';
import { inOwnProcess } from '../child.ts';
import type { DuckJob } from '../duckdb-process.ts';
import { inTurn, type Side } from '../in-turn.ts';
import { FACT, TABLE } from '../models.ts';
import { expectRows, firstIngested, firstTransformed, type Lakes, type Prepared, removeLakes } from '../prepared.ts';
import { ratio, type Scope, THREADS } from '../scope.ts';

/** `transform_vs_duckdb`: the CSV of `sales_order` to the Parquet of its fact, beside DuckDB on as many threads. */
export async function transformVsDuckdb(scope: Scope): Promise<void> {
  const { prepared, rows, rounds } = scope;
  const compared = await inTurn(prepared.ground, rounds, oursOf(prepared, rows), await byDuckdb(prepared, rows));
  scope.tell(ratio('transform_vs_duckdb', compared, { threads: THREADS }));
}

function oursOf(prepared: Prepared, rows: number): Side {
  let lakes: Lakes | undefined;
  return {
    prepare: async () => {
      if (lakes) await removeLakes({ ...lakes, ingestion: lakes.processed });
      const { ingestion } = await prepared.ingested(rows, 'sales_order');
      lakes = { ...(await prepared.emptyLakes()), ingestion };
    },
    measure: async () => {
      if (!lakes) throw new Error('it was not prepared');
      const took = await prepared.run({ work: 'transform', model: 'sales_order', ...lakes });
      expectRows('the fact', (await firstTransformed(lakes)).outputs[FACT.name]?.rows, rows);
      return took;
    },
  };
}

/** DuckDB, in a process of its own, its connection open: from the statement to its end. */
export async function byDuckdb(prepared: Prepared, rows: number): Promise<Side> {
  const lakes = await prepared.transformed(rows, 'sales_order');
  const csv = (await firstIngested(lakes)).tables[TABLE.name]?.parts ?? [];
  const [like] = (await firstTransformed(lakes)).outputs[FACT.name]?.parts ?? [];
  if (csv.length === 0 || !like) throw new Error('there is nothing to transform');
  const job = {
    csv: csv.map(({ key }) => join(lakes.ingestion, key)),
    like: join(lakes.processed, like.key),
    parquet: join(await prepared.ground.folder('duckdb'), 'fact.parquet'),
    threads: THREADS,
  } satisfies DuckJob;
  return {
    measure: async () => {
      const { took, rows: written } = await inOwnProcess(prepared.programs.duckdb, job);
      expectRows("DuckDB's file", written ?? undefined, rows);
      return took;
    },
  };
}
