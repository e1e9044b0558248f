/** Secrets Manager, SNS and CloudWatch behind a network that hangs. */

import { afterEach, describe, expect, test, vi } from 'vitest';
import { type BlackHole, blackHoleTo, DEAF } from '../support/black-hole.ts';
import { startMoto } from '../support/moto.ts';
import { afterwards } from '../support/postgres.ts';
import { type Deployed, deployed, logged } from './deployed.ts';

const moto = await startMoto();
if (moto) afterwards(() => moto.stop());

vi.mock('../../src/shared/aws/client.ts', async () => {
  const { impatientSettings } = await import('./impatient.ts');
  return { awsClientSettings: impatientSettings };
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** A deployment that reaches one service through a network of its own. */
async function behind(service: string): Promise<{ readonly network: BlackHole; readonly functions: Deployed }> {
  if (!moto) throw new Error('no moto');
  const network = await blackHoleTo(Number(new URL(moto.endpoint).port));
  const functions = await deployed(moto, { [`AWS_ENDPOINT_URL_${service}`]: `http://127.0.0.1:${network.port}` });
  return { network, functions };
}

describe.runIf(moto)('a service that falls silent', { timeout: 180_000 }, () => {
  test('as Secrets Manager fails the call as secret_unavailable, told by SMS; the next one goes on', async () => {
    const { network, functions } = await behind('SECRETS_MANAGER');
    logged();
    network.hole = DEAF;
    await expect(functions.wake('ingest')).rejects.toMatchObject({
      kind: 'secret_unavailable', message: 'source: TimeoutError from Secrets Manager',
    });
    expect(await functions.alerts.heard()).toEqual([expect.stringContaining('ingest batch 1 failed, secret_unavailable')]);
    network.hole = null;
    expect(await functions.wake('ingest')).toMatchObject({ batches: 1, head: 1 });
    expect(await functions.alerts.heard()).toEqual([expect.stringContaining('ingest batch 1 recovered')]);
  });

  test('as SNS keeps no failure from being what it is, and it is told when SNS answers', async () => {
    const { network, functions } = await behind('SNS');
    const messages = logged();
    network.hole = DEAF;
    vi.stubEnv('SOURCE_SCHEMA', 'nowhere');
    await expect(functions.wake('ingest')).rejects.toMatchObject({ kind: 'source_structure' });
    expect(messages).toContain('an alert could not be published');
    network.hole = null;
    await expect(functions.wake('ingest')).rejects.toMatchObject({ kind: 'source_structure' });
    expect(await functions.alerts.heard()).toEqual([expect.stringContaining('ingest batch 1 failed, source_structure')]);
  });

  test('as CloudWatch costs the metrics of the call, and nothing else', async () => {
    const { network, functions } = await behind('CLOUDWATCH');
    const messages = logged();
    network.hole = DEAF;
    expect(await functions.wake('ingest')).toMatchObject({ batches: 1, head: 1 });
    expect(messages).toContain('metrics were not sent');
    expect(network.swallowed()).toBeGreaterThan(0);
  });
});
