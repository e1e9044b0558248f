import { describe, expect, test } from 'vitest';
import { inWarehouse } from '../../src/load/load.ts';
import { destroy } from '../../src/shared/postgres/client.ts';
import { connectTo, freshDatabase, otherServers, ownServer } from '../support/postgres.ts';

const ACTIVE = "select count(*)::int as sessions from pg_stat_activity where application_name = 'starling' and datname = current_database()";
const SHOWN = "select current_setting('client_connection_check_interval', true) as every";

describe('a session of load', () => {
  test('ends in the middle of a statement when its process is gone', async () => {
    const warehouseUrl = await freshDatabase('session');
    const looking = await connectTo(warehouseUrl);
    const sessions = async () => (await looking.query<{ sessions: number }>(ACTIVE)).rows[0]?.sessions;
    const working = inWarehouse({ warehouseUrl }, async (client) => {
      const sleeping = client.query('select pg_sleep(3600)');
      await expect.poll(sessions).toBe(1);
      destroy(client);
      await sleeping;
    });
    await expect(working).rejects.toMatchObject({ kind: 'warehouse_unreachable' });
    await expect.poll(sessions, { timeout: 100_000, interval: 500 }).toBe(0);
  }, 120_000);

  test.runIf(otherServers().length > 0).each(otherServers())('is opened by PostgreSQL $major as well, which may not know that', async (other) => {
    const server = await ownServer({ binariesDirectory: other.binariesDirectory });
    const warehouseUrl = await freshDatabase('session', server);
    const shown = inWarehouse({ warehouseUrl }, async (client) => (await client.query<{ every: string | null }>(SHOWN)).rows);
    expect(await shown).toEqual([{ every: other.major < 14 ? null : '10s' }]);
  }, 120_000);
});
