/** Somebody who works on the source while it is followed. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { type Random, randomFrom } from '../../src/local/totesys/random.ts';
import { connectTo } from '../support/postgres.ts';

export interface Writer {
  /** Resolves after the last change, to how many there were. */
  readonly stop: () => Promise<number>;
}

/** Changes a row or a few every couple of milliseconds, in transactions that last, until it is stopped. */
export async function startWriter(url: string, seed: number): Promise<Writer> {
  const client = await connectTo(url);
  const random = randomFrom(seed, 'writer');
  const stop = new AbortController();
  const done = changeUntil(client, random, stop.signal);
  return {
    stop: async () => {
      stop.abort();
      return done;
    },
  };
}

async function changeUntil(client: Client, random: Random, stop: AbortSignal): Promise<number> {
  let changes = 0;
  for (; !stop.aborted; changes += 1) await change(client, random);
  return changes;
}

/** None of the changes touches `last_updated`; some change nothing. */
const CHANGES = [
  'update sales_order set units_sold = units_sold + 1 where sales_order_id = $1',
  'update sales_order set units_sold = units_sold where sales_order_id % 50 = $1 % 50',
  'update payment set paid = not paid where payment_id = $1',
  'update purchase_order set item_quantity = item_quantity + 1 where purchase_order_id = $1',
  "update department set location = 'floor ' || $1 where department_id = 1 + $1 % 3",
  'update design set file_name = md5($1::int::text) where design_id = $1 % 20',
] as const;

async function change(client: Client, random: Random): Promise<void> {
  await client.query('begin');
  await client.query(random.pick(CHANGES), [random.int(1, 60)]);
  await sleep(random.int(0, 15));
  await client.query(random.unit() < 0.9 ? 'commit' : 'rollback');
}
