import { deepStrictEqual } from 'node:assert';
import type { S3Client } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, test } from 'vitest';
import { randomFrom } from '../../src/local/totesys/random.ts';
import { type Fault, type FaultProxy, type Request, startFaultProxy } from '../support/fault-proxy.ts';
import { startMoto } from '../support/moto.ts';
import { afterwards, connectTo, temporaryDirectory } from '../support/postgres.ts';
import { freshBucket, testS3Client } from '../support/s3.ts';
import { type Ground, openDatabase, startGround } from './ground.ts';
import { type Done, type Job, modelNamed, runJob } from './job.ts';
import { httpFaults, REQUEST_FAULTS } from './s3.ts';
import { MARKET_SCENARIOS } from './scenarios.ts';
import { readState, Rewindable, type State } from './warehouse.ts';

const moto = await startMoto();

/** A kind of request: its method, and where it goes to in the bucket, without what is drawn at random. */
function kindOf({ method, url }: Request): string {
  const [path = '', query = ''] = url.split('?');
  const [, , root = '', place = ''] = path.split('/');
  const listed = new URLSearchParams(query).get('prefix');
  return `${method} ${root}${root === 'state' ? `/${place}` : ''}${listed === null ? '' : `list ${listed}`}`;
}

interface Scene {
  readonly proxy: FaultProxy;
  readonly client: S3Client;
  readonly warehouse: Rewindable;
  readonly urls: Pick<Job, 'sourceUrl' | 'warehouseUrl'>;
}

async function sceneOf(ground: Ground, endpoint: string): Promise<Scene> {
  const proxy = await startFaultProxy(endpoint);
  afterwards(proxy.stop);
  const source = await openDatabase(ground.sources, 'source_s3');
  await MARKET_SCENARIOS[0]?.change?.(source.client);
  await source.client.end();
  const { url: warehouseUrl, client } = await openDatabase(ground.warehouses, 'warehouse_s3');
  await client.end();
  const warehouse = new Rewindable(await connectTo(warehouseUrl));
  await warehouse.client.query("set timezone = 'UTC'");
  return { proxy, client: testS3Client(endpoint), warehouse, urls: { sourceUrl: source.url, warehouseUrl } };
}

/** A lake of two new buckets and a warehouse that is empty again; what `run` is given happens to its requests. */
async function fresh({ proxy, client, warehouse, urls }: Scene) {
  await warehouse.rewind();
  const lake = { endpoint: proxy.endpoint, ingestion: await freshBucket(client), processed: await freshBucket(client) };
  const job: Job = {
    ...urls, lake, stages: ['ingest', 'transform', 'load'], model: 'market', now: '2031-03-05T12:00:00.000Z',
    whole: false, waitForLoader: null, inRanges: false, plan: null,
  };
  const run = async (fault: (request: Request) => Fault | null): Promise<Done> => {
    proxy.fault = fault;
    return runJob(job, () => undefined);
  };
  const state = async (): Promise<State> => readState(warehouse.client, modelNamed('market'));
  return { run, state };
}

/** Which fault befalls which kind of request is left to chance. */
const random = randomFrom(Date.now(), 'http');

describe.runIf(moto)('a fault of the network to S3', () => {
  let scene: Scene;
  let undisturbed: State;
  let kinds: readonly string[];

  beforeAll(async () => {
    if (!moto) return;
    afterwards(moto.stop);
    const ground = await startGround(await temporaryDirectory());
    afterwards(ground.clear);
    scene = await sceneOf(ground, moto.endpoint);
    const { run, state } = await fresh(scene);
    const before = scene.proxy.requests.length;
    deepStrictEqual((await run(() => null)).failures, []);
    kinds = [...new Set(scene.proxy.requests.slice(before).map(kindOf))];
    undisturbed = await state();
  });

  test('that befalls one request, of any kind, is not noticed', async () => {
    expect(kinds.length).toBeGreaterThan(8);
    for (const kind of kinds) {
      const { run, state } = await fresh(scene);
      const fault = random.pick(httpFaults(kind.split(' ')[0] ?? ''));
      let isLeft = true;
      const { failures } = await run((request) => {
        if (!isLeft || kindOf(request) !== kind) return null;
        isLeft = false;
        return fault;
      });
      expect({ kind, fault, failures, state: await state() }).toEqual({ kind, fault, failures: [], state: undisturbed });
    }
  }, 300_000);

  test('that befalls all requests of a kind fails at worst: the next run ends as if there had been none', async () => {
    for (const kind of kinds) {
      const { run, state } = await fresh(scene);
      // Not answers that break off: each brings a few bytes, and the download goes on behind them for as long as it takes.
      const fault = random.pick(REQUEST_FAULTS);
      const { failures: before } = await run((request) => (kindOf(request) === kind ? fault : null));
      const { failures } = await run(() => null);
      const bugs = before.filter((failure) => failure.kind === 'bug');
      expect({ kind, fault, bugs, failures, state: await state() }).toEqual({ kind, fault, bugs: [], failures: [], state: undisturbed });
    }
  }, 300_000);
});
