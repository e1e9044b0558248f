import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import fc from 'fast-check';
import { parse } from 'pg-connection-string';
import * as v from 'valibot';
import { expect, test } from 'vitest';
import { type Need, readConfig, type Setting, SETTINGS } from '../../src/cli/config.ts';
import { readDatabaseUrl } from '../../src/shared/aws/secret.ts';
import { PipelineError } from '../../src/shared/errors.ts';
import { readDeployment } from '../../src/shared/lambda/deployment.ts';
import { fuzz, FUZZ_TIMEOUT_MS } from './fuzzing.ts';
import { hostileTexts, hostileValues } from './hostile.ts';
import { mutationsOf } from './mutations.ts';

/** In every value; what is told of one must not hold it. */
const MARK = 'hUnTeR2';

/** Not far from what is right. */
const URLS = [
  `postgresql://u:${MARK}@db.example/x`, `postgres://u:${MARK}@[::1]:5432/x?sslmode=require`, `postgresql://u:p@h/${MARK}`, `postgresql:///x?host=${MARK}`,
  `mysql://u:${MARK}@h/x`, `postgresql://u:a/${MARK}@h/x`, `postgresql://u:a?${MARK}@h/x`, `postgresql://u:a#${MARK}@h/x`, `postgresql://u:%${MARK}@h/x`,
  `postgresql://u:p@h:${MARK}/x`, `postgresql://u:p@h:99999999/${MARK}`, `postgresql://[${MARK}/x`, `postgresql://${MARK}`, `POSTGRESQL://u:${MARK}@h/x`,
  `postgresql://u:p@h/x?sslrootcert=/nowhere/${MARK}`, `postgresql://u:p@h/x?sslmode=${MARK}`, `postgresql://u:p@h/x?options=${MARK}&ssl=%00`, `http://${MARK}/`,
];
const ARNS = [`arn:aws:secretsmanager:eu-west-2:123456789012:secret:${MARK}-Ab12Cd`, `arn:aws:sns:eu-west-2:123456789012:${MARK}`, `arn:aws:s3:::${MARK}`];
const OTHERS = [MARK.toLowerCase(), MARK.toLowerCase().repeat(12), `${MARK}\0`, `"${MARK}"; drop schema public; --`, `../${MARK}`, `${MARK}\r\nX: y`, '', ' '];

const marked = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...URLS, ...ARNS, ...OTHERS) },
  { weight: 1, arbitrary: hostileTexts.map((text) => `${text}${MARK}`) },
  { weight: 1, arbitrary: hostileTexts.map((text) => `postgresql://u:${text}${MARK}@h/x`) },
  { weight: 1, arbitrary: fc.tuple(hostileTexts, fc.constantFrom(...URLS), fc.nat(60)).map(([text, url, at]) => url.slice(0, at) + text + url.slice(at)) },
);

/** Of some variables, an environment. */
const environments = (names: readonly string[]): fc.Arbitrary<Readonly<Record<string, string>>> =>
  fc.array(fc.tuple(fc.constantFrom(...names), marked), { maxLength: 5 }).map((pairs) => Object.fromEntries(pairs));

/** One error, of one kind, with nothing of the value in anything that can be printed of it. */
function expectRefused(error: unknown, kind: string): void {
  if (!(error instanceof PipelineError)) throw error;
  expect(error.kind).toBe(kind);
  for (let told: unknown = error; told instanceof Error; told = told.cause) {
    const all = [told.message, told.stack, JSON.stringify(told), JSON.stringify(told, Object.getOwnPropertyNames(told))].join('\n');
    expect(all.toLowerCase()).not.toContain(MARK.toLowerCase());
  }
}

const needs = fc.subarray<Need>(['source', 'warehouse', 'lake']).map((all) => new Set(all));
const settings = Object.keys(SETTINGS).filter((name): name is Setting => name in SETTINGS);

test('any settings are a configuration of the command line, or one error without a value', { timeout: FUZZ_TIMEOUT_MS }, async () => {
  const all = [...settings, 'PATH', '__proto__', 'source_url', 'LAKE_DIR'];
  await fuzz('configuration: command line', fc.tuple(environments(settings), environments(all), needs), ([flags, environment, needed]) => {
    try {
      const config = readConfig(flags, environment, needed);
      expect(['directory', 's3']).toContain(config.lake.kind);
      for (const schema of [config.sourceSchema, config.warehouseSchema]) expect(Buffer.byteLength(schema)).toSatisfy((bytes: number) => bytes > 0 && bytes < 64);
    } catch (error) {
      expectRefused(error, 'config');
    }
  });
});

