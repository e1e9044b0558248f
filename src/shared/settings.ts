import { parse } from 'pg-connection-string';
import * as v from 'valibot';
import { withoutTls } from './postgres/tls.ts';

/**
 * The settings that both the command line and the Lambdas take. Messages continue the name of the setting, and never
 * hold its value.
 */
export const postgresUrl = v.pipe(
  v.string(),
  v.check((url) => /^postgres(ql)?:\/\//.test(url), 'is not a postgresql:// URL'),
  v.check(isParsable, 'is not a URL that can be read (special characters in a password are percent-encoded)'),
);

/**
 * A slash or question mark in a password ends the host for the parser: the rest of the password would pass for a name of
 * a database, and be printed as one. What betrays it is the @ that then comes too late.
 */
function isParsable(url: string): boolean {
  const [, , ...behindHost] = url.split(/[/?#]+/);
  if (behindHost.join('').includes('@')) return false;
  try {
    return Boolean(parse(withoutTls(url)).database);
  } catch {
    return false;
  }
}

const schemaName = v.pipe(
  v.string(),
  v.check((name) => Buffer.byteLength(name) <= 63 && !name.includes('\0'), 'is not a schema name (1 to 63 bytes)'),
);

/** PostgreSQL keeps these names for itself. */
const ownSchemaName = v.pipe(schemaName, v.check((name) => !name.startsWith('pg_'), "begins with pg_, as PostgreSQL's own schemas do"));

/** S3's rules for the names of buckets. */
const bucketName = v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'is not the name of a bucket'));

/** `arn:aws:secretsmanager:eu-west-2:123456789012:secret:totesys-Ab12Cd`, in any partition. */
const secretArn = arn('secretsmanager', 'secret:[^\\s]+', 'is not the ARN of a secret');

export const topicArn = arn('sns', '[A-Za-z0-9_-]{1,256}', 'is not the ARN of a standard SNS topic');

function arn(service: string, resource: string, message: string) {
  return v.pipe(v.string(), v.regex(new RegExp(`^arn:aws[a-z-]*:${service}:[a-z0-9-]+:\\d{12}:${resource}$`), message));
}

/** What command line and Lambdas have in common, by the names of the environment variables. */
export const settings = {
  SOURCE_URL: v.optional(postgresUrl),
  SOURCE_SECRET_ARN: v.optional(secretArn),
  SOURCE_SCHEMA: v.optional(schemaName, 'public'),
  WAREHOUSE_URL: v.optional(postgresUrl),
  WAREHOUSE_SECRET_ARN: v.optional(secretArn),
  WAREHOUSE_SCHEMA: v.optional(ownSchemaName, 'public'),
  INGESTION_BUCKET: v.optional(bucketName),
  PROCESSED_BUCKET: v.optional(bucketName),
};
