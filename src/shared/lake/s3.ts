import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

import {
  DeleteObjectCommand, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';

import { awsClientSettings } from '../aws/client.ts';
import { PipelineError } from '../errors.ts';
import { checkKey, checkPrefix, isKey } from './key.ts';
import type { Lake } from './lake.ts';
import { S3Download } from './s3-download.ts';
import { s3Error, statusOf } from './s3-errors.ts';

/** Objects can have 10,000 parts, so 80 GB; in memory are at most `QUEUED_PARTS` + 1 of them. */
const PART_BYTES = 8 * 1024 * 1024;
const QUEUED_PARTS = 4;

/** 409 is S3's "somebody is at this key this moment, ask again", which the SDK does not do by itself. */
const CONFLICT_TRIES = 6;
const CONFLICT_DELAY_MS = 50;

interface Opened {
  readonly body: Readable;
  readonly bytes: number | undefined;
  readonly etag: string | undefined;
}

/** A lake in a bucket. Needs s3:GetObject, PutObject, DeleteObject, AbortMultipartUpload and ListBucket. */
export class S3Lake implements Lake {
  readonly location: string;
  readonly #bucket: string;
  readonly #client: S3Client;
  readonly #pageKeys: number;

  /** `pageKeys`: keys in a page of a listing, 1,000 at most. */
  constructor(options: { readonly bucket: string; readonly client: S3Client; readonly pageKeys?: number }) {
    this.location = `s3://${options.bucket}`;
    this.#bucket = options.bucket;
    this.#client = options.client;
    this.#pageKeys = options.pageKeys ?? 1000;
  }

  async get(key: string): Promise<Readable> {
    checkKey(key);
    const first = await this.#open(key);
    const { body, bytes, etag } = first;
    if (bytes === undefined) {
      body.destroy();
      throw this.#unavailable(key, 'S3 did not say how long it is');
    }
    return new S3Download(key, bytes, body, async (fromByte) => {
      const rest = await this.#open(key, { Range: `bytes=${fromByte}-`, IfMatch: etag });
      if (rest.bytes === bytes - fromByte) return rest.body;
      rest.body.destroy();
      throw this.#unavailable(key, 'S3 answered with another range');
    });
  }

  /**
   * Conditional like `putIfAbsent`, since a bucket policy can demand that of all writes. So where an answer was lost
   * and the SDK asked again, S3 says that the key exists; `writer` tells whether that is this call's own object.
   */
  async put(key: string, body: AsyncIterable<Uint8Array>): Promise<number> {
    checkKey(key);
    const writer = randomUUID();
    const source = new UploadSource(body);
    try {
      await this.#upload(key, source, writer);
    } catch (error) {
      if (source.failure !== undefined) throw source.failure.error;
      if (!isConflict(error)) throw s3Error(error, this.#bucket, key);
      if (!(await this.#isOwn(key, writer, source.bytes))) {
        throw this.#unavailable(key, 'another write is in the way', error);
      }
    }
    return source.bytes;
  }

  async putIfAbsent(key: string, body: Uint8Array): Promise<'created' | 'exists'> {
    checkKey(key);
    const command = { Bucket: this.#bucket, Key: key, Body: body, IfNoneMatch: '*' };
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#client.send(new PutObjectCommand(command));
        return 'created';
      } catch (error) {
        if (statusOf(error) === 412) return 'exists';
        if (statusOf(error) !== 409 || attempt === CONFLICT_TRIES) throw s3Error(error, this.#bucket, key);
        await delay(CONFLICT_DELAY_MS * 2 ** (attempt - 1) * (0.5 + Math.random()));
      }
    }
  }

  async replace(key: string, body: Uint8Array): Promise<void> {
    checkKey(key);
    await this.#ask(key, () => this.#client.send(new PutObjectCommand({ Bucket: this.#bucket, Key: key, Body: body })));
  }

  async *list(prefix: string, after?: string): AsyncGenerator<string, void, undefined> {
    checkPrefix(prefix);
    const query = { Bucket: this.#bucket, Prefix: prefix, StartAfter: after, MaxKeys: this.#pageKeys };
    let token: string | undefined;
    do {
      const command = new ListObjectsV2Command({ ...query, ContinuationToken: token });
      const page = await this.#ask(undefined, () => this.#client.send(command));
      for (const { Key } of page.Contents ?? []) {
        // People leave things in buckets, consoles the markers of "folders".
        if (Key !== undefined && isKey(Key)) yield Key;
      }
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }

  async delete(key: string): Promise<void> {
    checkKey(key);
    await this.#ask(key, () => this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: key })));
  }

  /** Aborts a multipart upload that fails, so that no parts are left to be paid for. */
  async #upload(key: string, source: UploadSource, writer: string): Promise<void> {
    const upload = new Upload({
      client: this.#client,
      partSize: PART_BYTES,
      queueSize: QUEUED_PARTS,
      params: {
        Bucket: this.#bucket,
        Key: key,
        Body: Readable.from(source, { highWaterMark: 1 }),
        IfNoneMatch: '*',
        Metadata: { writer },
      },
    });
    await upload.done();
  }

  async #isOwn(key: string, writer: string, bytes: number): Promise<boolean> {
    try {
      const found = await this.#client.send(new HeadObjectCommand({ Bucket: this.#bucket, Key: key }));
      return found.Metadata?.['writer'] === writer && found.ContentLength === bytes;
    } catch (error) {
      if (statusOf(error) === 404) return false;
      throw s3Error(error, this.#bucket, key);
    }
  }

  async #open(key: string, part: { Range?: string; IfMatch?: string | undefined } = {}): Promise<Opened> {
    const command = new GetObjectCommand({ Bucket: this.#bucket, Key: key, ...part });
    const answer = await this.#ask(key, () => this.#client.send(command));
    if (!(answer.Body instanceof Readable)) throw new TypeError('the SDK for Node gives a Readable');
    // One that is given up can still break, and without a listener that would end the process.
    return { body: answer.Body.on('error', () => null), bytes: answer.ContentLength, etag: answer.ETag };
  }

  async #ask<T>(key: string | undefined, send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      throw s3Error(error, this.#bucket, key);
    }
  }

  #unavailable(key: string, what: string, cause?: unknown): PipelineError {
    return new PipelineError('lake_unavailable', `${what}: s3://${this.#bucket}/${key}`, { key }, cause);
  }
}

/** A lake in a bucket, with the credentials and the region of the surroundings. */
export function openS3Lake(bucket: string): S3Lake {
  return new S3Lake({ bucket, client: new S3Client({ ...awsClientSettings }) });
}

/** The body on its way into an upload: how many bytes it had, and whether it was the body that failed. */
class UploadSource implements AsyncIterable<Uint8Array> {
  readonly #body: AsyncIterable<Uint8Array>;
  bytes = 0;
  failure: { readonly error: unknown } | undefined;

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#body = body;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const chunk of this.#body) {
        this.bytes += chunk.byteLength;
        yield chunk;
      }
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }
}

/** What a second put of the same object can meet: it is there (412), it is being written (409), its upload is done. */
function isConflict(error: unknown): boolean {
  const status = statusOf(error);
  return status === 412 || status === 409 || (error instanceof Error && error.name === 'NoSuchUpload');
}
