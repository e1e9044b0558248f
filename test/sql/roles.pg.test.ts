import type { Client } from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { liveOneDay } from '../../src/local/totesys/day.ts';
import { generateTotesys } from '../../src/local/totesys/generate.ts';
import type { Superuser } from '../../src/local/postgres/databases.ts';
import { runMain } from '../support/cli.ts';
import {
  connectTo, freshDatabase, otherServers, ownServer, temporaryDirectory, testServer,
} from '../support/postgres.ts';
import { countOf } from '../support/totesys.ts';
import { expectAsksOnly, expectDenied, expectLoadsOnly, expectReadsOnly, expectSeesWhatComes } from './may.ts';
import { databaseOf, freshAdmin, freshLogin, hasPsql, type Login, runScript, type Script, urlOf } from './psql.ts';

const SERVERS = [{ major: 18, binariesDirectory: '' }, ...otherServers()];

/** Runs a script that has to succeed, twice, with another password in between. @returns what it warned of. */
async function warningsOf(
  script: Script,
  url: string,
  { name: role, password }: Login,
  variables: Readonly<Record<string, string>> = {},
): Promise<string> {
  let stderr = '';
  for (const given of [password, 'for a while', password]) {
    const ran = await runScript(script, url, { variables: { role, password: given, ...variables } });
    expect(ran).toMatchObject({ status: 0, stdout: expect.stringMatching(/^role .+\n$/) });
    stderr = ran.stderr;
  }
  return stderr;
}

/** Before PostgreSQL 15, everybody may create tables in schema public, until that is taken away. */
async function harden(url: string, server: Superuser): Promise<void> {
  const superuser = await connectTo(server.superuserUrl(new URL(url).pathname.slice(1)));
  await superuser.query('revoke create on schema public from public');
  const owner = decodeURIComponent(new URL(url).username);
  await superuser.query(`grant create on schema public to ${superuser.escapeIdentifier(owner)}`);
  await superuser.end();
}

interface Databases {
  readonly source: string;
  readonly warehouse: string;
}

/** The superuser's, to whom all belongs; or of one who may make roles, has databases of his own, and is none. */
async function databases(of: 'superuser' | 'owner', server: Superuser): Promise<Databases> {
  const admin = of === 'owner' ? await freshAdmin(server) : null;
  const make = async () => (admin ? databaseOf(admin, server) : freshDatabase('roles', server));
  const made = { source: await make(), warehouse: await make() };
  for (const url of Object.values(made)) await harden(url, server);
  return made;
}

interface Logins {
  readonly reader: Login;
  readonly loader: Login;
  readonly analyst: Login;
  /** Made when the warehouse is loaded. */
  readonly late: Login;
}

/** To be called before the databases are made. */
function freshLogins(server: Superuser): Logins {
  const fresh = (kind: string) => freshLogin(kind, server);
  return { reader: fresh('reader'), loader: fresh('loader'), analyst: fresh('analyst'), late: fresh('late') };
}

async function expectRuns(argv: readonly string[], environment: Readonly<Record<string, string>>): Promise<void> {
  expect(await runMain(argv, environment)).toMatchObject({ status: 0, stderr: '' });
}

/** Makes the roles, loads two batches as them, and holds each to what it may. */
async function holdToWork({ source, warehouse }: Databases, logins: Logins, schema: string): Promise<void> {
  const { reader, loader, analyst, late } = logins;
  const owner = await connectTo(source);
  await generateTotesys(owner, { orders: 40, seed: 7 });
  expect(await warningsOf('source-reader', source, reader)).toBe('');
  expect(await warningsOf('warehouse-loader', warehouse, loader, { schema })).toBe('');
  const toAnalyst = { loader: loader.name, schema };
  expect(await warningsOf('warehouse-analyst', warehouse, analyst, toAnalyst)).toBe('');

  const environment = {
    SOURCE_URL: urlOf(source, reader),
    WAREHOUSE_URL: urlOf(warehouse, loader),
    WAREHOUSE_SCHEMA: schema,
    LAKE_DIR: await temporaryDirectory(),
  };
  for (const command of ['init', 'run']) await expectRuns([command], environment);
  await liveOneDay(owner, { seed: 7 });
  for (const command of ['run', 'status', 'compare']) await expectRuns([command], environment);
  await owner.query('create table later (later_id int primary key)');

  await expectReadsOnly(await connectTo(urlOf(source, reader)));
  const asks = await asAnalyst(warehouse, analyst, schema);
  await expectAsksOnly(asks);
  await expectSeesWhatComes(await connectTo(urlOf(warehouse, loader)), asks, schema);

  expect(await warningsOf('warehouse-loader', warehouse, loader, { schema })).toBe('');
  for (const login of [analyst, late]) {
    expect(await warningsOf('warehouse-analyst', warehouse, login, toAnalyst)).toBe('');
    await expectAsksOnly(await asAnalyst(warehouse, login, schema));
  }
  const loads = await connectTo(urlOf(warehouse, loader));
  await expectLoadsOnly(loads);
  // What a later version keeps books in is not for analysts by itself.
  await loads.query('create table pipeline.more ()');
  for (const login of [analyst, late]) {
    await expectDenied(await asAnalyst(warehouse, login, schema), ['select from pipeline.more']);
  }
}

