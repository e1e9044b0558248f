import { readFile } from 'node:fs/promises';
import type { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { connectTo, freshDatabase, ownServer, testServer } from '../support/postgres.ts';
import { rowsOf } from '../support/totesys.ts';
import { databaseOf, freshAdmin, freshLogin, hasPsql, type Login, runScript, type Script, urlOf } from './psql.ts';

const SCRIPTS: readonly Script[] = ['source-reader', 'warehouse-loader', 'warehouse-analyst'];
const HOSTILE = `it's "a\\ $1 :role %s; drop`;

async function login(url: string, login: Login): Promise<string> {
  return (await rowsOf(await connectTo(urlOf(url, login)), 'select current_user'))[0]?.[0] ?? '';
}

async function superuserOf(url: string): Promise<Client> {
  return connectTo(testServer.superuserUrl(new URL(url).pathname.slice(1)));
}

/** As much of Starling's as tells where the star is. */
const LEDGER = `
  create table pipeline.ledger (counts jsonb);
  comment on table pipeline.ledger is 'Starling: which batches the star holds that is in schema public'`;

/** What the loader's script says is to be run, with when. */
function statementsIn(stderr: string): readonly string[] {
  return [...stderr.matchAll(/[^;]+: alter table \S+ owner to \S+/g)].map(([statement]) => statement.trim());
}

interface Place {
  readonly url: string;
  /** What the script has to be told beside role and password. */
  readonly variables: Readonly<Record<string, string>>;
}

/** A database, of `admin` if one is given, and a loader, for the script that has to know one. */
async function placeFor(script: Script, admin?: Login): Promise<Place> {
  const { name: role, password } = freshLogin('loader');
  const url = admin ? await databaseOf(admin) : await freshDatabase('scripts');
  if (script !== 'warehouse-analyst') return { url, variables: {} };
  expect(await runScript('warehouse-loader', url, { variables: { role, password } })).toMatchObject({ status: 0 });
  return { url, variables: { loader: role } };
}

describe.runIf(hasPsql()).each(SCRIPTS)('sql/%s.sql', (script) => {
  test('takes any name and any password, and never shows the password', async () => {
    const plain = freshLogin(`${script} "quoted" 'name' 100%s %I \\ :x`);
    const hostile = { ...plain, password: HOSTILE };
    const { url, variables: others } = await placeFor(script);
    const variables = { ...others, role: hostile.name, password: HOSTILE };
    // All that psql can be asked to show.
    const ran = await runScript(script, url, { variables, flags: ['-a', '-e', '-E'] });
    expect(ran).toMatchObject({ status: 0, stderr: '' });
    expect(ran.stdout + ran.stderr).not.toMatch(/it's|it''s/);
    expect(await login(url, hostile)).toBe(hostile.name);
  });

  test('changes the password when it is run again, and keeps it when it is told none', async () => {
    const first = freshLogin('role');
    const { url, variables: others } = await placeFor(script);
    const variables = { ...others, role: first.name };
    const second = { ...first, password: 'another' };
    const run = async (password: string, environment = {}) =>
      runScript(script, url, { variables: { ...variables, ...(password && { password }) }, environment });
    expect(await run(first.password)).toMatchObject({ status: 0, stderr: '' });
    expect(await run(second.password)).toMatchObject({ status: 0, stderr: '' });
    await expect(login(url, first)).rejects.toMatchObject({ code: '28P01' });
    expect(await run('')).toMatchObject({ status: 0, stderr: '' });
    expect(await login(url, second)).toBe(first.name);
    expect(await run('', { NEW_PASSWORD: `${HOSTILE}\n` })).toMatchObject({ status: 0, stderr: '' });
    expect(await login(url, { ...first, password: HOSTILE })).toBe(first.name);
  });

  test('makes no role without a password, and nothing of an administrator', async () => {
    const admin = await freshAdmin();
    const other = await freshAdmin();
    const { name: role } = freshLogin('role');
    const { url, variables: others } = await placeFor(script, admin);
    const variables = { ...others, role };
    const refused = async (changes: Readonly<Record<string, string>>) => {
      const { status, stdout, stderr } = await runScript(script, url, { variables: { ...variables, ...changes } });
      expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
      return stderr;
    };
    expect(await refused({})).toContain(`${role} is to be made: give it a password (NEW_PASSWORD=… in the environment`);
    expect(await refused({ role: admin.name, password: 'stolen' })).toContain('is who runs this script');
    expect(await refused({ role: other.name, password: 'stolen' })).toContain('may administer the server');
    expect(await refused({ role: 'postgres', password: 'stolen' })).toContain('may administer the server');
    expect(await login(url, admin)).toBe(admin.name);
    expect(await login(url, other)).toBe(other.name);
  });

  test('leaves nothing behind when it fails', async () => {
    const { name: role, password } = freshLogin('role');
    const { url, variables } = await placeFor(script, await freshAdmin());
    const superuser = await superuserOf(url);
    await superuser.query('create schema hers');
    const ran = await runScript(script, url, { variables: { ...variables, role, password, schema: 'hers' } });
    expect(ran).toMatchObject({ status: 3, stdout: '' });
    expect(ran.stderr).not.toContain(password);
    expect(await rowsOf(superuser, `select from pg_roles where rolname = '${role}'`)).toEqual([]);
  });
});

describe.runIf(hasPsql())('what the scripts tell', () => {
  test("a superuser's run leaves no password in the server's log, and no failure shows it", async () => {
    const settings = { log_statement: 'all', log_min_duration_statement: 0, log_min_error_statement: 'info' };
    const server = await ownServer({ settings });
    const { name: role, password } = freshLogin('reader', server, 'not for the log');
    const url = await freshDatabase('logged', server);
    const run = async (name: string) =>
      runScript('source-reader', url, { variables: { role: name, password }, flags: ['-b'] });
    expect(await run(role)).toMatchObject({ status: 0, stderr: '' });
    const failed = await run('pg_reserved');
    expect(failed).toMatchObject({ status: 3, stderr: expect.stringContaining('reserved') });
    expect(failed.stderr).not.toContain(password);
    const log = await readFile(server.logPath, 'utf8');
    expect(log).toContain('pg_catalog, pg_temp');
    expect(log).not.toContain(password);
  });

  test('an owner whose later tables the reader would not see is named', async () => {
    const { name: role, password } = freshLogin('reader');
    const [admin, other] = [await freshAdmin(), await freshAdmin()];
    const url = await databaseOf(admin);
    const superuser = await superuserOf(url);
    await superuser.query(`
      create table theirs ();
      alter table theirs owner to ${other.name};
      grant select on theirs to ${admin.name} with grant option`);
    const { status, stderr } = await runScript('source-reader', url, { variables: { role, password } });
    expect(status).toBe(0);
    const statement = `alter default privileges in schema public grant select on tables to ${role}`;
    expect(stderr).toContain(`until ${other.name} runs: ${statement}`);
    expect(await rowsOf(superuser, `select has_table_privilege('${role}', 'theirs', 'select')`)).toEqual([['true']]);
  });

  test('tables that may be Starling\'s are named and left alone, and the loader is not said to load yet', async () => {
    const { name: role, password } = freshLogin('loader');
    const url = await freshDatabase('before');
    const superuser = await connectTo(url);
    await superuser.query('create schema pipeline; create table pipeline.ledger (); create table dim_date ()');
    const ran = await runScript('warehouse-loader', url, { variables: { role, password } });
    expect(ran).toMatchObject({ status: 0, stdout: expect.stringMatching(/, once it owns those above .*\n$/) });
    const statements = statementsIn(ran.stderr);
    expect(statements).toEqual([
      `if it is Starling's: alter table pipeline.ledger owner to ${role}`,
      `if it is Starling's: alter table public.dim_date owner to ${role}`,
    ]);
    for (const statement of statements) await superuser.query(statement.slice(statement.indexOf('alter')));
    const stdout = expect.stringMatching(/^role \S+ loads schema public of database \S+\n$/);
    const again = await runScript('warehouse-loader', url, { variables: { role } });
    expect(again).toMatchObject({ status: 0, stdout, stderr: '' });
  });

  test('an administrator who may not give the loader its tables is told that it does not load yet', async () => {
    const { name: role, password } = freshLogin('loader');
    const analyst = freshLogin('analyst');
    const admin = await freshAdmin();
    const url = await databaseOf(admin);
    const superuser = await superuserOf(url);
    await superuser.query(`create schema pipeline authorization ${admin.name}; ${LEDGER}; create table dim_date ()`);
    const ran = await runScript('warehouse-loader', url, { variables: { role, password } });
    expect(ran).toMatchObject({ status: 3, stdout: '' });
    expect(ran.stderr).toMatch(new RegExp(`ERROR: +${role} does not load schema public yet`));
    const statements = statementsIn(ran.stderr);
    expect(statements).toEqual([
      `Starling needs: alter table pipeline.ledger owner to ${role}`,
      `Starling needs: alter table public.dim_date owner to ${role}`,
    ]);
    const [first = '', second = ''] = statements.map((statement) => statement.slice(statement.indexOf('alter')));
    const variables = { role: analyst.name, password, loader: role };
    const asks = async () => runScript('warehouse-analyst', url, { variables });
    await superuser.query(first);
    const hidden = await asks();
    expect(hidden).toMatchObject({ status: 3, stdout: '' });
    expect(hidden.stderr).toContain(`${analyst.name} cannot read public.dim_date, which ${role} does not own`);
    await superuser.query(second);
    expect(await runScript('warehouse-loader', url, { variables: { role } })).toMatchObject({ status: 0, stderr: '' });
    const stdout = expect.stringMatching(/^role \S+ reads schema public, /);
    expect(await asks()).toMatchObject({ status: 0, stdout, stderr: '' });
  });

  test.each(['warehouse-loader', 'warehouse-analyst'] as const)('%s is told where the star is', async (script) => {
    const { name: role, password } = freshLogin('role');
    const { url, variables } = await placeFor(script);
    const superuser = await superuserOf(url);
    const loader = variables['loader'] ?? 'postgres';
    await superuser.query(`
      create schema if not exists pipeline; ${LEDGER}; alter table pipeline.ledger owner to ${loader}`);
    const ran = await runScript(script, url, { variables: { ...variables, role, password, schema: 'star' } });
    expect(ran).toMatchObject({ status: 3, stdout: '' });
    expect(ran.stderr).toContain('this warehouse has its star in schema public');
  });

  test('an analyst is not said to read what is not there yet, and not made where another role has loaded', async () => {
    const { name: role, password } = freshLogin('analyst');
    const { url, variables } = await placeFor('warehouse-analyst');
    const ask = async () => runScript('warehouse-analyst', url, { variables: { ...variables, role, password } });
    const stdout = expect.stringMatching(new RegExp(`will read .*, once ${variables['loader']} has loaded them\n$`));
    expect(await ask()).toMatchObject({ status: 0, stdout, stderr: '' });
    await (await superuserOf(url)).query(LEDGER);
    const refused = await ask();
    expect(refused).toMatchObject({ status: 3, stdout: '' });
    const what = `loaded as postgres, not as ${variables['loader']}: run warehouse-loader.sql first`;
    expect(refused.stderr).toContain(what);
  });

  test('an analyst is not made before there is a loader', async () => {
    const { name: role, password } = freshLogin('analyst');
    const variables = { role, password, loader: 'nobody at all' };
    const ran = await runScript('warehouse-analyst', await freshDatabase('early'), { variables });
    expect(ran).toMatchObject({ status: 3, stdout: '' });
    expect(ran.stderr).toContain('there is no role nobody at all: run warehouse-loader.sql first');
  });
});
