import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { type Stage, STAGES } from '../../src/shared/report.ts';
import type { Moto } from '../support/moto.ts';
import { awsEnvironment } from '../support/secrets.ts';
import { type Resource, resourcesOf } from '../terraform/resources.ts';
import { copyOfConfiguration, type Terraform, terraformIn } from '../terraform/terraform.ts';
import type { Rights } from './gateway.ts';
import { parsePolicy } from './policy.ts';

const BUNDLES = fileURLToPath(new URL('../../dist/lambda', import.meta.url));

const functionSchema = v.object({
  function_name: v.string(),
  handler: v.string(),
  role: v.string(),
  timeout: v.number(),
  source_code_hash: v.string(),
  environment: v.tuple([v.object({ variables: v.record(v.string(), v.string()) })]),
});
const policySchema = v.object({ role: v.string(), policy: v.string() });
const documentSchema = v.object({ json: v.string() });
const mappingSchema = v.object({
  function_arn: v.string(), event_source_arn: v.string(), batch_size: v.number(), function_response_types: v.array(v.string()),
});
const scheduleSchema = v.object({
  schedule_expression: v.string(),
  target: v.tuple([v.looseObject({ arn: v.string(), input: v.string() })]),
});

export interface DeployedFunction {
  readonly name: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly rights: Rights;
  /** SHA-256 of its zip, as Lambda gives it. */
  readonly codeHash: string;
  /** Wakes it at intervals. */
  readonly schedule: { readonly expression: string; readonly event: unknown };
  /** Brings it ranges: its URL, and how many messages at a time. */
  readonly queue: { readonly url: string; readonly batchSize: number };
}

/** What one `terraform apply` made, as the state tells it. */
export interface Deployment {
  readonly terraform: Terraform;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly functions: Readonly<Record<Stage, DeployedFunction>>;
  readonly buckets: Readonly<Record<'ingestion' | 'processed', string>>;
  readonly topicArn: string;
}

export async function deploy(
  moto: Moto,
  surroundings: Readonly<Record<string, string>>,
  secrets: Readonly<Record<'source' | 'warehouse', string>>,
): Promise<Deployment> {
  // moto has no Docker to run a function in when an object arrives; the tests run them.
  await fetch(`${moto.endpoint}/moto-api/config`, { method: 'POST', body: JSON.stringify({ lambda: { use_docker: false } }) });
  const terraform = terraformIn(await copyOfConfiguration('.'), { ...surroundings, ...awsEnvironment(moto) });
  const variables = {
    emulated: true,
    bundles: BUNDLES,
    source_secret_arn: secrets.source,
    warehouse_secret_arn: secrets.warehouse,
    alert_emails: ['oncall@example.com'],
    alert_phone_numbers: ['+447700900123'],
  };
  await terraform.init();
  await terraform.apply(variables);
  return { terraform, variables, ...read(resourcesOf(await terraform.show())) };
}

function read(resources: readonly Resource[]): Pick<Deployment, 'functions' | 'buckets' | 'topicArn'> {
  const one = (address: string): Readonly<Record<string, unknown>> => {
    const found = resources.find((resource) => resource.address === address);
    if (!found) throw new Error(`the state has no ${address}`);
    return found.values;
  };
  const text = (address: string, attribute: string) => v.parse(v.string(), one(address)[attribute]);
  const buckets = {
    ingestion: text('module.ingestion.aws_s3_bucket.this', 'bucket'),
    processed: text('module.processed.aws_s3_bucket.this', 'bucket'),
  };
  const policyOf = (bucket: keyof typeof buckets) =>
    parsePolicy(v.parse(documentSchema, one(`module.${bucket}.data.aws_iam_policy_document.this`)).json);
  // moto cannot evaluate them, so that they are not attached there; the gateway can.
  const bucketPolicies = new Map([
    [buckets.ingestion, policyOf('ingestion')],
    [buckets.processed, policyOf('processed')],
  ]);
  const queuePolicies = new Map(STAGES.flatMap((stage) => ['ranges', 'dead_letters'].map((queue) => {
    const json = v.parse(documentSchema, one(`module.${stage}.data.aws_iam_policy_document.queue["${queue}"]`)).json;
    const arn = text(`module.${stage}.aws_sqs_queue.${queue === 'ranges' ? 'ranges' : 'range_dead_letters'}`, 'arn');
    return [arn, parsePolicy(json)] as const;
  })));
  const key = text('aws_kms_key.starling', 'arn');
  const bucketKeys = new Map(Object.values(buckets).map((bucket) => [bucket, key]));
  const rolePolicies = resources
    .filter(({ type }) => type === 'aws_iam_role_policy')
    .map(({ values }) => v.parse(policySchema, values));
  const functionOf = (stage: Stage): DeployedFunction => {
    const found = v.parse(functionSchema, one(`module.${stage}.aws_lambda_function.this`));
    const schedule = v.parse(scheduleSchema, one(`aws_scheduler_schedule.${stage}`));
    const own = rolePolicies.filter(({ role }) => found.role.endsWith(`:role/${role}`));
    const mapping = v.parse(mappingSchema, one(`module.${stage}.aws_lambda_event_source_mapping.ranges`));
    const queue = one(`module.${stage}.aws_sqs_queue.ranges`);
    if (mapping.event_source_arn !== queue['arn'] || !mapping.function_arn.endsWith(`:function:${found.function_name}`)) {
      throw new Error(`what brings ${stage} its ranges?`);
    }
    if (!mapping.function_response_types.includes('ReportBatchItemFailures')) throw new Error(`a range of ${stage} that fails would take others along`);
    if (!schedule.target[0].arn.endsWith(`:function:${found.function_name}`)) throw new Error(`who wakes ${stage}?`);
    return {
      name: found.function_name,
      environment: found.environment[0].variables,
      codeHash: found.source_code_hash,
      schedule: { expression: schedule.schedule_expression, event: JSON.parse(schedule.target[0].input) },
      rights: { role: found.role, policies: own.map(({ policy }) => parsePolicy(policy)), bucketPolicies, queuePolicies, bucketKeys },
      queue: { url: v.parse(v.string(), queue['url']), batchSize: mapping.batch_size },
    };
  };
  const functions = { ingest: functionOf('ingest'), transform: functionOf('transform'), load: functionOf('load') };
  return { functions, buckets, topicArn: text('aws_sns_topic.alerts', 'arn') };
}

export function bundleOf(stage: Stage): string {
  return join(BUNDLES, `${stage}.zip`);
}

export async function hashOf(stage: Stage): Promise<string> {
  return createHash('sha256').update(await readFile(bundleOf(stage))).digest('base64');
}
