import { S3ServiceException } from '@aws-sdk/client-s3';

import { PipelineError } from '../errors.ts';
import type { ErrorKind } from '../errors.ts';

/**
 * Error codes whose status does not say what to do. The names are those of
 * https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, or of the SDK where no request was made.
 */
const KINDS: Readonly<Record<string, ErrorKind>> = {
  NoSuchBucket: 'config', InvalidBucketName: 'config', PermanentRedirect: 'config',
  AuthorizationHeaderMalformed: 'config',
  ExpiredToken: 'lake_denied', InvalidToken: 'lake_denied', CredentialsProviderError: 'lake_denied',
  NoSuchUpload: 'lake_unavailable',
};

/**
 * A failure of the SDK, all of its own retries done, in the lake's terms: `lake_denied`, `lake_missing`, `config` (the
 * bucket) and otherwise `lake_unavailable`. S3's own message stays in the cause.
 */
export function s3Error(error: unknown, bucket: string, key?: string): PipelineError {
  if (error instanceof PipelineError) return error;
  const name = error instanceof Error ? error.name : 'an unknown error';
  const context = key === undefined ? {} : { key };
  return new PipelineError(kindOf(error), `${name} from s3://${bucket}/${key ?? ''}`, context, error);
}

/** The HTTP status that S3 answered with, undefined when it did not answer. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}

function kindOf(error: unknown): ErrorKind {
  if (!(error instanceof Error)) return 'lake_unavailable';
  const known = KINDS[error.name];
  if (known !== undefined) return known;
  // Thrown by the SDK as a bare Error, before it asks anything.
  if (error.message.startsWith('Region is missing')) return 'config';
  const status = statusOf(error);
  if (status === 403 || error.name.startsWith('KMS.')) return 'lake_denied';
  return status === 404 ? 'lake_missing' : 'lake_unavailable';
}
