import { readdir } from 'node:fs/promises';
import type { Client } from 'pg';
import { expect, test } from 'vitest';
import { agrees, compare } from '../../src/cli/compare/compare.ts';
import type { PipelineContext } from '../../src/cli/context.ts';
import { printHistory, readHistory } from '../../src/cli/history.ts';
import { createOutput } from '../../src/cli/output.ts';
import { runPipeline } from '../../src/cli/pipeline.ts';
import { quarantine } from '../../src/cli/quarantine.ts';
import { printStatus, readStatus } from '../../src/cli/status.ts';
import { PipelineError } from '../../src/shared/errors.ts';
import type { Model } from '../../src/shared/model/model.ts';
import { Capture } from '../support/cli.ts';
import { connectTo, freshDatabase } from '../support/postgres.ts';
import { FUZZ_TIMEOUT_MS, fuzz } from './fuzzing.ts';
import { declarationsOf, type HostileNames, hostileNames, modelOf, REFUSED, VALUES } from './hostile-models.ts';
import { freshSurroundings, neverSync } from './places.ts';

/** Not Starling's own functions, whose fault it might be. */
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const literal = (value: string): string => `'${value.replaceAll("'", "''")}'`;

interface World {
  readonly names: HostileNames;
  readonly source: Client;
  readonly warehouse: Client;
  readonly context: PipelineContext;
}

async function worldOf(names: HostileNames): Promise<World> {
  const [sourceUrl, warehouseUrl] = [await freshDatabase('hostile source'), await freshDatabase(`hostile' "warehouse`)];
  const [source, warehouse] = [await connectTo(sourceUrl), await connectTo(warehouseUrl)];
  for (const client of [source, warehouse]) await client.query('create table canary (alive text); insert into canary values (\'yes\')');
  const { ingestion, processed } = await freshSurroundings();
  const context = {
    model: modelOf(names, false), sourceUrl, sourceSchema: names.sourceSchema, warehouseUrl, warehouseSchema: names.warehouseSchema,
    ingestion, processed, report: () => undefined, now: () => new Date(), signal: new AbortController().signal, whole: false,
  };
  return { names, source, warehouse, context };
}

async function createSource({ names, source }: World): Promise<void> {
  const { sourceSchema, tables, columns } = names;
  const [place, person, event] = tables.map((name) => `${quoted(sourceSchema)}.${quoted(name)}`);
  const [id, text, to, at, amount, later] = columns.map(quoted);
  await source.query(`set standard_conforming_strings = on; create schema ${quoted(sourceSchema)};
    create table ${place} (${id} int primary key, ${text} text, ${later} text);
    create table ${person} (${id} text primary key, ${text} text, ${to} int);
    create table ${event} (${id} bigint primary key, ${text} text, ${to} text, ${at} timestamptz, ${amount} numeric, ${later} text)`);
  for (const [row, value] of VALUES.entries()) {
    const [v, key] = [literal(value), literal(`${value} ${row}`)];
    await source.query(`insert into ${place} values (${row}, ${v}, ${v}); insert into ${person} values (${key}, ${v}, ${row});
      insert into ${event} values (${row}, ${v}, ${key}, now(), ${row}.25, ${v})`);
  }
}

/** Edits, a value that does not fit, and one that refers to nothing. */
async function editSource({ names, source }: World): Promise<void> {
  const { sourceSchema, tables, columns } = names;
  const [place, , event] = tables.map((name) => `${quoted(sourceSchema)}.${quoted(name)}`);
  const [id, text, to, , amount] = columns.map(quoted);
  await source.query(`update ${place} set ${text} = ${text} || '!' where ${id} < 3; update ${event} set ${text} = 'edited' where ${id} = 1;
    update ${event} set ${amount} = 0.005 where ${id} = 2; update ${event} set ${to} = 'nobody' where ${id} = 3`);
}

async function mendSource({ names, source }: World): Promise<void> {
  const { sourceSchema, tables, columns } = names;
  const [, person, event] = tables.map((name) => `${quoted(sourceSchema)}.${quoted(name)}`);
  const [id, , , , amount] = columns.map(quoted);
  await source.query(`insert into ${person} values ('nobody', 'somebody', 1); update ${event} set ${amount} = 7 where ${id} = 2`);
}

async function ran(context: PipelineContext): Promise<void> {
  const [error] = await runPipeline(context);
  if (error !== undefined) throw error;
}

async function waiting({ warehouse }: World): Promise<readonly string[]> {
  const { rows } = await warehouse.query<{ reason: string }>('select reason from pipeline.quarantine where released_at is null and dropped_at is null order by 1');
  return rows.map(({ reason }) => reason);
}

/** All that the command line can be asked, of the same names. */
async function asked(context: PipelineContext, model: Model): Promise<string> {
  const stdout = new Capture();
  const output = createOutput(false, { stdout, stderr: new Capture() });
  const [fact] = model.facts;
  if (!fact) throw new Error('no fact');
  printStatus(await readStatus(context), context.now(), output);
  for (const id of ['1', '3']) expect(printHistory(fact, await readHistory(context, fact, id), output)).toBe(true);
  await quarantine({ action: 'list', all: true }, context, output);
  await quarantine({ action: 'list', table: fact.name }, context, output);
  await quarantine({ action: 'show', id: '1' }, context, output);
  await quarantine({ action: 'retry', ids: [] }, context, output);
  return stdout.text;
}

async function expectUnharmed({ source, warehouse, context }: World): Promise<void> {
  for (const client of [source, warehouse]) expect((await client.query('select alive from canary')).rows).toEqual([{ alive: 'yes' }]);
  const comparisons = await compare(context);
  expect(comparisons.filter((comparison) => !agrees(comparison))).toEqual([]);
  expect((await readdir(context.ingestion.location)).toSorted()).toEqual(['.incoming', 'bait.csv', 'data', 'log', 'state']);
}

test('names and values that are SQL, paths, patterns and words of JavaScript go all the way, as what they are', { timeout: FUZZ_TIMEOUT_MS }, async () => {
  await neverSync();
  await fuzz('names: pipeline', hostileNames, async (names) => {
    const world = await worldOf(names);
    await createSource(world);
    await ran(world.context);
    await expectUnharmed(world);
    await editSource(world);
    await ran(world.context);
    expect(await waiting(world)).toHaveLength(2);
    expect(await asked(world.context, world.context.model)).toContain('→ edited');
    const grown = { ...world, context: { ...world.context, model: modelOf(names, true) } };
    await mendSource(grown);
    await ran(grown.context);
    expect(await waiting(grown)).toHaveLength(1);
    await expectUnharmed(grown);
  });
});

test.each(REFUSED)('the name %j, which cannot be kept, is refused wherever a model has it', (name, message) => {
  for (const [what, declare] of Object.entries(declarationsOf(name))) {
    const error = thrownBy(declare);
    expect([what, error]).toEqual([what, expect.any(PipelineError)]);
    expect(error).toMatchObject({ kind: 'model', message: expect.stringMatching(message) });
  }
});

test('the declarations that a bad name spoils are right with a good one', () => {
  expect(Object.entries(declarationsOf('good')).map(([what, declare]) => [what, thrownBy(declare)])).toEqual(Object.keys(declarationsOf('good')).map((what) => [what, null]));
});

function thrownBy(work: () => unknown): unknown {
  try {
    work();
    return null;
  } catch (error) {
    return error;
  }
}
