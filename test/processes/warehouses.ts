/** What has to hold of every warehouse, whatever was done to the processes that filled it. */

import type { Client } from 'pg';
import { expect } from 'vitest';
import { totesys } from '../../src/models/totesys/model.ts';
import { currentName, outputsOf } from '../../src/shared/model/model.ts';
import { runMain } from '../support/cli.ts';
import { countOf, type Place, rowsOf } from '../support/totesys.ts';

/** No version twice, none that equals the one before it, no batch left out, and equal to the source. */
export async function expectExact(place: Place): Promise<void> {
  for (const fact of totesys.facts) {
    const twice = `select from ${fact.name} group by ${fact.key}, batch_id having count(*) > 1`;
    expect(await rowsOf(place.warehouse, twice)).toEqual([]);
    const row = `to_jsonb(f) - '${fact.recordKey}' - 'batch_id'`;
    const previous = `lag(${row}) over (partition by f.${fact.key} order by f.batch_id)`;
    const repeated = `select ${row} = ${previous} as is_repeated from ${fact.name} f`;
    expect(await countOf(place.warehouse, `select count(*) from (${repeated}) v where is_repeated`)).toBe(0);
  }
  const ledger = 'select min(batch_id) = 1 and max(batch_id) = count(*) from pipeline.ledger';
  expect(await rowsOf(place.warehouse, ledger)).toEqual([['true']]);
  expect(await countOf(place.warehouse, 'select count(*) from pipeline.quarantine')).toBe(0);
  expect(await runMain(['compare'], place.environment)).toMatchObject({ status: 0, stderr: '' });
}

/** What the dimensions and current tables hold, whichever batches brought it. */
export async function currentRows(client: Client): Promise<Readonly<Record<string, readonly string[][]>>> {
  const tables: Record<string, readonly string[][]> = {};
  for (const output of outputsOf(totesys)) {
    const name = 'recordKey' in output ? currentName(output) : output.name;
    tables[name] = await rowsOf(client, `select to_jsonb(t) - 'batch_id' from ${name} t order by ${output.key}`);
  }
  tables['dim_date'] = await rowsOf(client, 'select * from dim_date order by date_id');
  return tables;
}
