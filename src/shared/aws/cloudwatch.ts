/** What is used of the SDK for CloudWatch, for whoever imports it when there is something to send. */
export { CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
