import { beforeAll, describe, expect, test } from 'vitest';
import { undeclaredGauge, undeclaredDetail, undeclaredNews } from '../../src/ingest/undeclared.ts';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import { int } from '../../src/shared/model/column.ts';
import { table } from '../../src/shared/model/table.ts';
import { recorded } from '../../src/shared/stage.ts';
import { readState } from '../../src/shared/lake/state.ts';
import { harness, type Harness, sourceServer } from './harness.ts';
import { roleUrl } from './roles.ts';

const item = table('item', { item_id: int().key() });
const NOW = () => new Date();
const NOTHING = { stage: 'ingest', batches: 0, head: 1, isUpToDate: true } as const;

let server: Cluster;
beforeAll(async () => {
  server = await sourceServer();
});

/** As the command line and the function run it: with a state. */
async function look(source: Harness): Promise<{ readonly names: unknown; readonly count: number }> {
  const result = await recorded('ingest', source.lake, NOW, async () => source.ingest());
  const state = await readState(source.lake, 'ingest');
  return { names: state?.detail?.['undeclared_names'], count: undeclaredGauge(result).Undeclared ?? 0 };
}

const told = (source: Harness) => source.events.flatMap(({ event, message }) => (event === 'warning' ? [message] : []));

describe('what the source has and nobody declared', () => {
  test('is counted and named at each look, and told once', async () => {
    const source = await harness(server, 'create table item (item_id int); insert into item values (1)', item);
    expect(await look(source)).toEqual({ names: undefined, count: 0 });
    await source.sql.query('alter table item add column colour text; create table "Audit, old" (id int)');
    const names = 'item.colour, table Audit, old';
    expect(await look(source)).toEqual({ names, count: 2 });
    expect(await look(source)).toEqual({ names, count: 2 });
    expect(told(source)).toEqual([`the source has what the model does not declare: ${names}`]);
    await source.sql.query('alter table item drop column colour');
    expect(await look(source)).toEqual({ names: 'table Audit, old', count: 1 });
    await source.sql.query('drop table "Audit, old"');
    expect(await look(source)).toEqual({ names: undefined, count: 0 });
  });

  test('is not what belongs to a table that is declared, or to another schema, or is no table', async () => {
    const source = await harness(server, `
      create table item (item_id int) partition by list (item_id);
      create table one partition of item for values in (1);
      create view seen as select * from item; create sequence numbers; create index on item (item_id);
      create schema elsewhere; create table elsewhere.thing (id int)`, item);
    expect(await look(source)).toEqual({ names: undefined, count: 0 });
  });

  test('is found by a user who may not read it', async () => {
    const source = await harness(server, 'create table item (item_id int); create table other (id int)', item);
    const sourceUrl = await roleUrl(source, 'grant select on item to');
    expect(undeclaredGauge(await source.ingest({ sourceUrl }))).toEqual({ Undeclared: 1 });
  });
});

test('a name that would make a terminal do things is shown escaped', () => {
  const detail = undeclaredDetail({ columns: ['item.\u001B[2J\nbatch 7'], tables: [] });
  expect(detail['undeclared_names']).toBe('"item.\\u001b[2J\\nbatch 7"');
});

test('of very many only the first are named', () => {
  const tables = Array.from({ length: 120 }, (_, at) => `t${at}`);
  const detail = undeclaredDetail({ columns: ['item.a'], tables });
  expect(undeclaredGauge({ ...NOTHING, detail })).toEqual({ Undeclared: 121 });
  expect(undeclaredGauge(NOTHING)).toEqual({});
  expect(detail['undeclared_names']).toMatch(/^item\.a, table t0, .*, table t48, and 71 more$/);
  expect(undeclaredNews(detail, null)).toContain('and 71 more');
});
