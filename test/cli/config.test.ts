import { mkdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Config, type Need, readConfig, type Settings } from '../../src/cli/config.ts';
import { PipelineError } from '../../src/shared/errors.ts';
import { eventsOf, runMain } from '../support/cli.ts';
import { temporaryDirectory } from '../support/postgres.ts';

const SOURCE = 'postgresql://reader:s3cret-one@source.example:5432/totesys';
const WAREHOUSE = 'postgresql://owner:s3cret-two@warehouse.example/star';
const BOTH = { SOURCE_URL: SOURCE, WAREHOUSE_URL: WAREHOUSE };

const EVERYTHING: readonly Need[] = ['source', 'warehouse'];

function read(environment: NodeJS.ProcessEnv, flags: Settings = {}, needs = EVERYTHING): Config {
  return readConfig(flags, environment, new Set(needs));
}

/** What is wrong, a problem each. */
function problems(environment: NodeJS.ProcessEnv, flags: Settings = {}, needs?: readonly Need[]): readonly string[] {
  try {
    read(environment, flags, needs);
  } catch (error) {
    if (!(error instanceof PipelineError) || error.kind !== 'config') throw error;
    return error.message.split('\n  - ').slice(1);
  }
  return [];
}

function directory(path: string): Config['lake'] {
  return { kind: 'directory', directory: path };
}

describe('where settings come from', () => {
  test('a flag goes before the variable of the same name', () => {
    const config = read({ ...BOTH, WAREHOUSE_SCHEMA: 'one' }, { WAREHOUSE_SCHEMA: 'two' });
    expect(config.warehouseSchema).toBe('two');
  });

  test('an empty one counts as not set', () => {
    const config = read({ ...BOTH, SOURCE_SCHEMA: '', LAKE_DIR: '', INGESTION_BUCKET: '' });
    expect(config).toMatchObject({ sourceSchema: 'public', lake: directory('.starling/lake') });
  });

  test('an empty flag does not hide the variable', () => {
    expect(read({ ...BOTH, LAKE_DIR: '/lake' }, { LAKE_DIR: '' }).lake).toEqual(directory('/lake'));
  });

  test('with neither database, both are the embedded ones, with a lake of their own', () => {
    expect(read({})).toMatchObject({ embedded: true, lake: directory('.starling/embedded-lake') });
    expect(read({ LAKE_DIR: '/lake' })).toMatchObject({ embedded: true, lake: directory('/lake') });
  });

  test.each([['SOURCE_URL'], ['WAREHOUSE_URL']] as const)('with %s, neither database is embedded', (name) => {
    expect(read({ [name]: BOTH[name] }, {}, [])).toMatchObject({ embedded: false, lake: directory('.starling/lake') });
  });

  test('buckets take the place of the directory', () => {
    const buckets = { INGESTION_BUCKET: 'one-bucket', PROCESSED_BUCKET: 'other.bucket' };
    const { lake } = read({ ...BOTH, ...buckets });
    expect(lake).toEqual({ kind: 's3', ingestion: 'one-bucket', processed: 'other.bucket' });
  });
});

