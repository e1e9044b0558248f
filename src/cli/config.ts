import { existsSync } from 'node:fs';
import * as v from 'valibot';
import type { DatabasePlace } from '../shared/aws/secret.ts';
import { PipelineError } from '../shared/errors.ts';
import type { Side } from '../shared/postgres/errors.ts';
import { settings } from '../shared/settings.ts';

/** What a command can need; each brings the settings that it takes. */
export type Need = 'source' | 'warehouse' | 'lake';

export type LakePlace =
  | { readonly kind: 'directory'; readonly directory: string }
  | { readonly kind: 's3'; readonly ingestion: string; readonly processed: string };

/** The settings of a command: checked, with defaults. */
export interface Config {
  /** Neither database is named: both are Starling's own, on this machine. */
  readonly embedded: boolean;
  readonly source: DatabasePlace;
  readonly sourceSchema: string;
  readonly warehouse: DatabasePlace;
  readonly warehouseSchema: string;
  readonly lake: LakePlace;
}

/** Settings by the name of their environment variable; the flag is the same in kebab-case. */
export const SETTINGS = {
  SOURCE_URL: 'the source, as postgresql://user:password@host:5432/database',
  SOURCE_SECRET_ARN: "its login in Secrets Manager: RDS' JSON (what that lacks comes from SOURCE_URL), or a URL",
  SOURCE_SCHEMA: "the schema of the source's tables (default: public)",
  WAREHOUSE_URL: 'the warehouse, as a postgresql:// URL',
  WAREHOUSE_SECRET_ARN: 'the same for the warehouse',
  WAREHOUSE_SCHEMA: 'the schema of the star (default: public)',
  LAKE_DIR: 'the directory that holds the lake (default: .starling/lake; embedded databases: .starling/embedded-lake)',
  INGESTION_BUCKET: 'the S3 bucket for CSV, instead of LAKE_DIR',
  PROCESSED_BUCKET: 'the S3 bucket for Parquet, instead of LAKE_DIR',
} as const;

export type Setting = keyof typeof SETTINGS;
export type Settings = Readonly<Partial<Record<Setting, string>>>;

const NAMES: readonly Setting[] = [
  'SOURCE_URL',
  'SOURCE_SECRET_ARN',
  'SOURCE_SCHEMA',
  'WAREHOUSE_URL',
  'WAREHOUSE_SECRET_ARN',
  'WAREHOUSE_SCHEMA',
  'LAKE_DIR',
  'INGESTION_BUCKET',
  'PROCESSED_BUCKET',
];

export function flagOf(setting: Setting): string {
  return setting.toLowerCase().replaceAll('_', '-');
}

/** State of a run on one machine: lake, embedded databases. */
export const STATE_DIRECTORY = '.starling';

const settingsSchema = v.object({ ...settings, LAKE_DIR: v.optional(v.string()) });

type Known = v.InferInput<typeof settingsSchema>;

/**
 * Reads the settings: flags before environment; an empty one counts as not set.
 * @throws PipelineError `config` that lists everything missing or malformed at once, and never a value.
 */
export function readConfig(flags: Settings, environment: NodeJS.ProcessEnv, needs: ReadonlySet<Need>): Config {
  const given: Known = {};
  for (const name of NAMES) {
    const value = flags[name] || environment[name];
    if (value) given[name] = value;
  }
  const parsed = v.safeParse(settingsSchema, given);
  const { issues = [] } = parsed;
  const malformed = issues.map((issue) => `${named(v.getDotPath(issue))} ${issue.message}`);
  const problems = [...malformed, ...missing(given, needs), ...lakeProblems(given, needs)];
  if (problems.length > 0 || !parsed.success) {
    throw new PipelineError('config', `the configuration does not do:\n  - ${problems.join('\n  - ')}`);
  }
  const { output } = parsed;
  const embedded = isEmbedded(given);
  return {
    embedded,
    source: place('source', output, needs),
    sourceSchema: output.SOURCE_SCHEMA,
    warehouse: place('warehouse', output, needs),
    warehouseSchema: output.WAREHOUSE_SCHEMA,
    lake: lakePlace(given, embedded, needs),
  };
}

