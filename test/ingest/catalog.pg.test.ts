import { beforeAll, describe, expect, test } from 'vitest';
import { describe as described } from '../../src/ingest/catalog.ts';
import { connect } from '../../src/shared/postgres/client.ts';
import { SOURCE_SETTINGS } from '../../src/ingest/session.ts';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import { afterwards } from '../support/postgres.ts';
import { harness, sourceServer } from './harness.ts';
import { SERVERS } from './machine.ts';

const PLAIN = `create table plain (zebra int primary key, "Ant" numeric(10, 2) default 1.5, name varchar(20) not null, at timestamp,
    gone int, sum int generated always as (zebra * 2) stored, flag boolean, of_the_day date);
  alter table plain drop column gone;
  insert into plain (zebra, name) values (1, 'one');
  alter table plain add column late text default 'constant'`;

const NOT_PLAIN: readonly (readonly [what: string, setUp: string])[] = [
  ['a domain', 'create domain amount as int; create table other (id amount)'],
  ['an enum', `create type mood as enum ('sad', 'glad'); create table other (id mood)`],
  ['an array', 'create table other (id int[])'],
  ['a range', 'create table other (id int4range)'],
  ['a composite', 'create type pair as (one int, two text); create table other (id pair)'],
];

describe.each(SERVERS)('on PostgreSQL %s', (_version, binariesDirectory) => {
  let server: Cluster;
  beforeAll(async () => {
    server = await sourceServer(binariesDirectory);
  });

  test.each(NOT_PLAIN)('a table of plain types is described alike with and without %s beside it', async (_what, setUp) => {
    const { url, sql } = await harness(server, `${PLAIN}; ${setUp}`);
    const client = await connect('source', url, SOURCE_SETTINGS);
    afterwards(async () => client.end());
    const oidOf = async (table: string) => (await sql.query<{ oid: string }>(`select '${table}'::regclass::oid::text as oid`)).rows[0]?.oid ?? '';
    const [plain, other] = [await oidOf('plain'), await oidOf('other')];
    const columns = ['zebra', 'Ant', 'name', 'at', 'sum', 'flag', 'of_the_day', 'late'];
    const alone = (await described(client, new Map([[plain, columns]]))).get(plain);
    const beside = await described(client, new Map([[plain, columns], [other, ['id']]]));
    expect([...(alone?.columns ?? [])]).toEqual([...(beside.get(plain)?.columns ?? [])]);
    expect([...(alone?.columns.keys() ?? [])]).toEqual(columns);
    expect(beside.get(plain)).toEqual(alone);
    await sql.query('alter table plain alter column late set default 7');
    expect((await described(client, new Map([[plain, columns]]))).get(plain)?.fingerprint).not.toBe(alone?.fingerprint);
  });
});
