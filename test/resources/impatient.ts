/** Clients of AWS as the program has them, but for how long they wait: for tests of giving up. */

import { S3Client } from '@aws-sdk/client-s3';

/** Imports nothing of ours: a test puts it in the place of `src/shared/aws/client.ts`. */
export const impatientSettings = {
  maxAttempts: 2,
  retryMode: 'standard',
  requestHandler: { connectionTimeout: 3_000, socketTimeout: 3_000 },
} as const;

export function impatientS3(endpoint: string): S3Client {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  return new S3Client({ ...impatientSettings, endpoint, region: 'eu-west-2', credentials });
}
