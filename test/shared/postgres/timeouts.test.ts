import { describe, expect, test } from 'vitest';
import { splitTimeouts } from '../../../src/shared/postgres/timeouts.ts';

const timeoutsOf = (query: string, environment: NodeJS.ProcessEnv = {}) =>
  splitTimeouts('source', `postgresql://u@db.example.com/x${query}`, environment)[1];

const restOf = (url: string) => splitTimeouts('source', url, {})[0];

describe('how long a server is waited for', () => {
  test('is 20 seconds for a connection and 20 minutes for a word, unless the URL says otherwise', () => {
    expect(timeoutsOf('')).toEqual({ connect: 20_000, silence: 1_200_000 });
    expect(timeoutsOf('?connect_timeout=3&silence_timeout=7200')).toEqual({ connect: 3_000, silence: 7_200_000 });
  });

  test('is for a connection what PGCONNECT_TIMEOUT says, and the URL before it', () => {
    expect(timeoutsOf('', { PGCONNECT_TIMEOUT: '5' })).toMatchObject({ connect: 5_000 });
    expect(timeoutsOf('?connect_timeout=3', { PGCONNECT_TIMEOUT: '5' })).toMatchObject({ connect: 3_000 });
  });

  test('is never for ever', () => {
    expect(timeoutsOf('?connect_timeout=0&silence_timeout=0')).toEqual({ connect: 20_000, silence: 1_200_000 });
  });

  test.each(['1m', '-1', '1.5', '1e3', '9999999'])('%s is no number of seconds, and refused without quoting it', (text) => {
    const refused = { kind: 'config', message: expect.not.stringContaining(text) };
    expect(() => timeoutsOf(`?silence_timeout=${text}`)).toThrow(expect.objectContaining(refused));
    expect(() => timeoutsOf('', { PGCONNECT_TIMEOUT: text })).toThrow(expect.objectContaining(refused));
  });

  test('is not told to the driver; the rest of the URL is', () => {
    expect(restOf('postgresql://u:p%40@h:5432/x?silence_timeout=3&application_name=a')).toBe(
      'postgresql://u:p%40@h:5432/x?application_name=a',
    );
    expect(restOf('postgresql://u:p%40@h/x?connect_timeout=3')).toBe('postgresql://u:p%40@h/x');
  });
});
