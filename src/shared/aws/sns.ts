/** What is used of the SDK for SNS, for whoever imports it only when there is something to tell. */
export { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
