/** What is asserted of the queues by which large batches are done in ranges; a part of the plan's tests. */

import { describe, expect, test } from 'vitest';
import { type Resource, statementsOf } from './resources.ts';
import { ACCOUNT, REGION } from './rights.ts';

const STAGES = ['ingest', 'load', 'transform'] as const;

/** @param one the only resource of a type whose address holds a text. */
export function testQueues(one: (type: string, address: string) => Resource): void {
  const queueOf = (stage: string, name: string): Resource['values'] => one('aws_sqs_queue', `module.${stage}.aws_sqs_queue.${name}`).values;

  describe('the queues of ranges', () => {
    test.each(STAGES)('of %s are encrypted, and hide a range for as long as Lambda may try it, and put it aside after five deliveries', (stage) => {
      const dead = `starling-${stage}-range-dead-letters`;
      expect(queueOf(stage, 'ranges')).toMatchObject({
        name: `starling-${stage}-ranges`, visibility_timeout_seconds: 6 * 900, message_retention_seconds: 345_600, sqs_managed_sse_enabled: true,
      });
      expect(queueOf(stage, 'range_dead_letters')).toMatchObject({ name: dead, message_retention_seconds: 1_209_600, sqs_managed_sse_enabled: true });
      const redrive = one('aws_sqs_queue_redrive_policy', `module.${stage}`).values['redrive_policy'];
      expect(JSON.parse(String(redrive))).toEqual({ deadLetterTargetArn: `arn:aws:sqs:${REGION}:${ACCOUNT}:${dead}`, maxReceiveCount: 5 });
    });

    test.each(STAGES)('of %s are closed to other accounts and to what is not over TLS, and their policies give nothing', (stage) => {
      for (const [queue, name] of [['ranges', 'ranges'], ['range_dead_letters', 'range-dead-letters']] as const) {
        const { values } = one('aws_sqs_queue_policy', `module.${stage}.aws_sqs_queue_policy.${queue}`);
        const everything = { Effect: 'Deny', Principal: '*', Action: ['sqs:*'], Resource: [`arn:aws:sqs:${REGION}:${ACCOUNT}:starling-${stage}-${name}`] };
        expect(statementsOf(values['policy'])).toEqual([
          { ...everything, Sid: 'OnlyOverTls', Condition: { Bool: { 'aws:SecureTransport': ['false'] } } },
          { ...everything, Sid: 'OnlyThisAccount', Condition: { StringNotEquals: { 'aws:PrincipalAccount': [ACCOUNT] } } },
        ]);
      }
    });

    test.each(STAGES)('of %s wake it with one range at a time, and at most eight at once', (stage) => {
      expect(one('aws_lambda_event_source_mapping', `module.${stage}`).values).toMatchObject({
        event_source_arn: `arn:aws:sqs:${REGION}:${ACCOUNT}:starling-${stage}-ranges`, enabled: true, batch_size: 1,
        function_response_types: ['ReportBatchItemFailures'], scaling_config: [{ maximum_concurrency: 8 }],
      });
    });
  });
}
