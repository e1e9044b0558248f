import { randomBytes } from 'node:crypto';

import {
  HeadObjectCommand, ListMultipartUploadsCommand, PutObjectCommand, S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';

import { S3Lake } from '../../../src/shared/lake/s3.ts';
import { startFaultProxy } from '../../support/fault-proxy.ts';
import type { Fault, FaultProxy, Request } from '../../support/fault-proxy.ts';
import { startMoto } from '../../support/moto.ts';
import { freshBucket, testS3Client } from '../../support/s3.ts';
import { bytes, chunks, content, failing, keys, lakeContract, text } from './contract.ts';

const MIB = 1024 * 1024;
const KEY = 'data/t/part-0.csv';

const any = (): boolean => true;
const put = ({ method }: Request): boolean => method === 'PUT';
const complete = ({ method, url }: Request): boolean => method === 'POST' && url.includes('uploadId=');
const download = ({ method }: Request): boolean => method === 'GET';

const moto = await startMoto();
const endpoint = moto?.endpoint ?? 'http://127.0.0.1:1';
const client = testS3Client(endpoint);
afterAll(async () => {
  client.destroy();
  await moto?.stop();
});

describe.skipIf(moto === null)('a bucket is a lake', { timeout: 60_000 }, () => {
  lakeContract(async () => new S3Lake({ bucket: await freshBucket(client), client, pageKeys: 5 }));

  test('a body that fails leaves no upload pending', async () => {
    const bucket = await freshBucket(client);
    const lake = new S3Lake({ bucket, client });
    await expect(lake.put(KEY, failing(30 * MIB, new Error('gone')))).rejects.toThrow('gone');
    const pending = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
    expect(pending.Uploads ?? []).toEqual([]);
  });

  test('the markers that consoles leave for folders are no objects', async () => {
    const bucket = await freshBucket(client);
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'log/', Body: Buffer.alloc(0) }));
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'log/a note.txt', Body: 'x' }));
    expect(await keys(new S3Lake({ bucket, client }))).toEqual([]);
  });

  test('a bucket that is not there is config', async () => {
    const lake = new S3Lake({ bucket: 'starling-nowhere', client });
    const expected = { kind: 'config', message: expect.stringContaining('NoSuchBucket from s3://starling-nowhere/') };
    await expect(lake.get(KEY)).rejects.toMatchObject(expected);
    await expect(lake.put(KEY, chunks(bytes('x')))).rejects.toMatchObject(expected);
    await expect(keys(lake)).rejects.toMatchObject(expected);
  });
});

