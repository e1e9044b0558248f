import { S3Lake } from '../../src/shared/lake/s3.ts';
import { testS3Client } from '../support/s3.ts';

/** Fewer tries than in production: what is tried here is that all of them fail, and how it goes on. */
const TRIES = 2;

/** In a module of its own: a process that works on a directory does not load the SDK. */
export function openLake(endpoint: string, bucket: string): S3Lake {
  return new S3Lake({ bucket, client: testS3Client(endpoint, TRIES) });
}