/** Loads as the superuser first, which an analyst cannot read, and then as the loader. */
async function takeOver({ source, warehouse }: Databases, logins: Logins, server: Superuser): Promise<void> {
  const { reader, loader, analyst } = logins;
  const owner = await connectTo(source);
  await generateTotesys(owner, { orders: 40, seed: 7 });
  expect(await warningsOf('source-reader', source, reader)).toBe('');
  const LAKE_DIR = await temporaryDirectory();
  await expectRuns(['run'], { SOURCE_URL: source, WAREHOUSE_URL: warehouse, LAKE_DIR });
  const superuser = await connectTo(server.superuserUrl(new URL(warehouse).pathname.slice(1)));
  await superuser.query('create table dim_customer (); create view current_weather as select');

  const { name: role, password } = loader;
  const toAnalyst = { loader: role };
  expect(await runScript('warehouse-loader', warehouse, { variables: { role, password } })).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^took over from \w+: 19 tables and views\nrole .*, once it owns those above/),
  });
  expect(await warningsOf('warehouse-loader', warehouse, loader)).toMatch(
    /^[^\n]*public.current_weather belongs to \w+; if it is Starling's: .*\n[^\n]*public.dim_customer belongs to .*\n$/,
  );
  const theirs = 'select count(*) from pg_class where relname ~ $$^(dim_customer|current_weather)$$';
  expect(await countOf(superuser, `${theirs} and relowner = current_user::regrole`)).toBe(2);
  expect(await warningsOf('warehouse-analyst', warehouse, analyst, toAnalyst)).toBe('');
  await liveOneDay(owner, { seed: 7 });
  const environment = { SOURCE_URL: urlOf(source, reader), WAREHOUSE_URL: urlOf(warehouse, loader), LAKE_DIR };
  for (const command of ['run', 'compare']) await expectRuns([command], environment);
  await expectAsksOnly(await asAnalyst(warehouse, analyst, 'public'));
}

async function asAnalyst(url: string, login: Login, schema: string): Promise<Client> {
  const client = await connectTo(urlOf(url, login));
  await client.query(`set search_path = ${client.escapeIdentifier(schema)}`);
  return client;
}

describe.runIf(hasPsql()).each(SERVERS)('on PostgreSQL $major', ({ major, binariesDirectory }) => {
  let server: Superuser = testServer;
  beforeAll(async () => {
    if (binariesDirectory !== '') server = await ownServer({ binariesDirectory });
  });

  test('the roles that a superuser makes can do their work and nothing else', async () => {
    const logins = freshLogins(server);
    const place = await databases('superuser', server);
    await expect(holdToWork(place, logins, 'public')).resolves.toBeUndefined();
  });

  // Before PostgreSQL 15, who owns a database does not own its schema public.
  test.each(['the "star"', ...(major < 15 ? [] : ['public'])])(
    "so can those that the databases' owner makes, who is no superuser, with the star in schema %s",
    async (schema) => {
      const logins = freshLogins(server);
      const place = await databases('owner', server);
      await expect(holdToWork(place, logins, schema)).resolves.toBeUndefined();
    },
  );

  test('a warehouse that a superuser has loaded becomes the loader\'s, and nothing else does', async () => {
    const logins = freshLogins(server);
    const place = await databases('superuser', server);
    await expect(takeOver(place, logins, server)).resolves.toBeUndefined();
  });

  test.each(major < 15 ? ['public'] : [])('an owner who does not own schema %s is told what to do', async () => {
    const { reader, loader, analyst } = freshLogins(server);
    const admin = await freshAdmin(server);
    const url = await databaseOf(admin, server);
    const everybody = 'if nobody needs that: revoke create on schema public from public';
    expect(await warningsOf('source-reader', url, reader)).toContain(everybody);
    const stays = /WARNING: +schema public belongs to \w+, .*; it will do/;
    expect(await warningsOf('warehouse-loader', url, loader)).toMatch(stays);
    expect(await warningsOf('warehouse-analyst', url, analyst, { loader: loader.name })).toContain(everybody);
    await expectRuns(['init'], { WAREHOUSE_URL: urlOf(url, loader) });

    await harden(url, server);
    const variables = { role: loader.name };
    const refused = await runScript('warehouse-loader', url, { variables });
    const stderr = expect.stringMatching(/ERROR: .*give Starling a schema of its own/);
    expect(refused).toMatchObject({ status: 3, stderr });
  });
});
