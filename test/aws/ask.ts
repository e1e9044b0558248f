import * as v from 'valibot';
import type { ReadRequest } from '../support/forward.ts';
import type { Ask } from './policy.ts';

/** `Credential=AKID/20260101/eu-west-2/s3/aws4_request` */
export function serviceOf({ headers }: ReadRequest): string {
  return /Credential=[^/]+\/\d+\/[^/]+\/([a-z0-9-]+)\//.exec(headers.authorization ?? '')?.[1] ?? 'unknown';
}

/** What a request asks of IAM. @throws for one that no stage has reason to make. */
export function askOf(request: ReadRequest): Ask {
  const service = serviceOf(request);
  switch (service) {
    case 's3':
      return askOfS3(request);
    case 'secretsmanager':
      return askOfSecrets(request);
    case 'sns':
      return askOfSns(request);
    case 'sqs':
      return askOfSqs(request);
    case 'monitoring':
      return askOfCloudWatch(request);
    default:
      throw new Error(`no stage has reason to call ${service}`);
  }
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html */
function askOfS3({ method, url, headers }: ReadRequest): Ask {
  const { pathname, searchParams } = new URL(url, 'http://s3');
  const [, bucket = '', ...segments] = decodeURIComponent(pathname).split('/');
  const key = segments.join('/');
  const arn = `arn:aws:s3:::${bucket}`;
  const transport = { 'aws:securetransport': 'true' };
  if (key === '') {
    if (method !== 'GET' || !searchParams.has('list-type')) throw new Error(`no stage has reason to ${method} a bucket`);
    const prefix = searchParams.get('prefix');
    return { action: 's3:ListBucket', resource: arn, context: { ...transport, ...(prefix === null ? {} : { 's3:prefix': prefix }) } };
  }
  const resource = `${arn}/${key}`;
  if (method === 'GET' || method === 'HEAD') return { action: 's3:GetObject', resource, context: transport };
  if (method === 'DELETE') {
    const action = searchParams.has('uploadId') ? 's3:AbortMultipartUpload' : 's3:DeleteObject';
    return { action, resource, context: transport };
  }
  // A part, or the announcement of an upload, creates no object: its completion does.
  const creates = method === 'PUT' ? !searchParams.has('partNumber') : searchParams.has('uploadId');
  const condition = headers['if-none-match'];
  const ifNoneMatch = condition === undefined ? {} : { 's3:if-none-match': condition };
  const context = { ...transport, 's3:objectcreationoperation': String(creates), ...ifNoneMatch };
  return { action: 's3:PutObject', resource, context };
}

/** JSON 1.1: the operation is in a header. */
function askOfSecrets({ headers, body }: ReadRequest): Ask {
  const operation = String(headers['x-amz-target']).replace('secretsmanager.', '');
  const { SecretId } = v.parse(v.object({ SecretId: v.string() }), JSON.parse(body.toString('utf8')));
  return { action: `secretsmanager:${operation}`, resource: SecretId, context: {} };
}

/** SendMessageBatch asks for the right to send a message. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html */
function askOfSqs({ headers, body }: ReadRequest): Ask {
  const operation = String(headers['x-amz-target']).replace('AmazonSQS.', '').replace(/Batch$/, '');
  const { QueueUrl } = v.parse(v.object({ QueueUrl: v.string() }), JSON.parse(body.toString('utf8')));
  const [, account = '', name = ''] = new URL(QueueUrl).pathname.split('/');
  const context = { 'aws:securetransport': 'true', 'aws:principalaccount': '123456789012' };
  return { action: `sqs:${operation}`, resource: `arn:aws:sqs:eu-west-2:${account}:${name}`, context };
}

function askOfSns({ body }: ReadRequest): Ask {
  const form = new URLSearchParams(body.toString('utf8'));
  return { action: `sns:${form.get('Action')}`, resource: form.get('TopicArn') ?? '', context: {} };
}

/** The SDK speaks CBOR or the older form; in both the namespace is there as plain text. */
function askOfCloudWatch({ url, body, headers }: ReadRequest): Ask {
  const operation = /\/operation\/(\w+)$/.exec(url)?.[1] ?? String(headers['x-amz-target']).split('.').at(-1)
    ?? new URLSearchParams(body.toString('utf8')).get('Action');
  const namespace = body.includes('Starling') ? 'Starling' : 'another';
  return { action: `cloudwatch:${operation}`, resource: '*', context: { 'cloudwatch:namespace': namespace } };
}
