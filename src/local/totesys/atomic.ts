import type { ClientBase } from 'pg';

/** Does some work in one transaction: all of it is committed, or none when it throws. */
export async function atomically<T>(client: ClientBase, work: () => Promise<T>): Promise<T> {
  await client.query('begin');
  try {
    const result = await work();
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}