describe('what is wrong', () => {
  test('everything is said at once, by variable and flag', () => {
    const wrong = { SOURCE_URL: 'mysql://root@db/x', SOURCE_SCHEMA: 's'.repeat(64), INGESTION_BUCKET: 'No_Bucket' };
    expect(problems(wrong)).toEqual([
      'SOURCE_URL (--source-url) is not a postgresql:// URL',
      'SOURCE_SCHEMA (--source-schema) is not a schema name (1 to 63 bytes)',
      'INGESTION_BUCKET (--ingestion-bucket) is not the name of a bucket',
      'WAREHOUSE_URL (--warehouse-url) is missing (or WAREHOUSE_SECRET_ARN); leave both databases out for the embedded ones',
      'PROCESSED_BUCKET (--processed-bucket) is missing: INGESTION_BUCKET is set',
    ]);
  });

  test('a command is asked only for what it needs', () => {
    expect(problems({ WAREHOUSE_URL: WAREHOUSE }, {}, ['warehouse'])).toEqual([]);
    const missing = [expect.stringMatching(/^SOURCE_URL .*is missing/)];
    expect(problems({ WAREHOUSE_URL: WAREHOUSE }, {}, ['source'])).toEqual(missing);
    expect(problems({ INGESTION_BUCKET: 'one', PROCESSED_BUCKET: 'two' }, {}, [])).toEqual([]);
  });

  test('a secret may stand for a URL, or beside it', () => {
    const SOURCE_SECRET_ARN = 'arn:aws:secretsmanager:eu-west-2:123456789012:secret:x';
    expect(problems({ SOURCE_SECRET_ARN, WAREHOUSE_URL: WAREHOUSE })).toEqual([]);
    const config = readConfig({ SOURCE_SECRET_ARN }, { SOURCE_URL: SOURCE }, new Set(['source']));
    expect(config).toMatchObject({ embedded: false, source: { url: SOURCE, secretArn: SOURCE_SECRET_ARN } });
    // No secret is read for a command that has no need of it.
    expect(readConfig({ SOURCE_SECRET_ARN }, {}, new Set(['lake'])).source).toEqual({ url: null, secretArn: null });
  });

  test('what is no ARN of a secret is refused, and not printed', () => {
    expect(problems({ WAREHOUSE_SECRET_ARN: 'hunter2', SOURCE_URL: SOURCE })).toEqual([
      'WAREHOUSE_SECRET_ARN (--warehouse-secret-arn) is not the ARN of a secret',
    ]);
  });

  test.each([
    ['the lake in two places', { LAKE_DIR: '/lake', INGESTION_BUCKET: 'one', PROCESSED_BUCKET: 'two' }, /both set/],
    ['one bucket for both', { INGESTION_BUCKET: 'same', PROCESSED_BUCKET: 'same' }, /are the same/],
    ['no bucket for CSV', { PROCESSED_BUCKET: 'two' }, /^INGESTION_BUCKET .*is missing/],
    ['a password that is not percent-encoded', { SOURCE_URL: 'postgresql://u:s3/cret@db/x' }, /percent-encoded/],
    ['a URL without a database', { SOURCE_URL: 'postgresql://' }, /^SOURCE_URL/],
    ['a NUL in a schema', { SOURCE_SCHEMA: 'a\0b' }, /schema name/],
  ])('%s is refused', (_, settings, problem) => {
    expect(problems({ ...BOTH, ...settings })).toEqual([expect.stringMatching(problem)]);
  });

  test('no value is ever quoted', () => {
    const [SOURCE_URL, SOURCE_SCHEMA] = ['mysql://u:s3cret@h/x', 's3cret'.repeat(12)];
    expect(problems({ SOURCE_URL, SOURCE_SCHEMA, INGESTION_BUCKET: 'S3CRET' }).join('\n')).not.toMatch(/s3cret/i);
  });
});

describe('on the command line', () => {
  test('wrong configuration is exit status 2, with kind and hint, and nothing on stdout', async () => {
    const { status, stdout, stderr } = await runMain(['run'], { SOURCE_URL: 'mysql://u:s3cret@h/x' });
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain('SOURCE_URL (--source-url) is not a postgresql:// URL');
    expect(stderr).toContain('WAREHOUSE_URL (--warehouse-url) is missing');
    expect(stderr).toMatch(/kind: "config"\s+hint: "Correct the setting/);
    expect(stderr).not.toContain('s3cret');
  });

  test('with --json it is one object on stderr', async () => {
    const { status, stdout, stderr } = await runMain(['load', '--json', '--warehouse-url', 'nonsense']);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    const [error, ...others] = eventsOf(stderr);
    expect(others).toEqual([]);
    expect(error).toMatchObject({ level: 50, kind: 'config', hint: expect.stringContaining('--help') });
    expect(error?.['msg']).toContain('WAREHOUSE_URL (--warehouse-url) is not a postgresql:// URL');
  });

  test.each([
    [['watch', '--every', '15'], /--every takes/],
    [['demo', '--orders', 'many'], /--orders takes a whole number/],
    [['demo', '--orders', '0'], /--orders takes a whole number/],
  ])('%s is refused before anything is started', async (argv, message) => {
    const { status, stderr } = await runMain(argv, BOTH);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
  });
});

test.each([
  'postgresql://joe:9/sEcret@db.example.com/totesys',
  'postgresql://joe:9?sEcret@db.example.com/totesys',
  'postgresql://joe:9#sEcret@db.example.com/totesys',
])('a password that is not percent-encoded is not taken for a part of the URL: %s', (url) => {
  const refused = () => readConfig({ SOURCE_URL: url }, {}, new Set(['source']));
  expect(refused).toThrow(/SOURCE_URL \(--source-url\) is not a URL that can be read/);
  expect(refused).not.toThrow(/sEcret/);
});

describe('the lake of a stage that takes no database', () => {
  const transform = new Set(['lake'] as const);
  const cwd = process.cwd();
  beforeEach(async () => process.chdir(await temporaryDirectory()));
  afterEach(() => process.chdir(cwd));

  test('is the one that is there', () => {
    expect(readConfig({}, {}, transform).lake).toEqual({ kind: 'directory', directory: '.starling/lake' });
    mkdirSync('.starling/embedded-lake', { recursive: true });
    expect(readConfig({}, {}, transform).lake).toEqual({ kind: 'directory', directory: '.starling/embedded-lake' });
  });

  test('has to be named where there are two', () => {
    for (const name of ['lake', 'embedded-lake']) mkdirSync(`.starling/${name}`, { recursive: true });
    expect(() => readConfig({}, {}, transform)).toThrow(/LAKE_DIR \(--lake-dir\) is missing: there are/);
    expect(readConfig({ LAKE_DIR: 'x' }, {}, transform).lake).toEqual({ kind: 'directory', directory: 'x' });
  });
});
