/** What the stages may do, written down a second time, to be compared with what Terraform makes of it. */

export const ACCOUNT = '123456789012';
export const REGION = 'eu-west-2';
export const SOURCE_SECRET = `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:shop/source-AbCdEf`;
export const WAREHOUSE_SECRET = `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:shop/warehouse-GhIjKl`;
export const SECRET_KEY = `arn:aws:kms:${REGION}:${ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab`;
export const INGESTION = `arn:aws:s3:::starling-ingestion-${ACCOUNT}-${REGION}`;
export const PROCESSED = `arn:aws:s3:::starling-processed-${ACCOUNT}-${REGION}`;

const on = (bucket: string, action: string, ...keys: readonly string[]): readonly string[] =>
  keys.map((key) => `Allow s3:${action} ${bucket}/${key}`);

/** S3 says that an object is missing only to whom it would list it, so each lists what it reads. */
const list = (bucket: string, operator: string, ...prefixes: readonly string[]): string =>
  `Allow s3:ListBucket ${bucket} if ${JSON.stringify({ [operator]: { 's3:prefix': prefixes.toSorted() } })}`;

const secret = (arn: string): readonly string[] => [
  `Allow secretsmanager:GetSecretValue ${arn}`,
  `Allow kms:Decrypt ${SECRET_KEY} if ${JSON.stringify({ StringEquals: { 'kms:ViaService': [`secretsmanager.${REGION}.amazonaws.com`] } })}`,
];

/** Its own queue, and of that what the function and Lambda's mapping do with it. */
export const queueRights = (stage: string): readonly string[] =>
  ['ChangeMessageVisibility', 'DeleteMessage', 'GetQueueAttributes', 'ReceiveMessage', 'SendMessage']
    .map((action) => `Allow sqs:${action} arn:aws:sqs:${REGION}:${ACCOUNT}:starling-${stage}-ranges`);

/** Beside what all stages may: logs, metrics, alerts, the key, a queue each. */
export const OWN_RIGHTS = {
  ingest: [
    ...on(INGESTION, 'PutObject', 'log/*', 'data/*', 'split/*', 'state/*'),
    ...on(INGESTION, 'GetObject', 'log/*', 'data/*', 'split/*', 'state/*'),
    ...on(INGESTION, 'DeleteObject', 'data/*', 'state/alerts/*'),
    ...on(INGESTION, 'AbortMultipartUpload', 'data/*'),
    list(INGESTION, 'StringLike', 'log/*', 'data/*', 'split/*', 'state/*'),
    ...secret(SOURCE_SECRET),
  ],
  transform: [
    ...on(INGESTION, 'GetObject', 'log/*', 'data/*'),
    list(INGESTION, 'StringLike', 'log/*', 'data/*'),
    ...on(PROCESSED, 'PutObject', 'log/*', 'data/*', 'mirror/*', 'split/*', 'state/*'),
    ...on(PROCESSED, 'GetObject', 'log/*', 'data/*', 'mirror/*', 'split/*', 'state/*'),
    ...on(PROCESSED, 'DeleteObject', 'state/alerts/*'),
    ...on(PROCESSED, 'AbortMultipartUpload', 'data/*', 'mirror/*'),
    list(PROCESSED, 'StringLike', 'log/*', 'data/*', 'mirror/*', 'skip/*', 'split/*', 'state/*'),
  ],
  load: [
    ...on(INGESTION, 'GetObject', 'state/ingest.json'),
    list(INGESTION, 'StringEquals', 'state/ingest.json'),
    ...on(PROCESSED, 'GetObject', 'log/*', 'data/*', 'state/*'),
    ...on(PROCESSED, 'PutObject', 'state/*'),
    ...on(PROCESSED, 'DeleteObject', 'state/alerts/*'),
    list(PROCESSED, 'StringLike', 'log/*', 'data/*', 'skip/*', 'state/*'),
    ...secret(WAREHOUSE_SECRET),
  ],
} as const;