describe.skipIf(moto === null)('S3 on a bad day', { timeout: 60_000 }, () => {
  let proxy: FaultProxy;
  let broken: S3Client;
  let bucket = '';
  let lake: S3Lake;

  beforeEach(async () => {
    proxy = await startFaultProxy(endpoint);
    bucket = await freshBucket(client);
    broken = testS3Client(proxy.endpoint, 3);
    lake = new S3Lake({ bucket, client: broken });
  });
  afterEach(async () => {
    broken.destroy();
    await proxy.stop();
  });

  /** Lets the requests that `matches` go wrong, the first `times` of them. */
  function fail(matches: (request: Request) => boolean, fault: Fault, times = Infinity): void {
    let left = times;
    proxy.fault = (request) => {
      if (left === 0 || !matches(request)) return null;
      left -= 1;
      return fault;
    };
  }

  test.each<[string, Fault]>([
    ['SlowDown', { status: 503, code: 'SlowDown' }],
    ['an internal error', { status: 500, code: 'InternalError' }],
    ['a lost request', 'request_lost'],
  ])('%s is asked again, and lake_unavailable when it lasts', async (_name, fault) => {
    fail(any, fault, 2);
    expect(await lake.putIfAbsent('log/1.json', bytes('x'))).toBe('created');
    fail(any, fault, 2);
    expect(await keys(lake)).toEqual(['log/1.json']);
    fail(any, fault);
    await expect(lake.replace('state/x.json', bytes('x'))).rejects.toMatchObject({ kind: 'lake_unavailable' });
    await expect(lake.get('log/1.json')).rejects.toMatchObject({
      kind: 'lake_unavailable', context: { key: 'log/1.json' },
    });
  });

  test.each([
    ['AccessDenied', 403, 'lake_denied'], ['KMS.DisabledException', 400, 'lake_denied'],
    ['ExpiredToken', 400, 'lake_denied'], ['AuthorizationHeaderMalformed', 400, 'config'],
    ['PermanentRedirect', 301, 'config'], ['MalformedXML', 400, 'lake_unavailable'],
  ])('%s is %d and means %s', async (code, status, kind) => {
    fail(any, { status, code });
    await expect(lake.putIfAbsent('log/1.json', bytes('x'))).rejects.toMatchObject({ kind });
    await expect(lake.put(KEY, chunks(bytes('x')))).rejects.toMatchObject({ kind });
    await expect(lake.delete(KEY)).rejects.toMatchObject({ kind });
  });

  test('missing credentials are lake_denied, a missing region is config', async () => {
    const noRegion = new S3Client({ endpoint, region: async () => { throw new Error('Region is missing'); } });
    await expect(keys(new S3Lake({ bucket, client: noRegion }))).rejects.toMatchObject({ kind: 'config' });
    const noName = Object.assign(new Error('none found'), { name: 'CredentialsProviderError' });
    const nobody = new S3Client({ endpoint, region: 'eu-west-2', credentials: async () => { throw noName; } });
    await expect(keys(new S3Lake({ bucket, client: nobody }))).rejects.toMatchObject({ kind: 'lake_denied' });
  });

  describe('put-if-absent', () => {
    test('a conflict (409) is asked again until it is decided', async () => {
      fail(put, { status: 409, code: 'ConditionalRequestConflict' }, 3);
      expect(await lake.putIfAbsent('log/1.json', bytes('x'))).toBe('created');
      fail(put, { status: 409, code: 'ConditionalRequestConflict' });
      await expect(lake.putIfAbsent('log/2.json', bytes('x'))).rejects.toMatchObject({ kind: 'lake_unavailable' });
    });

    test('the answer to the winner may be lost: it exists, and who wrote it is in it', async () => {
      fail(put, 'answer_lost', 1);
      expect(await lake.putIfAbsent('log/1.json', bytes('mine'))).toBe('exists');
      expect(await text(lake, 'log/1.json')).toBe('mine');
    });
  });

  describe('put', () => {
    test('an answer that was lost does not matter: the object is known by its writer', async () => {
      fail(put, 'answer_lost', 1);
      expect(await lake.put(KEY, chunks(bytes('mine')))).toBe(4);
      expect(await text(lake, KEY)).toBe('mine');
    });

    test('the same when it was the answer to the completion of many parts', async () => {
      fail(complete, 'answer_lost', 1);
      const whole = randomBytes(9 * MIB);
      expect(await lake.put(KEY, chunks(whole))).toBe(whole.byteLength);
      expect((await content(lake, KEY)).equals(whole)).toBe(true);
    });

    test('and when S3 has forgotten the upload that it completed', async () => {
      let asked = 0;
      proxy.fault = (request) => {
        if (!complete(request)) return null;
        asked += 1;
        return asked === 1 ? 'answer_lost' : { status: 404, code: 'NoSuchUpload' };
      };
      expect(await lake.put(KEY, chunks(randomBytes(9 * MIB)))).toBe(9 * MIB);
    });

    test('every write of it is conditional', async () => {
      await lake.put(KEY, chunks(bytes('small')));
      await lake.put('data/t/part-1.csv', chunks(randomBytes(9 * MIB)));
      const creating = proxy.requests.filter((request) => complete(request) || request.url.includes('PutObject'));
      expect(creating.map(({ headers }) => headers['if-none-match'])).toEqual(['*', '*']);
    });

    test("another writer's object of the same size is not taken for one's own", async () => {
      await lake.put(KEY, chunks(bytes('his')));
      await expect(lake.put(KEY, chunks(bytes('own')))).rejects.toMatchObject({ kind: 'lake_unavailable' });
      const found = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: KEY }));
      expect(found.ContentLength).toBe(3);
    });

    test('a conflict (409) with nothing there yet is lake_unavailable', async () => {
      fail(put, { status: 409, code: 'ConditionalRequestConflict' });
      await expect(lake.put(KEY, chunks(bytes('x')))).rejects.toMatchObject({ kind: 'lake_unavailable' });
      fail(({ method }) => method !== 'GET', { status: 409, code: 'ConditionalRequestConflict' });
      await expect(lake.put(KEY, chunks(bytes('x')))).rejects.toMatchObject({ kind: 'lake_unavailable' });
    });

    test('a part that cannot be sent fails it and leaves nothing', async () => {
      fail(({ url }) => url.includes('partNumber=2'), { status: 500, code: 'InternalError' });
      await expect(lake.put(KEY, chunks(randomBytes(20 * MIB)))).rejects.toMatchObject({ kind: 'lake_unavailable' });
      const pending = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
      expect(pending.Uploads ?? []).toEqual([]);
      expect(await keys(lake)).toEqual([]);
    });
  });

  describe('get', () => {
    const whole = randomBytes(3 * MIB);
    beforeEach(async () => {
      await lake.put(KEY, chunks(whole));
    });

    test('a download that breaks off goes on where it was', async () => {
      let left = 3;
      proxy.fault = (request) => (download(request) && (left -= 1) >= 0 ? { cutAfterBytes: 700_001 } : null);
      expect((await content(lake, KEY)).equals(whole)).toBe(true);
      const ranges = proxy.requests.filter(download).map(({ headers }) => headers.range);
      expect(ranges).toEqual([undefined, 'bytes=700001-', 'bytes=1400002-', 'bytes=2100003-']);
    });

    test('one that brings nothing time after time is lake_unavailable, never a short stream', async () => {
      fail(download, { cutAfterBytes: 0 });
      await expect(content(lake, KEY)).rejects.toMatchObject({ kind: 'lake_unavailable' });
      expect(proxy.requests.filter(download)).toHaveLength(5);
    });

    test('an object that is another meanwhile is not patched together', async () => {
      fail(download, { cutAfterBytes: 1000 }, 1);
      const stream = await lake.get(KEY);
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: KEY, Body: randomBytes(3 * MIB) }));
      await expect(stream.toArray()).rejects.toMatchObject({ kind: 'lake_unavailable' });
    });

    test('an object that is gone meanwhile is lake_missing', async () => {
      fail(download, { cutAfterBytes: 1000 }, 1);
      const stream = await lake.get(KEY);
      await new S3Lake({ bucket, client }).delete(KEY);
      await expect(stream.toArray()).rejects.toMatchObject({ kind: 'lake_missing' });
    });

    test('a server that sends the whole for a part is not believed', async () => {
      let asked = 0;
      proxy.fault = (request) => {
        if (!download(request)) return null;
        asked += 1;
        return asked === 1 ? { cutAfterBytes: 1000 } : 'whole';
      };
      await expect(content(lake, KEY)).rejects.toMatchObject({ kind: 'lake_unavailable' });
    });

    test('one whose checksum is wrong is lake_unavailable', async () => {
      fail(download, 'damaged');
      await expect(content(lake, KEY)).rejects.toMatchObject({
        kind: 'lake_unavailable', message: `${KEY} arrived damaged`,
      });
    });

    test('one of unknown length is lake_unavailable', async () => {
      fail(download, 'no_length');
      await expect(lake.get(KEY)).rejects.toMatchObject({ kind: 'lake_unavailable' });
    });

    test('given up while it waits to go on, it asks for nothing more', async () => {
      fail(download, { cutAfterBytes: 0 });
      const stream = await lake.get(KEY);
      await expect.poll(() => proxy.requests.filter(download).length).toBe(2);
      stream.destroy();
      const asked = proxy.requests.filter(download).length;
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(proxy.requests.filter(download).length).toBeLessThanOrEqual(asked + 1);
    });

    test('a slow reader gets it all, a chunk at a time', async () => {
      let received = 0;
      const body: AsyncIterable<Buffer> = await lake.get(KEY);
      for await (const chunk of body) {
        received += chunk.byteLength;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      expect(received).toBe(whole.byteLength);
    });
  });
});
