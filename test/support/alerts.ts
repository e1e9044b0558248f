import { randomUUID } from 'node:crypto';
import { CreateTopicCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import { CreateQueueCommand, DeleteMessageCommand, GetQueueAttributesCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import * as v from 'valibot';
import type { Moto } from './moto.ts';

const envelope = v.object({ Subject: v.string(), Message: v.string() });

/** A queue that listens to a topic: what was published to it since it was last asked. */
export interface Listener {
  readonly heard: () => Promise<readonly string[]>;
}

function settings({ endpoint }: Pick<Moto, 'endpoint'>) {
  return { endpoint, region: 'eu-west-2', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } };
}

export async function freshTopic(moto: Pick<Moto, 'endpoint'>): Promise<string> {
  const { TopicArn = '' } = await new SNSClient(settings(moto)).send(new CreateTopicCommand({ Name: `test-${randomUUID()}` }));
  return TopicArn;
}

export async function listenTo(moto: Pick<Moto, 'endpoint'>, topicArn: string): Promise<Listener> {
  const sqs = new SQSClient(settings(moto));
  const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: `test-${randomUUID()}` }));
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }));
  const subscription = { TopicArn: topicArn, Protocol: 'sqs', Endpoint: Attributes?.QueueArn };
  await new SNSClient(settings(moto)).send(new SubscribeCommand(subscription));
  const next = async (): Promise<readonly string[]> => {
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
    for (const { ReceiptHandle } of Messages) await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    return Messages.map(({ Body = '' }) => v.parse(envelope, JSON.parse(Body)).Message);
  };
  const heard = async (): Promise<readonly string[]> => {
    const messages = await next();
    return messages.length === 0 ? [] : [...messages, ...(await heard())];
  };
  return { heard };
}
