import { rename } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { runAs, serverAccount } from '../../src/local/postgres/account.ts';
import { parseSnapshot } from '../../src/ingest/session.ts';
import { int, text } from '../../src/shared/model/column.ts';
import { table } from '../../src/shared/model/table.ts';
import { connectTo, otherServers } from '../support/postgres.ts';
import { skipLoudly } from '../support/skip.ts';
import { follow, type Harness, warnings } from './harness.ts';
import { copyOwned, machine, type Machine } from './machine.ts';

const item = table('item', { item_id: int().key(), name: text() });

async function ids(source: Harness): Promise<readonly number[] | null> {
  if ((await source.rows()) === null) return null;
  const { batch } = (await source.entries()).at(-1) ?? { batch: 0 };
  return (await source.records(batch, 'item')).map((row) => Number(row['item_id'])).toSorted((a, b) => a - b);
}

test('a source that went back in time on the same node is refused until somebody says otherwise', async () => {
  const own = await machine();
  const url = await own.start();
  const sql = await connectTo(url);
  await sql.query(`create table item (item_id int primary key, name text); insert into item values (1, 'one')`);
  await sql.end();
  const data = await own.stop();
  await copyOwned(data, `${data}.old`);
  await own.start();
  const source = await follow(url, await connectTo(url), [item]);
  await source.sql.query(`insert into item values (2, 'two')`);
  expect(await ids(source)).toEqual([1, 2]);
  await own.stop();
  await rename(data, `${data}.new`);
  await rename(`${data}.old`, data);
  await own.start();
  await expect(source.ingest()).rejects.toMatchObject({
    kind: 'source_behind', retry: 'next_run', context: { stage: 'ingest', batch: 2 },
  });
  expect([await source.entries(), await source.objects()]).toMatchObject([{ length: 1 }, { length: 1 }]);
  expect(warnings(source)).toEqual([]);
  expect(await source.rows({ whole: true })).toEqual({ item: 1 });
  expect(await source.rows()).toBeNull();
});

/** Since 14 it can be told what the oldest transaction is. */
const RESETWAL = otherServers().find(
  ({ binariesDirectory, major }) => major >= 14 && existsSync(join(binariesDirectory, 'pg_resetwal')),
) ?? skipLoudly('transaction ids set by hand', 'there is no PostgreSQL with pg_resetwal');
const ROUND = 2n ** 32n;

/** Sets the next transaction id; a multiple of 32768, so that no page of pg_xact has to be there for it. */
async function jump(own: Machine, xid: bigint, oldest = xid): Promise<void> {
  const data = await own.stop();
  const options = { '-e': xid / ROUND, '-x': xid % ROUND, '-u': oldest % ROUND };
  const program = join(RESETWAL?.binariesDirectory ?? '', 'pg_resetwal');
  const { status, output } = await runAs(await serverAccount(), program, [
    ...Object.entries(options).flatMap(([name, value]) => [name, String(value)]), '-D', data,
  ]);
  expect([status, output]).toEqual([0, expect.stringContaining('reset')]);
  await own.start();
}

/** What is not frozen would seem to be written in the future, and not be there. */
async function freeze(sql: Client): Promise<void> {
  await sql.query('vacuum (freeze)');
}

/** Nobody would freeze them, and a server stops for its oldest database. */
async function dropTemplates(url: string): Promise<void> {
  const sql = await connectTo(url);
  await sql.query('update pg_database set datistemplate = false');
  for (const name of ['template0', 'template1']) await sql.query(`drop database ${name}`);
  await sql.end();
}

