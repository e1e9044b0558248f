import type { Random } from '../../src/local/totesys/random.ts';
import { S3Lake } from '../../src/shared/lake/s3.ts';
import { type Fault, startFaultProxy } from '../support/fault-proxy.ts';
import { startMoto } from '../support/moto.ts';
import { freshBucket, testS3Client } from '../support/s3.ts';
import type { SeedLake } from './schedule.ts';

/** What can befall any request. */
export const REQUEST_FAULTS: readonly Fault[] = [
  { status: 500, code: 'InternalError' },
  { status: 503, code: 'SlowDown' },
  'request_lost',
  'answer_lost',
];

/** What befalls a request to S3 of its own accord. Only an answer that has a body can break off in it. */
export function httpFaults(method: string): readonly Fault[] {
  return method === 'GET' ? [...REQUEST_FAULTS, { cutAfterBytes: 3 }] : REQUEST_FAULTS;
}

const FAULT_CHANCE = 0.01;

/** Lakes in S3, over a network that breaks now and then. */
export interface S3 {
  readonly lake: (random: Random) => Promise<SeedLake>;
  readonly stop: () => Promise<void>;
}

/** Null, loudly, where there is no moto. */
export async function startS3(): Promise<S3 | null> {
  const moto = await startMoto();
  if (!moto) return null;
  const client = testS3Client(moto.endpoint);
  const proxy = await startFaultProxy(moto.endpoint);
  const lake = async (random: Random): Promise<SeedLake> => {
    const buckets = { ingestion: await freshBucket(client), processed: await freshBucket(client) };
    proxy.fault = ({ method }) => (random.chance(FAULT_CHANCE) ? random.pick(httpFaults(method)) : null);
    return {
      place: { endpoint: proxy.endpoint, ...buckets },
      open: (name) => new S3Lake({ bucket: buckets[name], client }),
      // It keeps all objects in memory.
      clear: async () => void (await fetch(`${moto.endpoint}/moto-api/reset`, { method: 'POST' }).catch(() => undefined)),
    };
  };
  const stop = async (): Promise<void> => {
    await proxy.stop();
    await moto.stop();
  };
  return { lake, stop };
}
