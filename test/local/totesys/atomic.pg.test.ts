import { describe, expect, it } from 'vitest';
import { atomically } from '../../../src/local/totesys/atomic.ts';
import { count, emptySource } from './sources.ts';

describe('atomically', () => {
  it('commits what was done, and nothing of it when the work fails', async () => {
    const { client } = await emptySource();
    await client.query('create table t (n int)');
    expect(await atomically(client, async () => client.query('insert into t values (1)'))).toMatchObject({ rowCount: 1 });
    const failing = atomically(client, async () => {
      await client.query('insert into t values (2)');
      throw new Error('enough');
    });
    await expect(failing).rejects.toThrow('enough');
    expect(await count(client, 'from t')).toBe(1);
  });

  it('tells why the work failed, not that the session is gone', async () => {
    const { client } = await emptySource();
    const killed = atomically(client, async () => client.query('select pg_terminate_backend(pg_backend_pid())'));
    await expect(killed).rejects.toMatchObject({ code: '57P01' });
  });
});
