import { describe, expect, test } from 'vitest';
import { askOf } from './ask.ts';
import { isAllowed, parsePolicy } from './policy.ts';

const ROLE = 'arn:aws:iam::123456789012:role/starling-ingest';
const policy = (...Statement: object[]) => parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement }));
const put = (key: string, headers: Record<string, string> = {}, query = '') =>
  askOf({
    method: 'PUT', url: `/lake/${key}${query}`, body: Buffer.alloc(0),
    headers: { authorization: 'AWS4-HMAC-SHA256 Credential=AK/20310301/eu-west-2/s3/aws4_request', ...headers },
  });

const MAY_WRITE = policy({ Effect: 'Allow', Action: 's3:PutObject', Resource: ['arn:aws:s3:::lake/log/*', 'arn:aws:s3:::lake/data/*'] });
const ONLY_NEW = policy({
  Effect: 'Deny', Principal: '*', Action: 's3:PutObject', Resource: 'arn:aws:s3:::lake/log/*',
  Condition: { Null: { 's3:if-none-match': 'true' }, Bool: { 's3:ObjectCreationOperation': 'true' } },
});

describe('the evaluation of policies', () => {
  test('allows what a statement allows, and nothing else', () => {
    expect(isAllowed(put('log/1.json'), ROLE, [MAY_WRITE], [])).toBe(true);
    expect(isAllowed(put('state/ingest.json'), ROLE, [MAY_WRITE], [])).toBe(false);
    expect(isAllowed({ ...put('log/1.json'), action: 's3:DeleteObject' }, ROLE, [MAY_WRITE], [])).toBe(false);
  });

  test('lets a deny of the bucket win, where its conditions hold', () => {
    expect(isAllowed(put('log/1.json'), ROLE, [MAY_WRITE], [ONLY_NEW])).toBe(false);
    expect(isAllowed(put('log/1.json', { 'if-none-match': '*' }), ROLE, [MAY_WRITE], [ONLY_NEW])).toBe(true);
    expect(isAllowed(put('log/1.json', {}, '?partNumber=1&uploadId=u'), ROLE, [MAY_WRITE], [ONLY_NEW])).toBe(true);
  });

  test('takes a condition on what a request does not say for not fulfilled', () => {
    const inStarling = policy({
      Effect: 'Allow', Action: 'cloudwatch:PutMetricData', Resource: '*',
      Condition: { StringEquals: { 'cloudwatch:namespace': 'Starling' } },
    });
    const ask = { action: 'cloudwatch:PutMetricData', resource: '*', context: {} };
    expect(isAllowed(ask, ROLE, [inStarling], [])).toBe(false);
    expect(isAllowed({ ...ask, context: { 'cloudwatch:namespace': 'Starling' } }, ROLE, [inStarling], [])).toBe(true);
  });

  test('asks of a queue for what a batch of messages takes, and lets its policy refuse another account', () => {
    const ask = askOf({
      method: 'POST', url: '/', body: Buffer.from(JSON.stringify({ QueueUrl: 'http://127.0.0.1:5000/123456789012/starling-load-ranges', Entries: [] })),
      headers: { authorization: 'AWS4-HMAC-SHA256 Credential=AK/20310301/eu-west-2/sqs/aws4_request', 'x-amz-target': 'AmazonSQS.SendMessageBatch' },
    });
    const queue = 'arn:aws:sqs:eu-west-2:123456789012:starling-load-ranges';
    expect(ask).toMatchObject({ action: 'sqs:SendMessage', resource: queue });
    const maySend = policy({ Effect: 'Allow', Action: 'sqs:SendMessage', Resource: queue });
    const onlyThisAccount = policy({
      Effect: 'Deny', Principal: '*', Action: 'sqs:*', Resource: queue, Condition: { StringNotEquals: { 'aws:PrincipalAccount': '123456789012' } },
    });
    expect(isAllowed(ask, ROLE, [maySend], [onlyThisAccount])).toBe(true);
    expect(isAllowed({ ...ask, context: { 'aws:principalaccount': '999999999999' } }, ROLE, [maySend], [onlyThisAccount])).toBe(false);
    expect(isAllowed({ ...ask, context: {} }, ROLE, [maySend], [onlyThisAccount])).toBe(false);
  });

  test('knows no operator that it was not taught', () => {
    const odd = policy({ Effect: 'Deny', Action: 's3:*', Resource: '*', Condition: { DateLessThan: { 'aws:CurrentTime': '2031' } } });
    expect(() => isAllowed(put('log/1.json'), ROLE, [odd], [])).toThrow('DateLessThan');
  });
});
