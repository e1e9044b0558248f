import { randomBytes } from 'node:crypto';
import { afterwards } from '../support/postgres.ts';
import type { Harness } from './harness.ts';

type Database = Pick<Harness, 'url' | 'sql'>;

/** The URL of a new user of the source; `grants` are grants without their last word, which is the user. */
export async function roleUrl({ url, sql }: Database, ...grants: readonly string[]): Promise<string> {
  const role = `role_${randomBytes(6).toString('hex')}`;
  const password = randomBytes(12).toString('hex');
  await sql.query(`create role ${role} login password '${password}'`);
  afterwards(async () => {
    await sql.query(`drop owned by ${role}; drop role ${role}`).catch(() => undefined);
  });
  for (const grant of grants) await sql.query(`${grant} ${role}`);
  const theirs = new URL(url);
  theirs.username = role;
  theirs.password = password;
  return theirs.href;
}
