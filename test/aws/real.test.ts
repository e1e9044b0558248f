import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { STAGES } from '../../src/shared/report.ts';
import { runStarling } from '../support/cli.ts';
import { startMoto } from '../support/moto.ts';
import { afterwards, connectTo, freshDatabase, ownServer, temporaryDirectory } from '../support/postgres.ts';
import { findRealRows } from '../support/real-rows.ts';
import { freshBucket, testS3Client } from '../support/s3.ts';
import { awsEnvironment } from '../support/secrets.ts';
import { startContainer } from './container.ts';
import { bundleOf } from './deployment.ts';

const rows = findRealRows();
const moto = await startMoto();
if (moto) afterwards(() => moto.stop());

describe.runIf(rows && moto)('the real rows', () => {
  test('go through the built bundles and S3 into a warehouse that equals the source', async () => {
    if (!rows || !moto) return;
    const server = await ownServer();
    const [sourceUrl, warehouseUrl] = [await freshDatabase('source', server), await freshDatabase('warehouse', server)];
    rows.loadInto(sourceUrl);
    const s3 = testS3Client(moto.endpoint);
    const environment = {
      ...awsEnvironment(moto),
      SOURCE_URL: sourceUrl,
      WAREHOUSE_URL: warehouseUrl,
      INGESTION_BUCKET: await freshBucket(s3),
      PROCESSED_BUCKET: await freshBucket(s3),
    };
    const directory = await temporaryDirectory();
    const containers = await Promise.all(
      STAGES.map(async (stage) => startContainer(bundleOf(stage), join(directory, stage), environment)),
    );
    for (const { stop } of containers) afterwards(stop);
    for (const container of containers) {
      expect(await container.invoke({ wake: 'schedule' })).toMatchObject({ result: { batches: 1, head: 1 } });
    }
    const source = await connectTo(sourceUrl);
    const { rowCount: edited } = await source.query("update sales_order set agreed_delivery_date = '2031-01-01' where sales_order_id % 400 = 0");
    for (const container of containers) {
      expect(await container.invoke({})).toMatchObject({ result: { batches: 1, head: 2 } });
    }
    expect(await runStarling(['compare', '--json'], { environment, cwd: directory })).toMatchObject({ status: 0 });
    const warehouse = await connectTo(warehouseUrl);
    const { rows: batches } = await warehouse.query(
      'select batch_id, count(*)::int as versions from fact_sales_order group by batch_id order by batch_id');
    expect(batches).toEqual([{ batch_id: '1', versions: 9845 }, { batch_id: '2', versions: edited }]);
  });
});
