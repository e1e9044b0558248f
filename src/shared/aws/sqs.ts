/** What is used of the SDK for SQS. Whoever imports this file lazily still leaves all the rest of it out of the bundles. */
export {
  ChangeMessageVisibilityCommand, GetQueueAttributesCommand, SendMessageBatchCommand, SQSClient,
} from '@aws-sdk/client-sqs';
