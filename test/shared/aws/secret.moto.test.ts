import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Login } from '../../../src/shared/aws/login.ts';
import { readDatabaseUrl } from '../../../src/shared/aws/secret.ts';
import { PipelineError } from '../../../src/shared/errors.ts';
import { startMoto } from '../../support/moto.ts';
import { afterwards } from '../../support/postgres.ts';
import { awsEnvironment, testSecret } from '../../support/secrets.ts';

const moto = await startMoto();
if (moto) afterwards(() => moto.stop());

const RDS = { engine: 'postgres', host: 'db.example.com', port: 5432, dbname: 'totesys', username: 'reader', password: 'p/@:?#%é' };
const ENCODED = 'p%2F%40%3A%3F%23%25%C3%A9';

async function urlOf(secret: unknown, url: string | null = null): Promise<string> {
  if (!moto) throw new Error('no moto');
  const { arn } = await testSecret(moto, typeof secret === 'string' ? secret : JSON.stringify(secret));
  return readDatabaseUrl('source', { url, secretArn: arn });
}

beforeEach(() => {
  for (const [name, value] of Object.entries(moto ? awsEnvironment(moto) : {})) vi.stubEnv(name, value);
});
afterEach(() => vi.unstubAllEnvs());

describe.runIf(moto)('a secret', () => {
  test("in RDS' format is a URL", async () => {
    expect(await urlOf(RDS)).toBe(`postgresql://reader:${ENCODED}@db.example.com:5432/totesys`);
  });

  test('names a database as the driver reads it', async () => {
    expect(new Client(await urlOf({ ...RDS, dbname: 'a:b & %2e "ö"' })).database).toBe('a:b & %2e "ö"');
  });

  test('yields to the host, port and database of a URL beside it, which may be those of a proxy', async () => {
    const url = await urlOf(RDS, 'postgresql://proxy.example.com/other');
    expect(url).toBe(`postgresql://reader:${ENCODED}@proxy.example.com/other`);
  });

  test('that RDS manages itself gets host and database from the URL beside it', async () => {
    const { username, password } = RDS;
    const url = await urlOf({ username, password }, 'postgresql://db.example.com:6432/totesys?sslmode=require');
    expect(url).toBe(`postgresql://reader:${ENCODED}@db.example.com:6432/totesys?sslmode=require`);
  });

  test('is what logs in, whatever the URL beside it says', async () => {
    const url = await urlOf(RDS, 'postgresql://somebody:else@db.example.com/totesys?user=other&password=x&sslmode=require');
    expect(url).toBe(`postgresql://reader:${ENCODED}@db.example.com/totesys?sslmode=require`);
  });

  test('may be a plain URL', async () => {
    expect(await urlOf('postgresql://reader:x@db.example.com/totesys\n')).toBe('postgresql://reader:x@db.example.com/totesys');
  });

  test.each([
    ['without a password', { ...RDS, password: undefined }, 'password'],
    ['with a port that is none', { ...RDS, port: 'hunter2' }, 'port'],
    ['with a port that no server has', { ...RDS, port: 65_536 }, 'port'],
    ['with a port behind its host', { ...RDS, host: 'hunter2:5432' }, 'host'],
    ['with a database that is a step up', { ...RDS, dbname: '..' }, 'dbname'],
    ['without a host, and without a URL beside it', { ...RDS, host: undefined }, 'SOURCE_URL'],
    ['of another kind', 'hunter2', 'postgresql:// URL'],
    ['that is broken JSON', '{"username": "hunter2"', 'all of it'],
    ['of a URL that is not encoded', 'postgresql://u:hunter2/@host/db', 'postgresql:// URL'],
    ['that is empty', '   ', 'postgresql:// URL'],
  ])('%s is refused with what it lacks, and nothing of it is said', async (_what, secret, lacks) => {
    const error: unknown = await urlOf(secret).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(PipelineError);
    expect(error).toMatchObject({ kind: 'secret_malformed', message: expect.stringContaining(lacks) });
    expect(String(error)).not.toContain('hunter2');
  });

  test('beside a URL that has no place for a login is refused, not left out', async () => {
    await expect(urlOf(RDS, 'postgresql:///totesys?host=db.example.com')).rejects.toMatchObject({ kind: 'secret_malformed' });
  });

  test('that is not there, or may not be read, is denied', async () => {
    const secretArn = 'arn:aws:secretsmanager:eu-west-2:123456789012:secret:none-Ab12Cd';
    await expect(readDatabaseUrl('warehouse', { url: null, secretArn })).rejects.toMatchObject({
      kind: 'secret_denied',
      message: 'warehouse: ResourceNotFoundException from Secrets Manager',
    });
  });

  test('is not asked for where there is none', async () => {
    expect(await readDatabaseUrl('source', { url: 'postgresql://a@b/c', secretArn: null })).toBe('postgresql://a@b/c');
  });
});

const refusal = new PipelineError('source_denied', 'refused', { sqlstate: '28P01' });

describe.runIf(moto)('a login', () => {
  test('that is refused after a rotation is tried with the new password, once', async () => {
    if (!moto) return;
    const secret = await testSecret(moto, 'postgresql://reader:old@localhost/totesys');
    const login = new Login('source', { url: null, secretArn: secret.arn });
    const used: string[] = [];
    const work = async (url: string) => {
      used.push(url);
      if (!url.includes('new')) throw refusal;
      return 'done';
    };
    await expect(login.use(work)).rejects.toThrow('refused');
    expect(used).toHaveLength(1);
    await secret.rotate('postgresql://reader:new@localhost/totesys');
    expect(await login.use(work)).toBe('done');
    expect(await login.use(work)).toBe('done');
    expect(used.map((url) => url.includes('new'))).toEqual([false, false, true, true]);
  });

  test('is read anew for each call, with whatever else was changed in the secret', async () => {
    if (!moto) return;
    const secret = await testSecret(moto, 'postgresql://reader:x@localhost/old');
    const [kept, anew] = [60_000, 0].map((keptMs) => new Login('source', { url: null, secretArn: secret.arn }, keptMs));
    const urls = async () => Promise.all([kept, anew].map(async (login) => login?.use(async (url) => url)));
    expect(await urls()).toEqual(['postgresql://reader:x@localhost/old', 'postgresql://reader:x@localhost/old']);
    await secret.rotate('postgresql://reader:x@localhost/new');
    expect(await urls()).toEqual(['postgresql://reader:x@localhost/old', 'postgresql://reader:x@localhost/new']);
  });

  test.each([
    ['a right that lacks', new PipelineError('source_denied', 'refused', { sqlstate: '42501' })],
    ['a server that is down', new PipelineError('source_unreachable', 'refused')],
    ['a bug', new TypeError('refused')],
  ])('is not tried again for %s', async (_what, error) => {
    if (!moto) return;
    const secret = await testSecret(moto, 'postgresql://reader:old@localhost/totesys');
    const login = new Login('source', { url: null, secretArn: secret.arn });
    const work = vi.fn<() => Promise<never>>(async () => Promise.reject(error));
    await login.use(async () => 'the old one is read');
    await secret.rotate('postgresql://reader:new@localhost/totesys');
    await expect(login.use(work)).rejects.toThrow('refused');
    expect(work).toHaveBeenCalledTimes(1);
  });
});