/** `hops`: never half of the circle at once, or what is old would be in the future. */
async function started(...hops: readonly bigint[]): Promise<{ readonly own: Machine; readonly source: Harness }> {
  const own = await machine({ binariesDirectory: RESETWAL?.binariesDirectory });
  const url = await own.start();
  await dropTemplates(url);
  for (const xid of hops) {
    const sql = await connectTo(url);
    await freeze(sql);
    await sql.end();
    await jump(own, xid);
  }
  const source = await follow(url, await connectTo(url), [item]);
  await source.sql.query('create table item (item_id int primary key, name text)');
  await source.sql.query(`insert into item select id, 'old' from generate_series(1, 3) id`);
  expect(await ids(source)).toEqual([1, 2, 3]);
  expect(await ids(source)).toBeNull();
  await freeze(source.sql);
  return { own, source };
}

async function reconnected(source: Harness): Promise<Harness> {
  return { ...source, sql: await connectTo(source.url) };
}

describe.skipIf(RESETWAL === null)('with transaction ids set by hand', () => {
  test('more than half of the circle behind the cursor, everything is read again, and said so', async () => {
    const { own, source } = await started(2n ** 20n);
    await source.sql.end();
    await jump(own, 2n ** 20n + 2n ** 31n + 2n ** 16n);
    const later = await reconnected(source);
    await later.sql.query(`insert into item values (4, 'new')`);
    expect(await ids(later)).toEqual([1, 2, 3, 4]);
    expect(warnings(later)).toEqual(['item is read whole: more than 2^31 transactions have passed']);
    expect(await ids(later)).toBeNull();
  });

  test('around the end of the 32 bits nothing is missed, and nothing else is read', async () => {
    const { own, source } = await started(2n ** 30n, 3n * 2n ** 30n - 2n ** 16n, ROUND - 2n ** 16n);
    await source.sql.query(`update item set name = 'before' where item_id = 1`);
    await freeze(source.sql);
    await source.sql.end();
    await jump(own, ROUND + 2n ** 15n, ROUND - 2n ** 16n);
    const later = await reconnected(source);
    await later.sql.query(`insert into item values (4, 'behind')`);
    await later.sql.query(`update item set name = 'behind' where item_id = 3`);
    expect(await ids(later)).toEqual([1, 3, 4]);
    expect(parseSnapshot((await later.entries()).at(-1)?.snapshot ?? '').xmax).toBeGreaterThan(ROUND);
    expect(warnings(later)).toEqual([]);
    await later.sql.query(`update item set name = 'again' where item_id = 2`);
    expect(await ids(later)).toEqual([2]);
  });

  test.each([
    ['2^31', [2n ** 30n, 2n ** 31n]],
    ['2^32', [2n ** 30n, 3n * 2n ** 30n, ROUND]],
    ['2^33, of the second round', [2n ** 30n, 3n * 2n ** 30n, ROUND + 2n ** 29n, ROUND + 2n ** 31n, 2n * ROUND - 2n ** 30n, 2n * ROUND]],
  ])('across %s, transaction by transaction, each batch has what changed and no more', async (_where, hops) => {
    const edge = hops.at(-1) ?? 0n;
    // The last hop ends as far below as one page of pg_xact holds.
    const { source } = await started(...hops.map((hop) => hop - 2n ** 15n));
    await source.sql.query(`update item set name = 'below' where item_id = 1`);
    expect(await ids(source)).toEqual([1]);
    const late = await connectTo(source.url);
    await late.query(`begin; update item set name = 'late' where item_id = 2`);
    await source.sql.query(`do $$ begin for i in 1..32800 loop perform pg_current_xact_id(); commit; end loop; end $$`);
    await source.sql.query(`insert into item values (4, 'above')`);
    expect(await ids(source)).toEqual([4]);
    await late.query('commit');
    expect(await ids(source)).toEqual([2, 4]);
    const { xmin, xmax } = parseSnapshot((await source.entries()).at(-1)?.snapshot ?? '');
    expect([xmin > edge, xmax > edge]).toEqual([true, true]);
    await source.sql.query('vacuum (freeze) item');
    await source.sql.query(`update item set name = 'again' where item_id = 3`);
    expect(await ids(source)).toEqual([3]);
    expect(warnings(source)).toEqual([]);
  });
});
