import { describe, expect, test } from 'vitest';
import { generateTotesys } from '../../src/local/totesys/generate.ts';
import { runMain } from '../support/cli.ts';
import { hasPgbouncer, pooled } from '../support/pgbouncer.ts';
import { connectTo, freshDatabase, temporaryDirectory } from '../support/postgres.ts';

const isThere = hasPgbouncer();

describe.runIf(isThere)('behind a pooler in session mode', () => {
  test('runs as on the servers themselves, each on the connection that the one before has used', async () => {
    const [sourceUrl, warehouseUrl] = [await freshDatabase(), await freshDatabase()];
    const source = await connectTo(sourceUrl);
    await generateTotesys(source, { orders: 60, seed: 4 });
    const environment = {
      SOURCE_URL: await pooled(sourceUrl),
      WAREHOUSE_URL: await pooled(warehouseUrl),
      LAKE_DIR: await temporaryDirectory(),
    };
    expect(await runMain(['run', '--json'], environment)).toMatchObject({ status: 0 });
    await source.query('update sales_order set units_sold = 5 where sales_order_id = 3');
    for (const command of ['run', 'run', 'compare']) {
      expect(await runMain([command, '--json'], environment)).toMatchObject({ status: 0 });
    }
    const { rows } = await (await connectTo(warehouseUrl)).query('select count(*)::int as versions from fact_sales_order');
    expect(rows).toEqual([{ versions: 61 }]);
  });

  test('a wrong password is a login that is refused', async () => {
    const sourceUrl = await pooled(await freshDatabase());
    const wrong = new URL(sourceUrl);
    wrong.password = 'hunter2';
    const environment = { SOURCE_URL: wrong.href, WAREHOUSE_URL: wrong.href, LAKE_DIR: await temporaryDirectory() };
    const { status, stderr } = await runMain(['ingest', '--json'], environment);
    expect(status).toBe(1);
    expect(stderr).toContain('"kind":"source_denied"');
    expect(stderr).not.toContain('hunter2');
  });
});
