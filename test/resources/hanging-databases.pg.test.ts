/** Networks that hang without closing, between Starling and its databases. */

import { beforeAll, describe, expect, test } from 'vitest';
import { runPipeline } from '../../src/cli/pipeline.ts';
import { initialise } from '../../src/load/load.ts';
import { ingestionEntrySchema } from '../../src/shared/lake/entries.ts';
import { Log } from '../../src/shared/lake/log.ts';
import { close, connect } from '../../src/shared/postgres/client.ts';
import { type BlackHole, blackHoleTo, DEAF, type Hole, through } from '../support/black-hole.ts';
import { freshDatabase } from '../support/postgres.ts';
import { contextOf, countOf, freshPlace, type Place, rowsOf, type Template, totesysTemplate } from '../support/totesys.ts';
import { expectExact } from '../processes/warehouses.ts';

let template: Template;
beforeAll(async () => {
  template = await totesysTemplate();
});

async function networkTo(url: string): Promise<BlackHole> {
  return blackHoleTo(Number(new URL(url).port));
}

describe('a server that takes the connection and says nothing', () => {
  test.each([
    ['from the beginning', DEAF, ''],
    ['when it is asked for TLS', DEAF, '&sslmode=verify-full'],
    ['when it is asked for TLS, which the client would do without', DEAF, '&sslmode=prefer'],
    ['in the middle of the login', { when: /SCRAM/, passes: 'the request' } satisfies Hole, ''],
    ['when the session is set up', { when: /set_config/, passes: 'the request' } satisfies Hole, ''],
  ])('%s is unreachable within the time-outs', async (_when, hole, more) => {
    const url = await freshDatabase('hanging');
    const network = await networkTo(url);
    network.hole = hole;
    const hanging = connect('source', through(url, network, `?connect_timeout=1&silence_timeout=1${more}`), { TimeZone: 'UTC' });
    await expect(hanging).rejects.toMatchObject({
      kind: 'source_unreachable', message: expect.stringMatching(/timeout expired|nothing came/),
    });
    expect(network.swallowed()).toBeGreaterThan(0);
  });
});

describe('a connection that is open', () => {
  test('is not cut while what is waited for takes long but something comes and goes', async () => {
    const client = await connect('source', `${await freshDatabase('slow')}?silence_timeout=4`, { TimeZone: 'UTC' });
    for (let turn = 0; turn < 5; turn += 1) expect(await client.query('select pg_sleep(1)')).toHaveProperty('rowCount', 1);
    await close(client);
  });

  test('is cut, with a clear message, when a statement brings nothing for longer than the time-out', async () => {
    const client = await connect('source', `${await freshDatabase('slow')}?silence_timeout=1`, { TimeZone: 'UTC' });
    await expect(client.query('select pg_sleep(60)')).rejects.toMatchObject({
      code: 'ETIMEDOUT', message: 'nothing came from the server and nothing went to it for 1 s',
    });
    await close(client);
  });
});

/** Longer than any statement of these takes on a slow machine. */
const TIMEOUTS = '?connect_timeout=6&silence_timeout=6';

const COMMIT = /Q\0\0\0.commit/s;

const SOURCE: Readonly<Record<string, Hole>> = {
  'before the snapshot': { when: /begin isolation/, passes: 'nothing' },
  'when a table is asked for': { when: /copy \(select/, passes: 'the request' },
  'in the middle of a table': { when: /copy \(select .*sales_order/, passes: { answerBytes: 3_000 } },
  'at the end of the transaction': { when: COMMIT, passes: 'the request' },
};

const WAREHOUSE: Readonly<Record<string, Hole>> = {
  'when the ledger is asked for': { when: /from pipeline\.ledger/, passes: 'nothing' },
  'when the batch is claimed': { when: /insert into pipeline\.ledger/, passes: 'the request' },
  'when rows are to be sent': { when: /copy .*from stdin/, passes: 'the request' },
  'behind the first rows': { when: /PGCOPY/, passes: 'nothing' },
  'before the commit': { when: COMMIT, passes: 'nothing' },
  'behind the commit': { when: COMMIT, passes: 'the request' },
};

const HANGING = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'starling' and datname = current_database()";

/** As the server does by itself, after minutes: by its keepalives, or by `idle_in_transaction_session_timeout`. */
async function serverNotices({ source, warehouse }: Place): Promise<void> {
  for (const client of [source, warehouse]) await client.query(HANGING);
}

async function runAgain(place: Place): Promise<void> {
  await serverNotices(place);
  expect(await runPipeline(contextOf(place))).toEqual([]);
  expect(await countOf(place.warehouse, 'select count(*) from fact_sales_order')).toBe(120);
  await expectExact(place);
}

const unreachable = (side: string, stage: string) => ({
  kind: `${side}_unreachable`, message: expect.stringContaining('nothing came'), context: { stage },
});

describe('a network that hangs', () => {
  test('while the source is read, wherever that is, ends the run, commits nothing, and the next one carries on', async () => {
    await Promise.all(Object.entries(SOURCE).map(async ([when, hole]) => {
      const place = await freshPlace(template);
      const network = await networkTo(place.sourceUrl);
      network.hole = hole;
      const context = contextOf(place, { sourceUrl: through(place.sourceUrl, network, TIMEOUTS) });
      const errors = await runPipeline(context);
      expect([when, errors, network.swallowed()]).toMatchObject([when, [unreachable('source', 'ingest')], 1]);
      expect(await new Log(context.ingestion, ingestionEntrySchema).head()).toBe(0);
      await runAgain(place);
    }));
  });

  test('while the warehouse is loaded, wherever that is, ends the run, nothing is half loaded, and the next one carries on', async () => {
    await Promise.all(Object.entries(WAREHOUSE).map(async ([when, hole]) => {
      const place = await freshPlace(template);
      await initialise(contextOf(place));
      const network = await networkTo(place.warehouseUrl);
      network.hole = hole;
      const errors = await runPipeline(contextOf(place, { warehouseUrl: through(place.warehouseUrl, network, TIMEOUTS) }));
      expect([when, errors, network.swallowed()]).toMatchObject([when, [unreachable('warehouse', 'load')], 1]);
      // In a first load whoever reads the empty fact waits for the end of the transaction, and that is when the server notices.
      await serverNotices(place);
      const loaded = await rowsOf(place.warehouse, 'select (select count(*) from pipeline.ledger), (select count(*) from fact_sales_order)');
      expect([when, loaded]).toEqual([when, [when === 'behind the commit' ? ['1', '120'] : ['0', '0']]]);
      await runAgain(place);
    }));
  });
});