const VARIABLES = [
  'SOURCE_URL', 'SOURCE_SECRET_ARN', 'SOURCE_SCHEMA', 'WAREHOUSE_URL', 'WAREHOUSE_SECRET_ARN', 'WAREHOUSE_SCHEMA', 'INGESTION_BUCKET', 'PROCESSED_BUCKET', 'PIPELINE_NAME', 'ALERT_TOPIC_ARN',
];

test('any environment is a deployment, or one error without a value', { timeout: FUZZ_TIMEOUT_MS }, async () => {
  const wanted = fc.subarray(['ingestion', 'processed', 'source', 'warehouse'] as const);
  await fuzz('configuration: function', fc.tuple(environments(VARIABLES), wanted), ([environment, needed]) => {
    try {
      const deployment = readDeployment(environment, needed);
      expect(deployment.pipeline).toMatch(/^[a-z][a-z0-9-]{0,19}$/);
    } catch (error) {
      expectRefused(error, 'config');
    }
  });
});

const LOGIN = { username: `user-${MARK}`, password: `p ${MARK}/?#@:%"'`, engine: 'postgres', host: 'db.example', port: 5432, dbname: 'x' };

const contents = fc.oneof(
  { weight: 4, arbitrary: mutationsOf(LOGIN).map(({ bytes }) => bytes.toString()) },
  { weight: 2, arbitrary: marked },
  { weight: 1, arbitrary: hostileValues.map((value) => JSON.stringify({ ...LOGIN, host: value, password: MARK })) },
  { weight: 1, arbitrary: marked.map((text) => JSON.stringify({ ...LOGIN, host: text })) },
  { weight: 1, arbitrary: hostileTexts.map((text) => `{"password":"${MARK}${text}`) },
);

const places = fc.option(fc.constantFrom('postgresql://db.example/x', 'postgresql://proxy.example:6432/y?sslmode=verify-full', 'postgresql:///x'));

const login = v.object({ username: v.string(), password: v.string(), host: v.string(), port: v.optional(v.union([v.string(), v.number()])), dbname: v.string() });

/** A URL takes what it can of what it is given, and says nothing: what the driver reads must be what the secret says. */
function expectSame(url: string, text: string, isWhole: boolean): void {
  if (!text.trim().startsWith('{')) return;
  const { user, password, host, port, database } = parse(url);
  const said = v.safeParse(login, JSON.parse(text.trim()));
  if (!said.success) return;
  const { output } = said;
  const read = { user, password, ...(isWhole ? { host, port: Number(port), database } : {}) };
  const place = { host: output.host, port: Number(output.port ?? ''), database: output.dbname };
  expect(read).toEqual({ user: output.username, password: output.password, ...(isWhole ? place : {}) });
}

/** What a URL leaves out, keeps encoded, or cannot hold. */
const LOST = [
  { username: `\ud800${MARK}` }, { password: `${MARK}\udfff` }, { dbname: '\ud800' }, { dbname: '..' }, { dbname: 'a:b' }, { dbname: `a?${MARK}` }, { dbname: 'a/../b' },
  { host: `${MARK}:5432` }, { host: `${MARK}/x` }, { host: 'a b' }, { host: '%41' }, { port: 65_536 }, { port: 0.5 }, { port: '0' },
].map((odd): [string, null] => [JSON.stringify({ ...LOGIN, ...odd }), null]);

test('any content of a secret is the URL of a database, or one error without any of it', { timeout: FUZZ_TIMEOUT_MS }, async () => {
  let content = '';
  Object.defineProperty(SecretsManagerClient.prototype, 'send', { value: async () => ({ SecretString: content }) });
  const [secretArn = ''] = ARNS;
  await fuzz('configuration: secret', fc.tuple(contents, places), async ([text, url]) => {
    content = text;
    try {
      const made = await readDatabaseUrl('source', { url, secretArn });
      expect(made).toMatch(/^postgres(ql)?:\/\//);
      expectSame(made, text, url === null);
    } catch (error) {
      expectRefused(error, 'secret_malformed');
    }
  }, LOST);
});
