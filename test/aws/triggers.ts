import { GetBucketNotificationConfigurationCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';

/** An event on its way to a function. */
export interface Wake {
  /** The function's name. */
  readonly target: string;
  readonly event: unknown;
}

interface Rule {
  readonly bucket: string;
  readonly target: string;
  readonly prefix: string;
  readonly suffix: string;
}

/** S3 as the source of events: which function an object wakes is what the buckets themselves say. */
export class Notifications {
  readonly #client: S3Client;
  readonly #rules: readonly Rule[];
  readonly #seen = new Set<string>();

  private constructor(client: S3Client, rules: readonly Rule[]) {
    this.#client = client;
    this.#rules = rules;
  }

  static async of(client: S3Client, buckets: readonly string[]): Promise<Notifications> {
    const rules = await Promise.all(buckets.map(async (bucket) => rulesOf(client, bucket)));
    return new Notifications(client, rules.flat());
  }

  get rules(): readonly Rule[] {
    return this.#rules;
  }

  /** The events of all objects that have come since it was last asked. */
  async since(): Promise<readonly Wake[]> {
    const wakes: Wake[] = [];
    for (const { bucket, prefix } of this.#rules) {
      for (const key of await keysOf(this.#client, bucket, prefix)) {
        if (this.#seen.has(`${bucket}/${key}`)) continue;
        this.#seen.add(`${bucket}/${key}`);
        const woken = this.#rules.filter((rule) => rule.bucket === bucket && fits(rule, key));
        for (const { target } of woken) wakes.push({ target, event: eventOf(bucket, key) });
      }
    }
    return wakes;
  }
}

async function rulesOf(client: S3Client, bucket: string): Promise<readonly Rule[]> {
  const answer = await client.send(new GetBucketNotificationConfigurationCommand({ Bucket: bucket }));
  return (answer.LambdaFunctionConfigurations ?? []).map(({ LambdaFunctionArn = '', Events = [], Filter }) => {
    if (!Events.includes('s3:ObjectCreated:*')) throw new Error(`events of ${bucket}: ${Events.join(', ')}`);
    const valueOf = (name: string) => Filter?.Key?.FilterRules?.find((rule) => rule.Name?.toLowerCase() === name)?.Value ?? '';
    return { bucket, target: LambdaFunctionArn.split(':').at(-1) ?? '', prefix: valueOf('prefix'), suffix: valueOf('suffix') };
  });
}

function fits({ prefix, suffix }: Rule, key: string): boolean {
  return key.startsWith(prefix) && key.endsWith(suffix);
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html */
function eventOf(bucket: string, key: string): unknown {
  const object = { key: encodeURIComponent(key).replaceAll('%2F', '/'), size: 1, eTag: 'e', sequencer: '0' };
  const s3 = { s3SchemaVersion: '1.0', bucket: { name: bucket, arn: `arn:aws:s3:::${bucket}` }, object };
  return { Records: [{ eventVersion: '2.1', eventSource: 'aws:s3', eventName: 'ObjectCreated:Put', s3 }] };
}

/** All of them: the buckets of a test are small. */
export async function keysOf(client: S3Client, bucket: string, prefix = ''): Promise<readonly string[]> {
  const keys: string[] = [];
  let token: string | undefined;
  do {
    const page = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token }));
    keys.push(...(page.Contents ?? []).flatMap(({ Key }) => (Key === undefined ? [] : [Key])));
    token = page.NextContinuationToken;
  } while (token !== undefined);
  return keys;
}