/** Nowhere, for a command that has no need of it: no secret is read for nothing. */
function place(side: Side, given: Known, needs: ReadonlySet<Need>): DatabasePlace {
  const [url, secret] = URL_AND_SECRET[side];
  if (!needs.has(side)) return { url: null, secretArn: null };
  return { url: given[url] ?? null, secretArn: given[secret] ?? null };
}

/** By the variable and the flag: either may be where it was set. */
function named(path: string | null): string {
  const name = NAMES.find((candidate) => candidate === path);
  return name === undefined ? '' : `${name} (--${flagOf(name)})`;
}

/** Nothing that would name a database or a lake of one's own. */
function isEmbedded(given: Known): boolean {
  const own = [given.SOURCE_URL, given.SOURCE_SECRET_ARN, given.WAREHOUSE_URL, given.WAREHOUSE_SECRET_ARN];
  return ![...own, given.INGESTION_BUCKET, given.PROCESSED_BUCKET].some(Boolean);
}

function missing(given: Known, needs: ReadonlySet<Need>): string[] {
  if (isEmbedded(given)) return [];
  return (['source', 'warehouse'] as const).flatMap((side) => {
    const [url, secret] = URL_AND_SECRET[side];
    if (!needs.has(side) || given[url] || given[secret]) return [];
    return [`${named(url)} is missing (or ${secret}); leave both databases out for the embedded ones`];
  });
}

const URL_AND_SECRET = {
  source: ['SOURCE_URL', 'SOURCE_SECRET_ARN'],
  warehouse: ['WAREHOUSE_URL', 'WAREHOUSE_SECRET_ARN'],
} as const;

function lakeProblems(given: Known, needs: ReadonlySet<Need>): string[] {
  const { LAKE_DIR, INGESTION_BUCKET, PROCESSED_BUCKET } = given;
  const buckets = [INGESTION_BUCKET, PROCESSED_BUCKET].filter((name) => name !== undefined);
  if (buckets.length === 0) {
    if (!needs.has('lake') || LAKE_DIR !== undefined || !isEmbedded(given)) return [];
    if (!existsSync(OWN_LAKE) || !existsSync(EMBEDDED_LAKE)) return [];
    return [`${named('LAKE_DIR')} is missing: there are ${OWN_LAKE} and ${EMBEDDED_LAKE}`];
  }
  const [directory, ingestion, processed] = [named('LAKE_DIR'), named('INGESTION_BUCKET'), named('PROCESSED_BUCKET')];
  if (LAKE_DIR !== undefined) return [`${directory} and buckets are both set: the lake is in one place`];
  if (INGESTION_BUCKET === undefined) return [`${ingestion} is missing: PROCESSED_BUCKET is set`];
  if (PROCESSED_BUCKET === undefined) return [`${processed} is missing: INGESTION_BUCKET is set`];
  return INGESTION_BUCKET === PROCESSED_BUCKET ? [`${ingestion} and ${processed} are the same: each has a log`] : [];
}

/** The embedded source's batches are kept apart: they must not end up in a warehouse of one's own. */
const OWN_LAKE = `${STATE_DIRECTORY}/lake`;
const EMBEDDED_LAKE = `${STATE_DIRECTORY}/embedded-lake`;

/** A stage that takes no database cannot tell by those whose lake is meant: it takes the one that is there. */
function lakePlace(given: Known, embedded: boolean, needs: ReadonlySet<Need>): LakePlace {
  const { LAKE_DIR, INGESTION_BUCKET: ingestion, PROCESSED_BUCKET: processed } = given;
  if (ingestion !== undefined && processed !== undefined) return { kind: 's3', ingestion, processed };
  const own = !embedded || (needs.has('lake') && !existsSync(EMBEDDED_LAKE));
  return { kind: 'directory', directory: LAKE_DIR ?? (own ? OWN_LAKE : EMBEDDED_LAKE) };
}
