import { describe, expect, test, vi } from 'vitest';
import type pg from 'pg';
import { inSession, type Opening, Sessions } from '../../../src/shared/postgres/sessions.ts';
import { blackHoleTo, through } from '../../support/black-hole.ts';
import { afterwards, connectTo, freshDatabase } from '../../support/postgres.ts';

const pidOf = async (client: pg.Client) => (await client.query<{ pid: string }>('select pg_backend_pid() as pid')).rows[0]?.pid;

async function ground() {
  const url = await freshDatabase('sessions');
  const admin = await connectTo(url);
  const sessions = new Sessions();
  afterwards(async () => sessions.close());
  const prepare = vi.fn<() => Promise<void>>(async () => undefined);
  const opening: Opening = { side: 'source', url, settings: { search_path: '' }, prepare };
  const isThere = async (pid: string | undefined) =>
    ((await admin.query('select from pg_stat_activity where pid = $1', [pid])).rowCount ?? 0) > 0;
  return { admin, sessions, opening, prepare, isThere };
}

describe('a session that is given back', () => {
  test('is the next one, as it was opened, once', async () => {
    const { sessions, opening, prepare } = await ground();
    const first = await inSession(sessions, opening, pidOf);
    expect(await inSession(sessions, opening, pidOf)).toBe(first);
    expect(prepare).toHaveBeenCalledTimes(1);
    expect(await inSession(undefined, opening, pidOf)).not.toBe(first);
  });

  test('is nobody else’s: another side or place opens its own', async () => {
    const { sessions, opening } = await ground();
    const first = await inSession(sessions, opening, pidOf);
    expect(await inSession(sessions, { ...opening, side: 'warehouse' }, pidOf)).not.toBe(first);
    expect(await inSession(sessions, { ...opening, url: await freshDatabase('elsewhere') }, pidOf)).not.toBe(first);
  });

  test('is two where two are wanted at once, and one of them is kept', async () => {
    const { sessions, opening, isThere } = await ground();
    const pids = await inSession(sessions, opening, async (one) => [await inSession(sessions, opening, pidOf), await pidOf(one)]);
    expect(new Set(pids).size).toBe(2);
    await vi.waitFor(async () => expect(await isThere(pids[1])).toBe(false));
    expect(await inSession(sessions, opening, pidOf)).toBe(pids[0]);
  });

  test('is closed where the work has failed, whatever state that left it in', async () => {
    const { sessions, opening, isThere } = await ground();
    let pid: string | undefined;
    const failing = inSession(sessions, opening, async (client) => {
      pid = await pidOf(client);
      await client.query('begin');
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    await vi.waitFor(async () => expect(await isThere(pid)).toBe(false));
  });

  test('is opened anew where the server has ended it', async () => {
    const { admin, sessions, opening, isThere } = await ground();
    const first = await inSession(sessions, opening, pidOf);
    await admin.query('select pg_terminate_backend($1)', [first]);
    await vi.waitFor(async () => expect(await isThere(first)).toBe(false));
    expect(await inSession(sessions, opening, pidOf)).not.toBe(first);
  });

  test('is opened anew where it does not answer', async () => {
    const { opening } = await ground();
    const sessions = new Sessions({ answer: 100 });
    afterwards(async () => sessions.close());
    const network = await blackHoleTo(Number(new URL(opening.url).port));
    const farther = { ...opening, url: through(opening.url, network) };
    const first = await inSession(sessions, farther, pidOf);
    // The question whether it is there.
    network.hole = { when: /^Q[^]{4}select\0$/, passes: 'nothing' };
    expect(await inSession(sessions, farther, pidOf)).not.toBe(first);
    expect(network.swallowed()).toBe(1);
  });

  test('is closed when nobody has wanted it for a while', async () => {
    const { opening, isThere } = await ground();
    const pid = await inSession(new Sessions({ idle: 50 }), opening, pidOf);
    await vi.waitFor(async () => expect(await isThere(pid)).toBe(false));
  });

  test('is not kept for ever, however often it is wanted', async () => {
    const { opening, isThere } = await ground();
    const sessions = new Sessions({ life: 200 });
    afterwards(async () => sessions.close());
    const first = await inSession(sessions, opening, pidOf);
    expect(await inSession(sessions, opening, pidOf)).toBe(first);
    await vi.waitFor(async () => expect(await inSession(sessions, opening, pidOf)).not.toBe(first));
    await vi.waitFor(async () => expect(await isThere(first)).toBe(false));
  });

  test('is closed with the rest', async () => {
    const { sessions, opening, isThere } = await ground();
    const pid = await inSession(sessions, opening, pidOf);
    await sessions.close();
    await vi.waitFor(async () => expect(await isThere(pid)).toBe(false));
  });
});
