import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import * as v from 'valibot';
import { type ErrorKind, PipelineError } from '../errors.ts';
import type { Side } from '../postgres/errors.ts';
import { postgresUrl } from '../settings.ts';
import { awsClientSettings } from './client.ts';

/** Where a database's login is: in a URL, in a secret, or user and password in a secret and the rest in a URL. */
export interface DatabasePlace {
  readonly url: string | null;
  readonly secretArn: string | null;
}

const text = v.pipe(v.string(), v.minLength(1));

/** A URL says nothing of what it cannot take: of a host with a port behind it, it would stay at the one that it had. */
const hostName = v.pipe(v.string(), v.regex(/^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])$/i));
const portNumber = v.pipe(
  v.union([v.number(), v.pipe(v.string(), v.regex(/^\d+$/))]),
  v.check((port) => Number.isInteger(Number(port)) && Number(port) > 0 && Number(port) < 65_536),
);
/** No URL brings others to the driver: it leaves these encoded, and dots are steps within a path. */
const databaseName = v.pipe(v.string(), v.regex(/^(?!\.{1,2}$)[^/?#]+$/));

/**
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html#reference_secret_json_structure_rds-postgres
 * The secrets that RDS manages itself have only user and password. Host, port and database of a URL beside it win.
 */
const rdsSecret = v.object({
  username: text,
  password: text,
  host: v.optional(hostName),
  port: v.optional(portNumber),
  dbname: v.optional(databaseName),
});
type RdsSecret = v.InferOutput<typeof rdsSecret>;

let client: SecretsManagerClient | undefined;

/**
 * The URL that a place leads to now.
 * @throws PipelineError `secret_denied`, `secret_unavailable`, `secret_malformed`.
 */
export async function readDatabaseUrl(side: Side, place: DatabasePlace): Promise<string> {
  const { url, secretArn } = place;
  if (secretArn === null) return url ?? '';
  const sdk = await import('./secrets-manager.ts');
  client ??= new sdk.SecretsManagerClient({ ...awsClientSettings });
  const answer = await client.send(new sdk.GetSecretValueCommand({ SecretId: secretArn })).catch((error: unknown) => {
    throw secretError(side, error, error instanceof sdk.SecretsManagerServiceException ? error.$metadata.httpStatusCode : undefined);
  });
  return urlOf(side, answer.SecretString ?? '', url);
}

function urlOf(side: Side, secret: string, base: string | null): string {
  const plain = secret.trim();
  if (!plain.startsWith('{')) {
    if (v.safeParse(postgresUrl, plain).success) return plain;
    throw malformed(side, "is neither JSON as RDS' nor a postgresql:// URL");
  }
  const parsed = v.safeParse(rdsSecret, parseJson(plain));
  if (!parsed.success) {
    const fields = parsed.issues.map((issue) => v.getDotPath(issue) ?? 'all of it').join(', ');
    throw malformed(side, `lacks what RDS' format has, or has it in another form: ${fields}`);
  }
  return composed(side, parsed.output, base);
}

/** The parser's own error would quote the secret. */
function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

function composed(side: Side, secret: RdsSecret, base: string | null): string {
  if ([secret.username, secret.password, secret.dbname ?? ''].some((text) => /\p{Surrogate}/u.test(text))) {
    throw malformed(side, 'holds characters that are none');
  }
  if (base !== null && !URL.canParse(base)) throw malformed(side, 'stands beside a URL that cannot be read');
  const url = new URL(base ?? 'postgresql://localhost');
  // It would take neither user nor password.
  if (url.hostname === '') throw malformed(side, 'stands beside a URL that has no host before its path');
  if (base === null && (secret.host === undefined || secret.dbname === undefined)) {
    const setting = side === 'source' ? 'SOURCE_URL' : 'WAREHOUSE_URL';
    throw malformed(side, `has no host or dbname: set ${setting} to a URL without password that has them`);
  }
  // The URL wins: a secret that RDS rotates names the instance, where a proxy in front of it is meant.
  if (base === null) {
    url.hostname = secret.host ?? '';
    url.port = String(secret.port ?? '');
    url.pathname = `/${encodeURI(secret.dbname ?? '')}`;
  }
  // The driver would take these rather than what follows.
  for (const name of ['user', 'password']) url.searchParams.delete(name);
  url.username = encodeURIComponent(secret.username);
  url.password = encodeURIComponent(secret.password);
  return url.href;
}

function malformed(side: Side, what: string): PipelineError {
  return new PipelineError('secret_malformed', `${side}: its secret ${what}`);
}

/** Names of https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html */
const DENIED = new Set([
  'AccessDeniedException', 'DecryptionFailure', 'ResourceNotFoundException', 'InvalidRequestException',
  'ExpiredTokenException', 'UnrecognizedClientException', 'CredentialsProviderError',
]);

function secretError(side: Side, error: unknown, status: number | undefined): PipelineError {
  const name = error instanceof Error ? error.name : 'an unknown error';
  const kind: ErrorKind = DENIED.has(name) || status === 403 ? 'secret_denied' : 'secret_unavailable';
  const what = name === 'CredentialsProviderError' ? 'no AWS credentials for' : `${name} from`;
  return new PipelineError(kind, `${side}: ${what} Secrets Manager`, {}, error);
}
