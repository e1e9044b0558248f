import { describe, expect, test } from 'vitest';
import { PipelineError } from '../../../src/shared/errors.ts';
import { type Need, readDeployment } from '../../../src/shared/lambda/deployment.ts';

const SECRET = 'arn:aws:secretsmanager:eu-west-2:123456789012:secret:totesys-Ab12Cd';
const TOPIC = 'arn:aws:sns:eu-west-2:123456789012:starling-alerts';
const EVERYTHING: readonly Need[] = ['ingestion', 'processed', 'source', 'warehouse'];

function complaintOf(environment: NodeJS.ProcessEnv, needs: readonly Need[] = EVERYTHING): string {
  try {
    readDeployment(environment, needs);
  } catch (error) {
    if (error instanceof PipelineError && error.kind === 'config') return error.message;
  }
  throw new Error('nothing was wrong with it');
}

describe('the environment of a function', () => {
  test('is read with its defaults', () => {
    const environment = { INGESTION_BUCKET: 'ingestion', SOURCE_SECRET_ARN: SECRET, SOURCE_URL: '', PATH: '/bin' };
    expect(readDeployment(environment, ['ingestion', 'source'])).toEqual({
      pipeline: 'starling',
      alertTopicArn: null,
      ingestionBucket: 'ingestion',
      processedBucket: '',
      source: { url: null, secretArn: SECRET },
      sourceSchema: 'public',
      warehouse: { url: null, secretArn: null },
      warehouseSchema: 'public',
      ranges: null,
    });
  });

  test('tells all that is missing in one error', () => {
    expect(complaintOf({})).toBe(
      'the environment of the function does not do: INGESTION_BUCKET is missing; PROCESSED_BUCKET is missing; ' +
        'SOURCE_SECRET_ARN or SOURCE_URL is missing; WAREHOUSE_SECRET_ARN or WAREHOUSE_URL is missing',
    );
  });

  test('tells all that is malformed beside it, and no value', () => {
    const complaint = complaintOf({
      PIPELINE_NAME: 'Not A Name',
      ALERT_TOPIC_ARN: 'arn:aws:sqs:eu-west-2:123456789012:queue',
      INGESTION_BUCKET: 'UPPER',
      SOURCE_SECRET_ARN: 'hunter2',
      SOURCE_URL: 'mysql://root:hunter2@host/db',
    });
    for (const name of ['PIPELINE_NAME', 'ALERT_TOPIC_ARN', 'INGESTION_BUCKET', 'SOURCE_SECRET_ARN', 'SOURCE_URL', 'PROCESSED_BUCKET']) {
      expect(complaint).toContain(name);
    }
    expect(complaint).not.toMatch(/hunter2|UPPER|Not A Name|:queue/);
  });

  test('does not ask a stage for what it does not need', () => {
    expect(readDeployment({ INGESTION_BUCKET: 'aaa', PROCESSED_BUCKET: 'bbb' }, ['ingestion', 'processed'])).toMatchObject({
      ingestionBucket: 'aaa',
      processedBucket: 'bbb',
    });
  });

  test.each([
    ['1024', 2 ** 30], ['', 2 ** 30], ['0.25', 2 ** 18], ['65536', 2 ** 36],
  ])('takes ranges of %s MB', (RANGE_MB, rangeBytes) => {
    const RANGE_QUEUE_URL = 'https://sqs.eu-west-2.amazonaws.com/123456789012/starling-load-ranges';
    expect(readDeployment({ RANGE_QUEUE_URL, RANGE_MB }, []).ranges).toEqual({ queueUrl: RANGE_QUEUE_URL, rangeBytes });
  });

  test.each(['0', '-1', 'many', '1e3', '0x10'])('takes no ranges of %s MB', (RANGE_MB) => {
    expect(complaintOf({ RANGE_MB, RANGE_QUEUE_URL: 'arn:aws:sqs:eu-west-2:123456789012:queue' }, [])).toMatch(/RANGE_QUEUE_URL is not the URL of a queue; RANGE_MB is/);
  });

  test.each([TOPIC, 'arn:aws-us-gov:sns:us-gov-west-1:123456789012:alerts'])('takes the topic %s', (ALERT_TOPIC_ARN) => {
    expect(readDeployment({ ALERT_TOPIC_ARN }, [])).toMatchObject({ alertTopicArn: ALERT_TOPIC_ARN });
  });
});
