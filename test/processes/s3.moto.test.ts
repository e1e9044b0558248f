import { describe, expect, test } from 'vitest';
import { generateTotesys } from '../../src/local/totesys/generate.ts';
import { runStarling } from '../support/cli.ts';
import { startMoto } from '../support/moto.ts';
import { afterwards, connectTo, freshDatabase, temporaryDirectory } from '../support/postgres.ts';
import { freshBucket, testS3Client } from '../support/s3.ts';

const moto = await startMoto();

describe.runIf(moto)('the command line on S3', () => {
  test('runs the pipeline through two buckets, and carries on from them', async () => {
    if (!moto) return;
    afterwards(() => moto.stop());
    const client = testS3Client(moto.endpoint);
    const [sourceUrl, warehouseUrl] = [await freshDatabase(), await freshDatabase()];
    const source = await connectTo(sourceUrl);
    await generateTotesys(source, { orders: 300, seed: 1 });
    const environment = {
      SOURCE_URL: sourceUrl,
      WAREHOUSE_URL: warehouseUrl,
      INGESTION_BUCKET: await freshBucket(client),
      PROCESSED_BUCKET: await freshBucket(client),
      AWS_ENDPOINT_URL: moto.endpoint,
      AWS_REGION: 'eu-west-2',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
    };
    const cwd = await temporaryDirectory();
    const starling = (command: string) => runStarling([command, '--json'], { environment, cwd });
    expect(await starling('run')).toMatchObject({ status: 0 });
    await source.query("update sales_order set agreed_delivery_date = '2031-01-01' where sales_order_id = 7");
    expect(await starling('run')).toMatchObject({ status: 0 });
    expect(await starling('compare')).toMatchObject({ status: 0 });
    const warehouse = await connectTo(warehouseUrl);
    const { rows } = await warehouse.query('select batch_id, count(*)::int as versions from fact_sales_order group by 1 order by 1');
    expect(rows).toEqual([
      { batch_id: '1', versions: 300 },
      { batch_id: '2', versions: 1 },
    ]);
  });
});
