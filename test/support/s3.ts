import { randomUUID } from 'node:crypto';

import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';

import { awsClientSettings } from '../../src/shared/aws/client.ts';

/** A client as the commands have it, for moto or a proxy in front of it; `maxAttempts` for tests of giving up. */
export function testS3Client(endpoint: string, maxAttempts: number = awsClientSettings.maxAttempts): S3Client {
  return new S3Client({
    ...awsClientSettings,
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
