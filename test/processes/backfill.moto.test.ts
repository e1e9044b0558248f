import { describe, expect, test } from 'vitest';
import { ingestionEntrySchema } from '../../src/shared/lake/entries.ts';
import { Log } from '../../src/shared/lake/log.ts';
import { S3Lake } from '../../src/shared/lake/s3.ts';
import { eventsOf, runStarling, spawnStarling } from '../support/cli.ts';
import { startMoto } from '../support/moto.ts';
import { afterwards, ownServer, temporaryDirectory } from '../support/postgres.ts';
import { freshBucket, testS3Client } from '../support/s3.ts';
import { totesysTemplate } from '../support/totesys.ts';

const moto = await startMoto();

describe.runIf(moto)('starling backfill on S3', () => {
  test('is done by several processes, one of which is killed on the way', async () => {
    if (!moto) return;
    afterwards(() => moto.stop());
    const client = testS3Client(moto.endpoint);
    const server = await ownServer({ settings: { autovacuum: 'off' } });
    const source = await totesysTemplate(3_000, server);
    const [ingestion, processed] = [await freshBucket(client), await freshBucket(client)];
    const environment = {
      SOURCE_URL: source.url,
      WAREHOUSE_URL: server.superuserUrl('postgres'),
      INGESTION_BUCKET: ingestion,
      PROCESSED_BUCKET: processed,
      AWS_ENDPOINT_URL: moto.endpoint,
      AWS_REGION: 'eu-west-2',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
    };
    const cwd = await temporaryDirectory();
    const options = { environment, cwd, measured: false };
    const backfill = await spawnStarling(['backfill', '--workers', '3', '--ranges', '8', '--json'], options);
    await backfill.until(({ stdout }) => stdout.includes('"event":"range"'));
    const { stdout } = backfill.output();
    const worker = eventsOf(stdout.slice(0, stdout.lastIndexOf('\n'))).find(({ event }) => event === 'worker');
    process.kill(Number(worker?.['pid']), 'SIGKILL');
    expect(await backfill.ended).toMatchObject({ status: 0 });
    const entry = await new Log(new S3Lake({ client, bucket: ingestion }), ingestionEntrySchema).read(1);
    expect(entry.tables['sales_order']?.parts.length).toBeGreaterThan(1);
    expect(await runStarling(['compare', '--json'], options)).toMatchObject({ status: 0 });
  }, 240_000);
});
