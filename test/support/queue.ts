import { randomUUID } from 'node:crypto';
import {
  ChangeMessageVisibilityCommand, CreateQueueCommand, DeleteMessageCommand, GetQueueAttributesCommand, ReceiveMessageCommand, SendMessageCommand, SQSClient,
} from '@aws-sdk/client-sqs';
import type { SQSBatchResponse } from 'aws-lambda';
import type { Moto } from './moto.ts';

interface QueuedRecord {
  readonly eventSource: 'aws:sqs';
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** What Lambda hands to a function: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html */
export interface QueueEvent {
  readonly Records: readonly QueuedRecord[];
}

/** A queue, worked as an event source mapping with `ReportBatchItemFailures` does. */
export class TestQueue {
  readonly url: string;
  readonly #client: SQSClient;

  constructor(moto: Pick<Moto, 'endpoint'>, url: string) {
    this.url = url;
    this.#client = clientOf(moto);
  }

  /** A delivery of at most so many messages; null where none is to be had now. */
  async receive(most = 1): Promise<QueueEvent | null> {
    const ask = { QueueUrl: this.url, MaxNumberOfMessages: most, MessageSystemAttributeNames: ['All' as const] };
    const { Messages = [] } = await this.#client.send(new ReceiveMessageCommand(ask));
    const records = Messages.map(({ MessageId = '', ReceiptHandle = '', Body = '', Attributes = {} }) => ({
      eventSource: 'aws:sqs' as const, messageId: MessageId, receiptHandle: ReceiptHandle, body: Body, attributes: Attributes,
    }));
    return records.length === 0 ? null : { Records: records };
  }

  /** Deletes what the function did not report as failed. */
  async settle({ Records }: QueueEvent, { batchItemFailures }: SQSBatchResponse): Promise<void> {
    const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
    for (const { messageId, receiptHandle } of Records) {
      if (failed.has(messageId)) continue;
      await this.#client.send(new DeleteMessageCommand({ QueueUrl: this.url, ReceiptHandle: receiptHandle }));
    }
  }

  /** As if so much time had passed that these are to be had again. */
  async comeBack({ Records }: QueueEvent): Promise<void> {
    for (const { receiptHandle } of Records) {
      const back = { QueueUrl: this.url, ReceiptHandle: receiptHandle, VisibilityTimeout: 0 };
      await this.#client.send(new ChangeMessageVisibilityCommand(back));
    }
  }

  async send(body: string): Promise<void> {
    await this.#client.send(new SendMessageCommand({ QueueUrl: this.url, MessageBody: body }));
  }

  /** How many wait, and how many are with somebody or come back later. */
  async counts(): Promise<{ readonly waiting: number; readonly hidden: number }> {
    const names = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
    const { Attributes = {} } = await this.#client.send(new GetQueueAttributesCommand({ QueueUrl: this.url, AttributeNames: [...names] }));
    const [waiting, hidden] = names.map((name) => Number(Attributes[name]));
    return { waiting: waiting ?? 0, hidden: hidden ?? 0 };
  }
}

/** A queue and its dead letters, where a message goes instead of being delivered a sixth time. */
export async function freshQueues(moto: Pick<Moto, 'endpoint'>): Promise<{ readonly ranges: TestQueue; readonly deadLetters: TestQueue }> {
  const client = clientOf(moto);
  const name = randomUUID();
  const { QueueUrl: deadLetters = '' } = await client.send(new CreateQueueCommand({ QueueName: `${name}-dead-letters` }));
  const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl: deadLetters, AttributeNames: ['QueueArn'] }));
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: Attributes?.QueueArn, maxReceiveCount: 5 });
  const { QueueUrl: ranges = '' } = await client.send(
    new CreateQueueCommand({ QueueName: name, Attributes: { VisibilityTimeout: '5400', RedrivePolicy } }));
  return { ranges: new TestQueue(moto, ranges), deadLetters: new TestQueue(moto, deadLetters) };
}

function clientOf({ endpoint }: Pick<Moto, 'endpoint'>): SQSClient {
  return new SQSClient({ endpoint, region: 'eu-west-2', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } });
}
