import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { RangeQueue } from '../../../src/shared/aws/range-queue.ts';
import type { RangeRef } from '../../../src/shared/lake/split.ts';
import { bytesOf } from '../../support/forward.ts';
import { startMoto } from '../../support/moto.ts';
import { afterwards } from '../../support/postgres.ts';
import { freshQueues } from '../../support/queue.ts';
import { awsEnvironment } from '../../support/secrets.ts';

const moto = await startMoto();
if (moto) afterwards(() => moto.stop());

const ATTEMPT = '0b6f2f6e-6a5e-4d57-9a55-3a7f6a1d9f10';
const byRange = ({ range }: RangeRef, other: RangeRef): number => range - other.range;
const refs = (count: number): readonly RangeRef[] => Array.from({ length: count }, (_, range) => ({ batch: 7, attempt: ATTEMPT, range }));

beforeEach(() => {
  for (const [name, value] of Object.entries(awsEnvironment(moto ?? { endpoint: '' }))) vi.stubEnv(name, value);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

async function scene() {
  if (!moto) throw new Error('no moto');
  const { ranges, deadLetters } = await freshQueues(moto);
  return { ranges, deadLetters, queue: new RangeQueue(ranges.url) };
}

describe.runIf(moto)('the queue of ranges', () => {
  test('takes any number of ranges, and each is one message', async () => {
    const { ranges, queue } = await scene();
    await queue.send(refs(23));
    const bodies: string[] = [];
    for (let event = await ranges.receive(10); event; event = await ranges.receive(10)) bodies.push(...event.Records.map(({ body }) => body));
    expect(bodies.map((body): RangeRef => JSON.parse(body)).toSorted(byRange)).toEqual(refs(23));
  });

  test('is busy while a range waits or is with somebody, and not before and after', async () => {
    const { ranges, queue } = await scene();
    expect(await queue.isBusy()).toBe(false);
    await queue.send(refs(1));
    expect(await queue.isBusy()).toBe(true);
    const event = await ranges.receive();
    if (!event) throw new Error('nothing came');
    expect(await ranges.counts()).toEqual({ waiting: 0, hidden: 1 });
    expect(await queue.isBusy()).toBe(true);
    await ranges.settle(event, { batchItemFailures: [] });
    expect(await queue.isBusy()).toBe(false);
  });

  test('lets a message come back when it is told, and puts it aside after five deliveries', async () => {
    const { ranges, deadLetters, queue } = await scene();
    await queue.send(refs(1));
    for (let delivery = 1; delivery <= 5; delivery += 1) {
      const event = await ranges.receive();
      expect(await ranges.receive()).toBeNull();
      await queue.hide(event?.Records[0]?.receiptHandle ?? '', 0);
    }
    expect(await ranges.receive()).toBeNull();
    expect((await deadLetters.receive())?.Records.map(({ body }) => JSON.parse(body))).toEqual(refs(1));
  });

  test('that is not there is a mistake in the settings', async () => {
    const { queue } = await scene().then(({ ranges }) => ({ queue: new RangeQueue(`${ranges.url}-gone`) }));
    await expect(queue.send(refs(1))).rejects.toMatchObject({ kind: 'config', context: { batch: 7 } });
    await expect(queue.isBusy()).rejects.toMatchObject({ kind: 'config' });
  });

  test('that does not answer is tried again, and then unavailable', async () => {
    const { queue } = await scene();
    // The port where nobody listens.
    vi.stubEnv('AWS_ENDPOINT_URL', 'http://127.0.0.1:9');
    await expect(queue.send(refs(1))).rejects.toMatchObject({ kind: 'queue_unavailable', retry: 'soon', context: { batch: 7 } });
  });
});

/** An SQS that answers what it is told to, and keeps what it was asked. */
async function sqsThat(answer: (asked: { Entries?: readonly { Id: string }[] }) => { status: number; body: object }) {
  const asked: { Entries?: readonly { Id: string }[] }[] = [];
  const server = createServer((incoming, response) => {
    void (async () => {
      const request = JSON.parse((await bytesOf(incoming)).toString('utf8'));
      asked.push(request);
      const { status, body } = answer(request);
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body));
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  afterwards(async () => {
    server.close().closeAllConnections();
  });
  const address = server.address();
  const endpoint = `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`;
  for (const [name, value] of Object.entries(awsEnvironment({ endpoint }))) vi.stubEnv(name, value);
  return { asked, queue: new RangeQueue('https://sqs.eu-west-2.amazonaws.com/123456789012/starling-load-ranges') };
}

const refused = (Id: string) => ({ Id, Code: 'InternalError', SenderFault: false });

describe('an SQS', () => {
  test('that takes some messages of a call gets the others again', async () => {
    let calls = 0;
    const { asked, queue } = await sqsThat(({ Entries = [] }) => {
      calls += 1;
      const ids = Entries.map(({ Id }) => Id);
      return calls === 1 ? { status: 200, body: { Successful: [], Failed: ids.slice(0, 3).map(refused) } } : { status: 200, body: { Successful: [], Failed: [] } };
    });
    await queue.send(refs(5));
    expect(asked.map(({ Entries = [] }) => Entries.length)).toEqual([5, 3]);
  });

  test('that goes on refusing some is unavailable', async () => {
    const { asked, queue } = await sqsThat(({ Entries = [] }) => ({ status: 200, body: { Successful: [], Failed: Entries.slice(0, 1).map(({ Id }) => refused(Id)) } }));
    await expect(queue.send(refs(2))).rejects.toMatchObject({ kind: 'queue_unavailable', message: expect.stringContaining('1 ranges') });
    expect(asked).toHaveLength(4);
  });

  test('that denies is told from one that does not answer', async () => {
    const { queue } = await sqsThat(() => ({ status: 403, body: { __type: 'com.amazonaws.sqs#AccessDenied', message: 'no' } }));
    await expect(queue.send(refs(1))).rejects.toMatchObject({ kind: 'queue_denied', context: { batch: 7 } });
  });

  test('is the region\'s, whatever host the queue\'s URL names: in a VPC that is the endpoint', async () => {
    const { asked, queue } = await sqsThat(() => ({ status: 200, body: { Attributes: { ApproximateNumberOfMessagesDelayed: '1' } } }));
    expect(await queue.isBusy()).toBe(true);
    expect(asked).toHaveLength(1);
  });
});
