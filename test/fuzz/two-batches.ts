import { type IngestionEntry, type Part, type ProcessedEntry, processedEntrySchema } from '../../src/shared/lake/entries.ts';
import { logKey } from '../../src/shared/lake/key.ts';
import { Log } from '../../src/shared/lake/log.ts';
import { ingested, type Lakes, transformed } from '../support/batches.ts';
import { teams } from '../support/teams.ts';
import { digestOf, filesIn, freshSurroundings, type Surroundings } from './places.ts';

/** Two batches, the first transformed. */
export interface Base {
  readonly place: Surroundings;
  readonly lakes: Lakes;
  /** Of batch 2. */
  readonly entry: IngestionEntry;
  readonly files: ReadonlyMap<string, string>;
  /** All that the valid entries name. */
  readonly named: ReadonlySet<string>;
  readonly result: string;
}

const at = '2024-08-07 09:30:00';

export async function prepared(): Promise<Base> {
  const place = await freshSurroundings();
  const lakes: Lakes = { ...place, logId: '7a6f3b1e-5a0c-4d55-9c0c-1c3bb0a7f001' };
  const first = await ingested(lakes, teams, {
    team: { rows: [['1', 'Red', 'Leeds', null], ['2', 'Blue', null, 'Onwards']] },
    person: { rows: [['1', 'Ann', '1', 'x'], ['2', 'Bob', null, 'y']] },
    sale: { rows: [['1', '1', '9.99', 't', at]] },
  });
  await transformed(lakes, teams);
  const entry = await ingested(lakes, teams, {
    team: { rows: [['2', 'Navy', 'York', null]] },
    person: { rows: [['3', 'Cid', '2', 'z']] },
    sale: { rows: [['1', '2', '9.99', 'f', at], ['2', '3', 'much', null, at]], parts: 2 },
  });
  const parts = [first, entry].flatMap(({ tables }) => Object.values(tables).flatMap((table) => table.parts));
  const base = { place, lakes, entry, files: await filesIn(place.root), named: new Set([...parts.map(({ key }) => key), logKey(1), logKey(2)]) };
  await transformed(lakes, teams);
  return { ...base, result: await resultOf(place) };
}

/** All that batch 2 brings, without what differs from try to try. */
export async function resultOf({ processed }: Surroundings): Promise<string> {
  const { outputs, mirrors, model, log_id } = await new Log(processed, processedEntrySchema).read(2);
  return JSON.stringify({ outputs: await contents(processed, outputs), mirrors: await contents(processed, mirrors), model, log_id });
}

async function contents(lake: Surroundings['processed'], things: ProcessedEntry['outputs'] | ProcessedEntry['mirrors']): Promise<unknown> {
  const digests = async (parts: readonly Part[]) => Promise.all(parts.map(async ({ key }) => digestOf(lake, key)));
  return Promise.all(
    Object.entries(things).map(async ([name, { parts, ...others }]) => [name, others, await digests(parts)] as const),
  );
}
