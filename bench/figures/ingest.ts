import { join } from 'node:path';
import { identifiers } from '../../src/shared/postgres/sql.ts';
import { inTurn, type Side } from '../in-turn.ts';
import { TABLE } from '../models.ts';
import { expectRows, firstIngested, type Lakes, type Prepared, removeLakes } from '../prepared.ts';
import { copyByClient } from '../psql.ts';
import { ratio, type Scope } from '../scope.ts';

/** `ingest_vs_copy`: the first batch of `sales_order` into a lake's directory, beside `psql \copy` of it into a file. */
export async function ingestVsCopy(scope: Scope): Promise<void> {
  const { prepared, rows, rounds } = scope;
  const compared = await inTurn(prepared.ground, rounds, oursOf(prepared, rows), await copyToCsv(prepared, rows));
  scope.tell(ratio('ingest_vs_copy', compared));
}

function oursOf(prepared: Prepared, rows: number): Side {
  let lakes: Lakes | undefined;
  return {
    prepare: async () => {
      if (lakes) await removeLakes(lakes);
      lakes = await prepared.emptyLakes();
      await prepared.source(rows);
    },
    measure: async () => {
      if (!lakes) throw new Error('it was not prepared');
      const took = await prepared.run({ work: 'ingest', model: 'sales_order', ...lakes, sourceUrl: await prepared.source(rows) });
      expectRows('the batch', (await firstIngested(lakes)).tables[TABLE.name]?.rows, rows);
      return took;
    },
  };
}

export async function copyToCsv(prepared: Prepared, rows: number): Promise<Side> {
  const url = await prepared.source(rows);
  const file = join(await prepared.ground.folder('csv'), 'sales_order.csv');
  const what = `(select ${identifiers(Object.keys(TABLE.columns))} from public.sales_order)`;
  const copies = [{ direction: 'to' as const, what, file, options: 'format csv, header' }];
  return { measure: async () => copyByClient(prepared.programs.copy, { url, copies }) };
}
