import type { ClientBase } from 'pg';

/** Ends a transaction that has failed. A session that is gone has rolled back by itself: that must not hide why. */
export async function rollBack(client: ClientBase): Promise<void> {
  await client.query('rollback').catch(() => undefined);
}

/** Does some work in one transaction: all of it is committed, or none when it throws. */
export async function atomically<T>(client: ClientBase, work: () => Promise<T>): Promise<T> {
  await client.query('begin');
  try {
    const result = await work();
    await client.query('commit');
    return result;
  } catch (error) {
    await rollBack(client);
    throw error;
  }
}
