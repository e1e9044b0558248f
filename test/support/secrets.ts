import { randomUUID } from 'node:crypto';
import {
  CreateSecretCommand, DeleteSecretCommand, PutSecretValueCommand, SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import type { Moto } from './moto.ts';

/** A secret of a test's own. */
export interface TestSecret {
  readonly arn: string;
  readonly rotate: (value: string) => Promise<void>;
  readonly remove: () => Promise<void>;
}

/** What the clients of AWS find in their environment. */
export function awsEnvironment({ endpoint }: Pick<Moto, 'endpoint'>) {
  return {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: 'eu-west-2',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  } as const;
}

export async function testSecret(moto: Pick<Moto, 'endpoint'>, value: string): Promise<TestSecret> {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const client = new SecretsManagerClient({ endpoint: moto.endpoint, region: 'eu-west-2', credentials });
  const { ARN = '' } = await client.send(new CreateSecretCommand({ Name: `test-${randomUUID()}`, SecretString: value }));
  return {
    arn: ARN,
    rotate: async (next) => void (await client.send(new PutSecretValueCommand({ SecretId: ARN, SecretString: next }))),
    remove: async () => void (await client.send(new DeleteSecretCommand({ SecretId: ARN, ForceDeleteWithoutRecovery: true }))),
  };
}

/** A URL as RDS keeps it in a secret. */
export function rdsSecret(url: string): string {
  const { username, password, hostname, port, pathname } = new URL(url);
  return JSON.stringify({
    engine: 'postgres',
    host: hostname,
    port: Number(port),
    dbname: decodeURIComponent(pathname.slice(1)),
    username: decodeURIComponent(username),
    password: decodeURIComponent(password),
  });
}
