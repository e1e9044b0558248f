import { randomUUID } from 'node:crypto';

import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';

import { s3ClientSettings } from '../../src/shared/lake/s3.ts';

/** A client as the commands have it, for moto or a proxy in front of it; `maxAttempts` for tests of giving up. */
export function testS3Client(endpoint: string, maxAttempts: number = s3ClientSettings.maxAttempts): S3Client {
  return new S3Client({
    ...s3ClientSettings,
    maxAttempts,
    endpoint,
    region: 'eu-west-2',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
}

export async function freshBucket(client: S3Client): Promise<string> {
  const bucket = `starling-${randomUUID()}`;
  await client.send(new CreateBucketCommand({
    Bucket: bucket, CreateBucketConfiguration: { LocationConstraint: 'eu-west-2' },
  }));
  return bucket;
}
