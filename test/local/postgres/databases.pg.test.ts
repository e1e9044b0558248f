import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { cloneDatabase, dropDatabase, ensureDatabase } from '../../../src/local/postgres/databases.ts';
import { afterwards, connectTo, freshDatabase, testServer } from '../../support/postgres.ts';

function newName(start: string): string {
  const name = `${start}${randomBytes(4).toString('hex')}`;
  afterwards(async () => dropDatabase(testServer, name));
  return name;
}

async function isThere(name: string): Promise<boolean> {
  const client = await connectTo(testServer.superuserUrl('postgres'));
  return (await client.query('select from pg_database where datname = $1', [name])).rowCount === 1;
}

test('a database is made once, and asking for it again changes nothing', async () => {
  const name = newName('once_');
  await ensureDatabase(testServer, name);
  const client = await connectTo(testServer.superuserUrl(name));
  await client.query('create table kept ()');
  await ensureDatabase(testServer, name);
  expect((await client.query("select from pg_tables where tablename = 'kept'")).rowCount).toBe(1);
});

test('eight that make the same database at once all succeed', async () => {
  const name = newName('raced_');
  await Promise.all(Array.from({ length: 8 }, async () => ensureDatabase(testServer, name)));
  expect(await isThere(name)).toBe(true);
});

test('a name is quoted, in SQL and in the URL', async () => {
  const name = newName('Ünusual "name"; drop/table&x=%41 ');
  await ensureDatabase(testServer, name);
  const client = await connectTo(testServer.superuserUrl(name));
  expect((await client.query('select current_database() as name')).rows).toEqual([{ name }]);
});

test.each(['', 'é'.repeat(32), 'what?', 'a#b'])('the name %j, which would become another, is refused', async (name) => {
  await expect(ensureDatabase(testServer, name)).rejects.toThrow('cannot name a database');
});

test('a clone has what its template has, and then a life of its own', async () => {
  const template = newName('template_');
  await ensureDatabase(testServer, template);
  const original = await connectTo(testServer.superuserUrl(template));
  await original.query('create table things as select 1 as thing');
  await original.end();
  const name = newName('clone_');
  await cloneDatabase(testServer, template, name);
  const clone = await connectTo(testServer.superuserUrl(name));
  await clone.query('insert into things values (2)');
  expect((await clone.query('select thing from things order by 1')).rows).toEqual([{ thing: 1 }, { thing: 2 }]);
});

test('a clone of a template that is not there says so', async () => {
  const clone = cloneDatabase(testServer, 'no such template', newName('clone_'));
  await expect(clone).rejects.toMatchObject({
    kind: 'local',
    message: expect.stringContaining('copy database no such template'),
    context: { sqlstate: '3D000' },
  });
});

test('a database is dropped although somebody is connected, and dropping it again is no error', async () => {
  const name = newName('dropped_');
  await ensureDatabase(testServer, name);
  const client = await connectTo(testServer.superuserUrl(name));
  await dropDatabase(testServer, name);
  expect(await isThere(name)).toBe(false);
  await expect(client.query('select 1')).rejects.toThrow(/terminat|closed|not queryable/i);
  await dropDatabase(testServer, name);
});

test('a fresh database is empty and its own', async () => {
  const url = await freshDatabase();
  expect(await freshDatabase()).not.toBe(url);
  const client = await connectTo(url);
  expect((await client.query("select from pg_tables where schemaname = 'public'")).rowCount).toBe(0);
});
