/** An S3 that takes connections and falls silent, or that says to wait. */

import { randomBytes } from 'node:crypto';
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { describe, expect, test } from 'vitest';
import { awsClientSettings } from '../../src/shared/aws/client.ts';
import { S3Lake } from '../../src/shared/lake/s3.ts';
import { type BlackHole, blackHoleTo, DEAF, type Hole } from '../support/black-hole.ts';
import { startMoto } from '../support/moto.ts';
import { afterwards } from '../support/postgres.ts';
import { freshBucket, testS3Client } from '../support/s3.ts';
import { bytes, chunks, content, keys } from '../shared/lake/contract.ts';
import { impatientS3 } from './impatient.ts';

const moto = await startMoto();
if (moto) afterwards(() => moto.stop());

interface Scene {
  readonly network: BlackHole;
  /** The bucket behind the network. */
  readonly hanging: S3Lake;
  /** The same without. */
  readonly lake: S3Lake;
  readonly pendingUploads: () => Promise<number>;
}

async function scene(): Promise<Scene> {
  if (!moto) throw new Error('no moto');
  const client = testS3Client(moto.endpoint);
  const bucket = await freshBucket(client);
  const network = await blackHoleTo(Number(new URL(moto.endpoint).port));
  const hanging = impatientS3(`http://127.0.0.1:${network.port}`);
  afterwards(async () => [client, hanging].forEach((each) => each.destroy()));
  return {
    network,
    hanging: new S3Lake({ bucket, client: hanging }),
    lake: new S3Lake({ bucket, client }),
    pendingUploads: async () => (await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads?.length ?? 0,
  };
}

const KEY = 'data/t/part-0.csv';
const [SMALL, LARGE] = [bytes('x'), randomBytes(18 * 1024 * 1024)];
const unavailable = { kind: 'lake_unavailable', message: expect.stringContaining('TimeoutError from s3://') };

const CALLS: Readonly<Record<string, (lake: S3Lake) => Promise<unknown>>> = {
  'to get an object': async (lake) => content(lake, KEY),
  'to put an object': async (lake) => lake.put('data/t/part-1.csv', chunks(SMALL)),
  'to put an object of many parts': async (lake) => lake.put('data/t/part-2.csv', chunks(LARGE)),
  'to write an entry': async (lake) => lake.putIfAbsent('log/1.json', SMALL),
  'to write the state': async (lake) => lake.replace('state/x.json', SMALL),
  'to list': async (lake) => keys(lake),
  'to delete': async (lake) => lake.delete(KEY),
};

/** Holes in which the call may have been heard. */
const HEARD: Hole = { when: /^(GET|PUT|POST|DELETE|HEAD) /, passes: 'the request' };

describe.runIf(moto)('an S3 that falls silent', { timeout: 120_000 }, () => {
  test('is waited for no longer than the stated time: 75 seconds and the pauses in between', () => {
    const { maxAttempts, requestHandler } = awsClientSettings;
    expect(maxAttempts * requestHandler.socketTimeout).toBe(75_000);
    expect(requestHandler.connectionTimeout).toBeLessThan(requestHandler.socketTimeout);
  });

  test('whatever it is asked, is lake_unavailable, nothing is half done, and it answers the next time', async () => {
    await Promise.all(Object.entries(CALLS).map(async ([what, call]) => {
      const { network, hanging, lake } = await scene();
      await lake.put(KEY, chunks(SMALL));
      network.hole = DEAF;
      const error: unknown = await call(hanging).then(() => 'an answer', (failure: unknown) => failure);
      expect([what, error, await keys(lake)]).toMatchObject([what, unavailable, [KEY]]);
      expect([what, network.swallowed()]).toEqual([what, expect.toBeOneOf([2, 4])]);
      network.hole = null;
      await call(hanging);
    }));
  });

  test('having heard a put is lake_unavailable, and what it heard is there whole or not at all', async () => {
    const { network, hanging, lake, pendingUploads } = await scene();
    network.hole = HEARD;
    await expect(hanging.put('data/t/part-1.csv', chunks(SMALL))).rejects.toMatchObject({ kind: 'lake_unavailable' });
    await expect(hanging.put('data/t/part-2.csv', chunks(LARGE))).rejects.toMatchObject({ kind: 'lake_unavailable' });
    await expect(hanging.putIfAbsent('log/1.json', SMALL)).rejects.toMatchObject({ kind: 'lake_unavailable' });
    expect(await keys(lake)).toEqual(['data/t/part-1.csv', 'log/1.json']);
    expect(await content(lake, 'data/t/part-1.csv')).toEqual(Buffer.from(SMALL));
    // It could not be told to give up the parts that it has: the bucket's own rule for that does, after a day.
    expect(await pendingUploads()).toBeGreaterThan(0);
  });

  test('behind a part of many is lake_unavailable, and no object', async () => {
    const { network, hanging, lake } = await scene();
    network.hole = { when: /^PUT .*partNumber=2/, passes: 'nothing' };
    await expect(hanging.put(KEY, chunks(LARGE))).rejects.toMatchObject(unavailable);
    expect(await keys(lake)).toEqual([]);
  });

  test('after half an answer is asked for the rest, and lake_unavailable when that does not come either', async () => {
    const { network, hanging, lake } = await scene();
    await lake.put(KEY, chunks(LARGE));
    network.hole = { when: /^GET /, passes: { answerBytes: 7_000_000 } };
    expect((await content(hanging, KEY)).equals(LARGE)).toBe(true);
    expect(network.swallowed()).toBeGreaterThanOrEqual(2);
    const stream = await hanging.get(KEY);
    network.hole = DEAF;
    await expect(stream.toArray()).rejects.toMatchObject(unavailable);
  });

  test('before it has proved who it is, by TLS, is lake_unavailable', async () => {
    const { network } = await scene();
    network.hole = DEAF;
    const client = impatientS3(`https://127.0.0.1:${network.port}`);
    afterwards(async () => client.destroy());
    await expect(keys(new S3Lake({ bucket: 'any', client }))).rejects.toMatchObject({ kind: 'lake_unavailable' });
    expect(network.swallowed()).toBeGreaterThanOrEqual(2);
  });
});
