import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readRangeMessages } from '../../../src/shared/lambda/range-messages.ts';

const REF = { batch: 7, attempt: '0b6f2f6e-6a5e-4d57-9a55-3a7f6a1d9f10', range: 3 };
const record = (body: string, messageId = 'm1') => ({
  messageId, receiptHandle: `r-${messageId}`, body, attributes: { ApproximateReceiveCount: '1' }, eventSource: 'aws:sqs', awsRegion: 'eu-west-2',
});

describe('an event of the queue', () => {
  test('brings its ranges in their order, each with the id by which it can be reported', () => {
    const other = { ...REF, range: 0 };
    expect(readRangeMessages({ Records: [record(JSON.stringify(REF)), record(JSON.stringify(other), 'm2')] })).toEqual([
      { id: 'm1', receipt: 'r-m1', ref: REF },
      { id: 'm2', receipt: 'r-m2', ref: other },
    ]);
  });

  test.each([
    '', 'null', '{', '[]', '{"batch":7}', JSON.stringify({ ...REF, batch: 0 }), JSON.stringify({ ...REF, range: -1 }),
    JSON.stringify({ ...REF, range: 1.5 }), JSON.stringify({ ...REF, attempt: '../..' }), JSON.stringify({ ...REF, more: 1 }),
  ])('keeps the message of the body %j, which is no range', (body) => {
    expect(readRangeMessages({ Records: [record(body)] })).toEqual([{ id: 'm1', receipt: 'r-m1', ref: null }]);
  });

  test.each([
    [{ wake: 'sweep' }],
    [{ Records: [] }],
    [{ Records: [{ eventSource: 'aws:s3', s3: { object: { key: 'log/1.json' } } }] }],
    [{ Records: [record(JSON.stringify(REF)), { eventSource: 'aws:s3' }] }],
    [{ Records: [{ ...record(JSON.stringify(REF)), eventSource: 'aws:kinesis' }] }],
    [null], ['wake up'], [[]],
  ])('is not %j', (event) => {
    expect(readRangeMessages(event)).toBeNull();
  });

  test('is nothing that could be thrown over by its form', () => {
    fc.assert(fc.property(fc.anything(), fc.string(), (event, body) => {
      readRangeMessages(event);
      expect(readRangeMessages({ Records: [record(body)] })).toHaveLength(1);
    }));
  });
});
