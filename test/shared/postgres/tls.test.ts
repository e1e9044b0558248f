import { describe, expect, test } from 'vitest';
import { PipelineError } from '../../../src/shared/errors.ts';
import { splitUrl, waysOf } from '../../../src/shared/postgres/tls.ts';

const modeOf = (url: string, environment: NodeJS.ProcessEnv = {}) => splitUrl('source', url, environment)[1].mode;

describe('how TLS is used', () => {
  test.each([
    ['postgresql://u@db.example.com/x', 'verify-full'],
    ['postgresql://u@10.0.0.5:5432/x', 'verify-full'],
    ['postgresql://u@localhost.example.com/x', 'verify-full'],
    ['postgresql://u@127.example.com/x', 'verify-full'],
    ['postgresql://u:p%40localhost@db.example.com/x', 'verify-full'],
    ['postgresql:///x?host=db.example.com', 'verify-full'],
    ['postgresql://localhost/x', 'disable'],
    ['postgresql://u:p@127.0.0.1:5433/x', 'disable'],
    ['postgresql://[::1]:5433/x', 'disable'],
    ['postgresql:///x?host=/var/run/postgresql', 'disable'],
    ['postgresql://%2Fvar%2Frun/x', 'disable'],
  ])('%s is %s where nothing else is said', (url, mode) => {
    expect(modeOf(url)).toBe(mode);
  });

  test('is what the URL says, before the environment, whoever the server is', () => {
    expect(modeOf('postgresql://localhost/x?sslmode=verify-full')).toBe('verify-full');
    expect(modeOf('postgresql://db.example.com/x?sslmode=disable', { PGSSLMODE: 'require' })).toBe('disable');
    expect(modeOf('postgresql://db.example.com/x', { PGSSLMODE: 'prefer' })).toBe('prefer');
    expect(modeOf('postgresql:///x', { PGHOST: 'db.example.com' })).toBe('verify-full');
    expect(modeOf('postgresql://localhost/x?ssl=true')).toBe('verify-full');
    expect(modeOf('postgresql://db.example.com/x?ssl=0')).toBe('disable');
  });

  test('is not told to the driver, which has ideas of its own; the rest of the URL is', () => {
    const url = 'postgresql://u:p%40@db.example.com:5432/x?sslmode=require&connect_timeout=3&sslrootcert=/a.pem';
    const [rest, settings] = splitUrl('source', url, {});
    expect(rest).toBe('postgresql://u:p%40@db.example.com:5432/x?connect_timeout=3');
    expect(settings).toEqual({ mode: 'require', rootCertificate: '/a.pem', certificate: null, key: null });
  });

  test('in a mode that there is not is refused', () => {
    expect(() => modeOf('postgresql://db.example.com/x?sslmode=verify_full')).toThrow(PipelineError);
  });

  test('with a file that is not there says which', async () => {
    const [, settings] = splitUrl('source', 'postgresql://db.example.com/x?sslrootcert=/no/such.pem', {});
    await expect(waysOf('source', settings)).rejects.toMatchObject({
      kind: 'config', message: 'source: the file that sslrootcert names cannot be read: /no/such.pem',
    });
  });

  test("trusts Amazon's authorities beside Node's", async () => {
    const [, settings] = splitUrl('source', 'postgresql://db.example.com/x', {});
    const [way] = await waysOf('source', settings);
    const [, system] = splitUrl('source', 'postgresql://db.example.com/x?sslrootcert=system', {});
    const [ofNode] = await waysOf('source', system);
    expect(way === false || ofNode === false ? 0 : Number(way?.ca?.length) - Number(ofNode?.ca?.length)).toBeGreaterThan(50);
  });
});
