/** Servers and poolers that have no connection left. */

import type { Client } from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { runPipeline } from '../../src/cli/pipeline.ts';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import { connect } from '../../src/shared/postgres/client.ts';
import type { Side } from '../../src/shared/postgres/errors.ts';
import { roleUrl } from '../ingest/roles.ts';
import { expectExact } from '../processes/warehouses.ts';
import { hasPgbouncer, pooled } from '../support/pgbouncer.ts';
import { connectTo, freshDatabase, ownServer } from '../support/postgres.ts';
import { contextOf, freshPlace, totesysTemplate } from '../support/totesys.ts';

let server: Cluster;
beforeAll(async () => {
  server = await ownServer({ settings: { max_connections: 12, superuser_reserved_connections: 3 } });
});

/** Takes connections until there are no more. @returns who gives them back. */
async function takeAll(url: string): Promise<() => Promise<void>> {
  const taken: Client[] = [];
  for (;;) {
    const client = await connectTo(url).catch(() => null);
    if (client === null) break;
    taken.push(client);
  }
  expect(taken.length).toBeGreaterThan(0);
  return async () => {
    for (const client of taken) await client.end();
  };
}

const busy = (side: Side, limit: RegExp) => ({
  kind: `${side}_busy`, retry: 'soon', message: expect.stringMatching(limit),
  hint: expect.stringContaining('end idle sessions'),
});

/** What takes away the connections, and what the server says then. */
const LIMITS: Readonly<Record<string, readonly [(sql: Client, user: string) => Promise<unknown>, RegExp]>> = {
  'of the server': [async () => undefined, /remaining connection slots are reserved/],
  'of the role': [async (sql, user) => sql.query(`alter role ${user} connection limit 2`), /too many connections for role/],
  'of the database': [
    async (sql) => sql.query(`alter database ${sql.escapeIdentifier(sql.database ?? '')} connection limit 2`),
    /too many connections for database/,
  ],
};

describe.each(['source', 'warehouse'] as const)('a %s without a connection left', (side) => {
  test.each(Object.entries(LIMITS))('by the limit %s says so, and lets in whoever comes when one is free', async (_what, [limit, said]) => {
    const url = await freshDatabase('crowded', server);
    const sql = await connectTo(url);
    const role = await roleUrl({ url, sql });
    await limit(sql, new URL(role).username);
    const giveBack = await takeAll(role);
    await expect(connect(side, role, { TimeZone: 'UTC' })).rejects.toMatchObject({
      ...busy(side, said), context: { sqlstate: '53300' },
    });
    await giveBack();
    // A server notices that a client is gone a moment later.
    await expect.poll(async () => connect(side, role, { TimeZone: 'UTC' }).then(async (client) => client.end()), { timeout: 20_000 }).toBe(undefined);
  });
});

test('slots for superusers, taken too, are no different', async () => {
  const url = await freshDatabase('crowded', server);
  const giveBack = await takeAll(url);
  await expect(connect('source', url, {})).rejects.toMatchObject(busy('source', /too many clients/));
  await giveBack();
});

test('a run that finds no connection fails in the two stages that need one, and the next run carries on', async () => {
  const place = await freshPlace(await totesysTemplate());
  const databases = [place.source, place.warehouse].map((sql) => sql.escapeIdentifier(sql.database ?? ''));
  // Of a superuser it is all the same.
  const sourceUrl = await roleUrl({ url: place.sourceUrl, sql: place.source });
  const warehouseUrl = await roleUrl({ url: place.warehouseUrl, sql: place.warehouse });
  for (const name of databases) await place.source.query(`alter database ${name} connection limit 1`);
  const context = contextOf({ ...place, sourceUrl, warehouseUrl });
  expect(await runPipeline(context)).toMatchObject([
    { ...busy('source', /too many connections/), context: { stage: 'ingest' } },
    { ...busy('warehouse', /too many connections/), context: { stage: 'load' } },
  ]);
  for (const name of databases) await place.source.query(`alter database ${name} connection limit -1`);
  expect(await runPipeline(contextOf(place))).toEqual([]);
  await expectExact(place);
});

describe.runIf(hasPgbouncer())('a pooler whose connections are all taken', () => {
  test('says so when its own time-out is over, and lets in whoever comes when one is free', async () => {
    const place = await freshPlace(await totesysTemplate());
    const patience = ['query_wait_timeout = 1'];
    const [sourceUrl, warehouseUrl] = [await pooled(place.sourceUrl, patience), await pooled(place.warehouseUrl, patience)];
    const context = contextOf({ ...place, sourceUrl, warehouseUrl });
    const holders = [await connectTo(sourceUrl), await connectTo(warehouseUrl)];
    for (const holder of holders) await holder.query('select 1');
    expect(await runPipeline(context)).toMatchObject([busy('source', /query_wait_timeout/), busy('warehouse', /query_wait_timeout/)]);
    for (const holder of holders) await holder.end();
    expect(await runPipeline(context)).toEqual([]);
    await expectExact(place);
  });
});
