import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { bytesOf, forward, type ReadRequest } from '../support/forward.ts';
import { type Ask, isAllowed, type Policy } from './policy.ts';
import { askOf, serviceOf } from './ask.ts';

/** What a role and the buckets it meets are allowed, as it was deployed. */
export interface Rights {
  readonly role: string;
  readonly policies: readonly Policy[];
  /** By the name of the bucket. */
  readonly bucketPolicies: ReadonlyMap<string, Policy>;
  /** By the ARN of the queue. */
  readonly queuePolicies: ReadonlyMap<string, Policy>;
  /** The key that encrypts a bucket: S3 asks for it on behalf of whoever reads or writes. */
  readonly bucketKeys: ReadonlyMap<string, string>;
}

export interface Call extends Ask {
  readonly service: string;
  readonly allowed: boolean;
  readonly bytes: number;
}

/** AWS as a function sees it: moto behind the rights of the function's role. */
export interface Gateway {
  readonly endpoint: string;
  readonly calls: Call[];
  /** Refuses what the deployed rights allow, as a mistake of somebody's would. */
  refuse: (ask: Ask) => boolean;
  readonly stop: () => Promise<void>;
}

export async function startGateway(target: string, rights: Rights): Promise<Gateway> {
  const calls: Call[] = [];
  const server = createServer((incoming, answer) => {
    serve(incoming, answer).catch(() => incoming.socket.destroy());
  });
  const serve = async (incoming: IncomingMessage, answer: ServerResponse): Promise<void> => {
    const { method = '', url = '', headers } = incoming;
    const seen: ReadRequest = { method, url, headers, body: await bytesOf(incoming) };
    const asks = withKeys(askOf(seen), rights);
    const [ask] = asks;
    const allowed = asks.every((one) => isGranted(one, rights)) && !gateway.refuse(ask);
    calls.push({ ...ask, service: serviceOf(seen), allowed, bytes: seen.body.byteLength });
    if (!allowed) return refuse(answer, seen);
    const upstream = await forward(target, seen);
    answer.writeHead(upstream.statusCode ?? 500, upstream.headers);
    upstream.pipe(answer);
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const stop = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  const gateway: Gateway = { endpoint: `http://127.0.0.1:${address.port}`, calls, refuse: () => false, stop };
  return gateway;
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html: a multipart upload needs both. */
function withKeys(ask: Ask, { bucketKeys }: Rights): readonly [Ask, ...Ask[]] {
  const key = bucketKeys.get(bucketOf(ask));
  if (key === undefined) return [ask];
  const context = { 'kms:viaservice': 's3.eu-west-2.amazonaws.com' };
  const decrypt = { action: 'kms:Decrypt', resource: key, context };
  if (ask.action === 's3:GetObject') return [ask, decrypt];
  if (ask.action !== 's3:PutObject') return [ask];
  return [ask, decrypt, { ...decrypt, action: 'kms:GenerateDataKey' }];
}

function isGranted(ask: Ask, { role, policies, bucketPolicies, queuePolicies }: Rights): boolean {
  const theirs = bucketPolicies.get(bucketOf(ask)) ?? queuePolicies.get(ask.resource);
  return isAllowed(ask, role, policies, theirs === undefined ? [] : [theirs]);
}

function bucketOf({ resource }: Ask): string {
  return /^arn:aws:s3:::([^/]+)/.exec(resource)?.[1] ?? '';
}

/** As each service says it. */
function refuse(answer: ServerResponse, seen: ReadRequest): void {
  const service = serviceOf(seen);
  if (service === 's3') {
    answer.writeHead(403, { 'content-type': 'application/xml' });
    answer.end(seen.method === 'HEAD' ? '' : '<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>');
  } else if (service === 'sns') {
    answer.writeHead(403, { 'content-type': 'text/xml' });
    answer.end('<ErrorResponse><Error><Type>Sender</Type><Code>AuthorizationError</Code></Error></ErrorResponse>');
  } else {
    answer.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' });
    answer.end(JSON.stringify({ __type: 'AccessDeniedException', Message: 'User is not authorized' }));
  }
}
