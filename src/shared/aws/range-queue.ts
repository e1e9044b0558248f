import { setTimeout as delay } from 'node:timers/promises';
import type { SQSClient } from '@aws-sdk/client-sqs';
import { type ErrorKind, PipelineError } from '../errors.ts';
import type { RangeRef, Splitting } from '../lake/split.ts';
import { awsClientSettings } from './client.ts';
import type * as Sqs from './sqs.ts';

/** The SDK's part for SQS, and a client of it. */
interface Opened {
  readonly sdk: typeof Sqs;
  readonly client: SQSClient;
}

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html */
const MESSAGES_PER_CALL = 10;

/** SQS can take some messages of a call and not the others. */
const TRIES = 4;
const WAIT_MS = 500;

/** What SQS allows. */
const HIDDEN_MAX_SECONDS = 12 * 60 * 60;

/** Messages that wait, that are being worked on, and that are kept back for a while. */
const BUSY = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible', 'ApproximateNumberOfMessagesDelayed'] as const;

/**
 * A stage's queue of ranges. Its client is imported when it is first needed: most calls of a function have nothing to
 * split, and should not wait for it at a cold start.
 */
export class RangeQueue implements Pick<Splitting, 'send' | 'isBusy'> {
  readonly #url: string;
  #opened: Promise<Opened> | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  readonly send = async (ranges: readonly RangeRef[]): Promise<void> => {
    for (let at = 0; at < ranges.length; at += MESSAGES_PER_CALL) {
      await this.#sendSome(ranges.slice(at, at + MESSAGES_PER_CALL));
    }
  };

  /** As SQS counts them, approximately: a range that is sent a second time for it does no harm. */
  readonly isBusy = async (): Promise<boolean> => {
    const { Attributes = {} } = await this.#call(({ sdk, client }) =>
      client.send(new sdk.GetQueueAttributesCommand({ QueueUrl: this.#url, AttributeNames: [...BUSY] })));
    return BUSY.some((name) => Number(Attributes[name] ?? 0) > 0);
  };

  /** Lets a message that was received come back after so many seconds, unless it is deleted before. */
  async hide(receipt: string, seconds: number): Promise<void> {
    const VisibilityTimeout = Math.min(Math.max(0, Math.ceil(seconds)), HIDDEN_MAX_SECONDS);
    await this.#call(({ sdk, client }) =>
      client.send(new sdk.ChangeMessageVisibilityCommand({ QueueUrl: this.#url, ReceiptHandle: receipt, VisibilityTimeout })));
  }

  async #sendSome(ranges: readonly RangeRef[]): Promise<void> {
    let left = ranges.map((range, at) => ({ Id: String(at), MessageBody: JSON.stringify(range) }));
    for (let attempt = 1; ; attempt += 1) {
      const { Failed = [] } = await this.#call(({ sdk, client }) =>
        client.send(new sdk.SendMessageBatchCommand({ QueueUrl: this.#url, Entries: left })), ranges[0]?.batch);
      const failed = new Set(Failed.map(({ Id }) => Id));
      left = left.filter(({ Id }) => failed.has(Id));
      if (left.length === 0) return;
      if (attempt === TRIES) throw queueError(`${left.length} ranges were not taken`, 'queue_unavailable', ranges[0]?.batch);
      await delay(WAIT_MS * attempt);
    }
  }

  async #call<T>(ask: (opened: Opened) => Promise<T>, batch?: number): Promise<T> {
    const opened = await (this.#opened ??= open());
    try {
      return await ask(opened);
    } catch (error) {
      const name = error instanceof Error ? error.name : 'an unknown error';
      throw queueError(`${name} from SQS`, kindOf(name), batch, error);
    }
  }
}

async function open(): Promise<Opened> {
  const sdk = await import('./sqs.ts');
  // A queue is asked where the region's SQS is, which may be an endpoint in a VPC, whatever host its URL names.
  return { sdk, client: new sdk.SQSClient({ ...awsClientSettings, useQueueUrlAsEndpoint: false }) };
}

/** Names of https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html, by JSON and by the older protocol. */
const KINDS: Readonly<Record<string, ErrorKind>> = {
  QueueDoesNotExist: 'config', 'AWS.SimpleQueueService.NonExistentQueue': 'config', InvalidAddress: 'config',
  AccessDenied: 'queue_denied', AccessDeniedException: 'queue_denied', CredentialsProviderError: 'queue_denied',
  ExpiredTokenException: 'queue_denied', InvalidClientTokenId: 'queue_denied', UnrecognizedClientException: 'queue_denied',
};

function kindOf(name: string): ErrorKind {
  return KINDS[name] ?? 'queue_unavailable';
}

function queueError(what: string, kind: ErrorKind, batch?: number, cause?: unknown): PipelineError {
  return new PipelineError(kind, `the queue of ranges: ${what}`, batch === undefined ? {} : { batch }, cause);
}
