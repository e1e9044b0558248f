/**
 * The full configuration, nothing left out, as it would be on AWS. A plan knows the ARNs that policies name only after an apply; so it is applied,
 * to moto, which takes every resource of it (bucket policies too; it would only evaluate them wrongly), and what is asserted is its state.
 */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startMoto } from '../support/moto.ts';
import { awsEnvironment } from '../support/secrets.ts';
import { testQueues } from './queues.ts';
import type { Policy, Resource } from './resources.ts';
import { isForKeys, linesOf, managedResourcesOf, policiesOf, statementsOf } from './resources.ts';
import { ACCOUNT, INGESTION, OWN_RIGHTS, PROCESSED, queueRights, REGION, SECRET_KEY, SOURCE_SECRET, WAREHOUSE_SECRET } from './rights.ts';
import {
  copyOfConfiguration, emptyBundles, findTerraform, removeTemporary, scratchDirectory, terraformIn,
} from './terraform.ts';

const terraformEnvironment = await findTerraform();
const moto = terraformEnvironment === null ? null : await startMoto();

const STAGES = ['ingest', 'load', 'transform'] as const;
const METRICS = fileURLToPath(new URL('../../src/shared/lambda/metrics.ts', import.meta.url));
const TOPIC = `arn:aws:sns:${REGION}:${ACCOUNT}:starling-alerts`;

/** A network as a customer has one. */
const NETWORK = `
  resource "aws_vpc" "vpc" { cidr_block = "10.0.0.0/16" }
  resource "aws_subnet" "private" {
    count             = 2
    vpc_id            = aws_vpc.vpc.id
    cidr_block        = "10.0.\${count.index}.0/24"
    availability_zone = "${REGION}\${["a", "b"][count.index]}"
  }
  resource "aws_route_table" "private" { vpc_id = aws_vpc.vpc.id }
  resource "aws_security_group" "database_clients" { vpc_id = aws_vpc.vpc.id }
  output "vpc" {
    value = {
      id                 = aws_vpc.vpc.id
      subnet_ids         = aws_subnet.private[*].id
      security_group_ids = [aws_security_group.database_clients.id]
      route_table_ids    = [aws_route_table.private.id]
    }
  }
`;

describe.skipIf(terraformEnvironment === null || moto === null)('the full configuration', () => {
  let resources: readonly Resource[] = [];
  let policies: readonly Policy[] = [];
  let keyArn = '';
  let secondPlan = '';

  beforeAll(async () => {
    const env = { ...terraformEnvironment, ...awsEnvironment({ endpoint: moto?.endpoint ?? '' }) };
    const bootstrap = terraformIn(await copyOfConfiguration('bootstrap'), env);
    const terraform = terraformIn(await copyOfConfiguration('.'), env);
    const network = terraformIn(await scratchDirectory(), env);
    await writeFile(join(network.directory, 'network.tf'), NETWORK);
    for (const { init } of [network, bootstrap, terraform]) await init();
    await network.apply();
    const { vpc } = await network.outputs();

    // moto makes the provider wait for a minute, each time.
    const bootstrapped = bootstrap.apply({
      repository: 'bags/starling', secret_arns: [SOURCE_SECRET, WAREHOUSE_SECRET], secret_kms_key_arns: [SECRET_KEY],
    });
    const variables = {
      source_secret_arn: SOURCE_SECRET,
      warehouse_secret_arn: WAREHOUSE_SECRET,
      secret_kms_key_arns: [SECRET_KEY],
      alert_phone_numbers: ['+447700900123'],
      alert_emails: ['oncall@example.com'],
      reserved_concurrency: 1,
      bundles: await emptyBundles(),
      runbook_url: 'https://example.com/RUNBOOK.md',
      vpc,
      permissions_boundary_arn: `arn:aws:iam::${ACCOUNT}:policy/starling-boundary`,
    };
    await Promise.all([bootstrapped, terraform.apply(variables)]);
    resources = managedResourcesOf(await terraform.show());
    policies = policiesOf([...resources, ...managedResourcesOf(await bootstrap.show())]);
    keyArn = String(one('aws_kms_key').values['arn']);
    secondPlan = await terraform.plan(variables);
  }, 300_000);

  afterAll(async () => {
    removeTemporary();
    await moto?.stop();
  });

  const all = (type: string): readonly Resource[] => resources.filter((resource) => resource.type === type);
  const one = (type: string, address?: string): Resource => {
    const found = all(type).filter((resource) => address === undefined || resource.address.includes(address));
    if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} resources ${type} ${address ?? ''}`);
    return found[0];
  };
  const environmentOf = (stage: string): unknown => one('aws_lambda_function', `module.${stage}`).values['environment'];
  const rightsOf = (role: string): readonly string[] =>
    linesOf(policies.filter(({ resource }) => resource.type === 'aws_iam_role_policy' && resource.values['role'] === role).flatMap(({ statements }) => statements));

  test('changes nothing when it is applied again', () => {
    expect(secondPlan).toBe('empty');
  });

  describe('policies', () => {
    test('are found, all of them', () => {
      const types = policies.map(({ resource }) => resource.type);
      const count = (type: string): number => types.filter((one) => one === type).length;
      expect(count('aws_iam_role_policy')).toBe(3 * 2 + 1 + 2);
      expect(count('aws_s3_bucket_policy')).toBe(3);
      expect(count('aws_iam_role')).toBe(4 + 2);
      expect(count('aws_iam_policy')).toBe(1 + 5);
      expect([count('aws_kms_key'), count('aws_sns_topic_policy'), count('aws_sqs_queue_policy')]).toEqual([1, 1, 6]);
    });

    test('allow no action with a wildcard', () => {
      const offences = policies.flatMap(({ where, statements }) =>
        statements.filter(({ Effect, Action }) => Effect === 'Allow' && Action.some((action) => /[*?]/.test(action))).map(({ Sid }) => `${where} ${Sid}`));
      expect(offences).toEqual([]);
    });

    test('deny with a wildcard action only what does not come over TLS, and of queues what comes from elsewhere', () => {
      const denied = policies.flatMap(({ statements }) => statements.filter(({ Action }) => Action.some((action) => /[*?]/.test(action))));
      const conditions = (sid: string) => denied.filter(({ Sid }) => Sid === sid).map(({ Condition }) => Condition);
      expect(conditions('OnlyOverTls')).toEqual(Array.from({ length: 3 + 6 }, () => ({ Bool: { 'aws:SecureTransport': ['false'] } })));
      expect(conditions('OnlyThisAccount')).toEqual(Array.from({ length: 6 }, () => ({ StringNotEquals: { 'aws:PrincipalAccount': [ACCOUNT] } })));
    });

    /** Action → why AWS leaves no choice. What is not here may not have the resource "*". */
    const RESOURCELESS: Readonly<Record<string, string>> = {
      'cloudwatch:PutMetricData': 'knows no resource; bounded by the namespace',
      'ec2:AssignPrivateIpAddresses': 'interfaces have no ARN before Lambda makes them',
      'ec2:CreateNetworkInterface': 'interfaces have no ARN before Lambda makes them',
      'ec2:DeleteNetworkInterface': 'interfaces have no ARN before Lambda makes them',
      'ec2:UnassignPrivateIpAddresses': 'interfaces have no ARN before Lambda makes them',
      'kms:ListAliases': 'knows no resource',
      'lambda:CreateEventSourceMapping': 'knows no resource; bounded by the function',
      'logs:DescribeLogGroups': 'lists',
      'cloudwatch:DescribeAlarms': 'lists',
      'sns:GetSubscriptionAttributes': 'knows no resource',
      'sns:SetSubscriptionAttributes': 'knows no resource',
      'sns:Unsubscribe': 'knows no resource',
    };

    test('allow all resources only to actions that know no other', () => {
      const offences = policies
        .filter(({ resource }) => resource.type !== 'aws_kms_key') // in a key's policy "*" is the key
        .flatMap(({ where, statements }) => statements
          .filter(({ Effect, Resource }) => Effect === 'Allow' && Resource.includes('*'))
          .flatMap(({ Action }) => Action)
          .filter((action) => !(action in RESOURCELESS) && !action.startsWith('ec2:Describe'))
          .map((action) => `${where} ${action}`));
      expect(offences).toEqual([]);
    });

    test('of the key leave to IAM all that the workflows\' roles do with keys', () => {
      const roles = policies.filter(({ where }) => /^aws_iam_(role_policy\.plan|policy\.deploy)\b/.test(where));
      const needed = new Set(roles.flatMap(({ statements }) => statements.filter(isForKeys).flatMap(({ Action }) => Action)));
      // Of no key that is there already.
      const ofTheKey = [...needed].filter((action) => action.startsWith('kms:') && action !== 'kms:ListAliases');
      const account = statementsOf(one('aws_kms_key').values['policy']).find(({ Sid }) => Sid === 'AccountByIamPolicies');
      expect(account?.Principal).toEqual({ AWS: `arn:aws:iam::${ACCOUNT}:root` });
      expect(ofTheKey).toEqual(expect.arrayContaining(['kms:CreateAlias', 'kms:DescribeKey']));
      expect(ofTheKey.filter((action) => !account?.Action.includes(action))).toEqual([]);
    });

    test('are for principals that are named', () => {
      const offences = policies.flatMap(({ where, statements }) => statements
        .filter(({ Effect, Principal }) => Effect === 'Allow' && JSON.stringify(Principal ?? '').includes('*'))
        .map(({ Sid }) => `${where} ${Sid}`));
      expect(offences).toEqual([]);
    });
  });

  describe('the roles of the stages', () => {
    const INTERFACES = ['AssignPrivateIpAddresses', 'CreateNetworkInterface', 'DeleteNetworkInterface', 'DescribeNetworkInterfaces', 'DescribeSubnets', 'UnassignPrivateIpAddresses'];

    test.each(STAGES)('allow %s exactly what it does', (stage) => {
      const name = `starling-${stage}`;
      const via = JSON.stringify({ StringEquals: { 'kms:ViaService': [`s3.${REGION}.amazonaws.com`, `sns.${REGION}.amazonaws.com`] } });
      const code = JSON.stringify({ ArnEquals: { 'lambda:SourceFunctionArn': [`arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`] } });
      expect(rightsOf(name)).toEqual([
        ...OWN_RIGHTS[stage],
        `Allow logs:CreateLogStream arn:aws:logs:${REGION}:${ACCOUNT}:log-group:/aws/lambda/${name}:*`,
        `Allow logs:PutLogEvents arn:aws:logs:${REGION}:${ACCOUNT}:log-group:/aws/lambda/${name}:*`,
        `Allow cloudwatch:PutMetricData * if ${JSON.stringify({ StringEquals: { 'cloudwatch:namespace': ['Starling'] } })}`,
        `Allow sns:Publish ${TOPIC}`,
        `Allow kms:Decrypt ${keyArn} if ${via}`,
        `Allow kms:GenerateDataKey ${keyArn} if ${via}`,
        `Allow sqs:SendMessage arn:aws:sqs:${REGION}:${ACCOUNT}:starling-undelivered`,
        ...queueRights(stage),
        ...INTERFACES.flatMap((action) => [`Allow ec2:${action} *`, `Deny ec2:${action} * if ${code}`]),
      ].toSorted());
    });

    test('allow the schedules to wake these functions and to say that they could not', () => {
      expect(rightsOf('starling-scheduler')).toEqual([
        ...STAGES.map((stage) => `Allow lambda:InvokeFunction arn:aws:lambda:${REGION}:${ACCOUNT}:function:starling-${stage}`),
        `Allow sqs:SendMessage arn:aws:sqs:${REGION}:${ACCOUNT}:starling-schedule-dead-letters`,
      ]);
    });

    test('are within the boundary', () => {
      for (const { values } of all('aws_iam_role')) expect(values['permissions_boundary']).toBe(`arn:aws:iam::${ACCOUNT}:policy/starling-boundary`);
    });
  });

  describe('each bucket', () => {
    const names = [INGESTION, PROCESSED].map((arn) => arn.split(':::')[1] ?? '');

    test.each(names)('%s is encrypted, versioned, owned, and closed to the public', (bucket) => {
      const settings = resources.filter(({ type, values }) => type.startsWith('aws_s3_bucket_') && values['bucket'] === bucket);
      const of = (type: string): Resource['values'] => settings.find((setting) => setting.type === type)?.values ?? {};
      expect(of('aws_s3_bucket_server_side_encryption_configuration')['rule']).toMatchObject([
        { bucket_key_enabled: true, apply_server_side_encryption_by_default: [{ sse_algorithm: 'aws:kms', kms_master_key_id: keyArn }] },
      ]);
      expect(of('aws_s3_bucket_versioning')['versioning_configuration']).toMatchObject([{ status: 'Enabled' }]);
      expect(of('aws_s3_bucket_ownership_controls')['rule']).toEqual([{ object_ownership: 'BucketOwnerEnforced' }]);
      expect(of('aws_s3_bucket_public_access_block')).toMatchObject({
        block_public_acls: true, block_public_policy: true, ignore_public_acls: true, restrict_public_buckets: true,
      });
      expect(of('aws_s3_bucket_policy')['policy']).toBeDefined();
    });

    test.each([[INGESTION, ['data/*', 'log/*', 'split/*']], [PROCESSED, ['data/*', 'log/*', 'mirror/*', 'skip/*', 'split/*']]])('%s refuses what is not over TLS, overwrites, and deletes in the log', (arn, immutable) => {
      const { values } = one('aws_s3_bucket_policy', arn === INGESTION ? 'module.ingestion' : 'module.processed');
      const everybody = { Principal: '*', Effect: 'Deny' };
      expect(statementsOf(values['policy'])).toEqual([
        { ...everybody, Sid: 'OnlyOverTls', Action: ['s3:*'], Resource: [arn, `${arn}/*`], Condition: { Bool: { 'aws:SecureTransport': ['false'] } } },
        {
          ...everybody, Sid: 'OnlyIfNoneMatch', Action: ['s3:PutObject'], Resource: immutable.map((prefix) => `${arn}/${prefix}`),
          Condition: { Null: { 's3:if-none-match': ['true'] }, Bool: { 's3:ObjectCreationOperation': ['true'] } },
        },
        {
          ...everybody, Sid: 'StagesKeepTheLog', Action: ['s3:DeleteObject', 's3:DeleteObjectVersion'], Resource: [`${arn}/log/*`],
          Condition: { ArnEquals: { 'aws:PrincipalArn': STAGES.map((stage) => `arn:aws:iam::${ACCOUNT}:role/starling-${stage}`) } },
        },
      ]);
    });

    const rule = v.object({
      id: v.string(), status: v.string(), prefix: v.optional(v.string()),
      filter: v.array(v.object({ prefix: v.string() })),
      transition: v.array(v.object({ days: v.number(), storage_class: v.string() })),
      abort_incomplete_multipart_upload: v.array(v.object({ days_after_initiation: v.number() })),
    });

    test.each([['ingestion', ['data/', 'split/', 'state/']], ['processed', ['data/', 'mirror/', 'split/', 'state/']]])('%s ages without touching the log, and can always be read at once', (bucket, prefixes) => {
      const { values } = one('aws_s3_bucket_lifecycle_configuration', `module.${bucket}`);
      const rules = v.parse(v.array(rule), values['rule']);
      expect(rules.flatMap(({ filter }) => filter.map(({ prefix }) => prefix))).toEqual(prefixes);
      const classes = new Set(rules.flatMap(({ transition }) => transition.map(({ storage_class }) => storage_class)));
      for (const name of classes) expect(['STANDARD_IA', 'GLACIER_IR', 'INTELLIGENT_TIERING']).toContain(name);
      expect(rules[0]?.transition).toEqual([{ days: 30, storage_class: 'STANDARD_IA' }, { days: 90, storage_class: 'GLACIER_IR' }]);
      for (const { id, abort_incomplete_multipart_upload: abort } of rules) expect(abort.length).toBe(['split', 'state'].includes(id) ? 0 : 1);
    });

    test.each([['ingestion', 'transform'], ['processed', 'load']])('%s wakes %s with each entry of its log', (bucket, stage) => {
      const { values } = one('aws_s3_bucket_notification', bucket);
      const arn = `arn:aws:lambda:${REGION}:${ACCOUNT}:function:starling-${stage}`;
      expect(values['lambda_function']).toMatchObject([{ lambda_function_arn: arn, events: ['s3:ObjectCreated:*'], filter_prefix: 'log/', filter_suffix: '.json' }]);
      expect(values['queue']).toEqual([]);
      expect(one('aws_lambda_permission', stage).values).toMatchObject({
        action: 'lambda:InvokeFunction', principal: 's3.amazonaws.com', source_account: ACCOUNT, source_arn: bucket === 'ingestion' ? INGESTION : PROCESSED,
      });
    });
  });

  describe('each function', () => {
    test.each(STAGES)('%s is arm64 on Node 22, has its log group, and is in the VPC', (stage) => {
      const { values } = one('aws_lambda_function', `module.${stage}`);
      expect(values).toMatchObject({
        function_name: `starling-${stage}`, runtime: 'nodejs22.x', architectures: ['arm64'], handler: 'index.handler',
        timeout: 900, reserved_concurrent_executions: 1, role: `arn:aws:iam::${ACCOUNT}:role/starling-${stage}`,
      });
      expect(values['vpc_config']).toMatchObject([{ subnet_ids: { length: 2 }, security_group_ids: { length: 2 } }]);
      expect(one('aws_cloudwatch_log_group', `module.${stage}`).values).toMatchObject({ name: `/aws/lambda/starling-${stage}`, retention_in_days: 30 });
      expect(one('aws_lambda_function_event_invoke_config', `module.${stage}`).values).toMatchObject({
        maximum_retry_attempts: 2, maximum_event_age_in_seconds: 21_600,
        destination_config: [{ on_failure: [{ destination: `arn:aws:sqs:${REGION}:${ACCOUNT}:starling-undelivered` }], on_success: [] }],
      });
    });

    test('knows where things are, and no secret', () => {
      const node = { NODE_OPTIONS: '--enable-source-maps', NODE_EXTRA_CA_CERTS: '/var/runtime/ca-cert.pem' };
      const commonOf = (stage: string) => ({ ALERT_TOPIC_ARN: TOPIC, PIPELINE_NAME: 'starling', RANGE_MB: stage === 'load' ? '128' : '1024', RANGE_QUEUE_URL: one('aws_sqs_queue', `module.${stage}.aws_sqs_queue.ranges`).values['url'], ...node });
      const [ingestion, processed] = [INGESTION, PROCESSED].map((arn) => arn.replace('arn:aws:s3:::', ''));
      expect(environmentOf('ingest')).toEqual([{ variables: { ...commonOf('ingest'), INGESTION_BUCKET: ingestion, SOURCE_SECRET_ARN: SOURCE_SECRET, SOURCE_SCHEMA: 'public' } }]);
      expect(environmentOf('transform')).toEqual([{ variables: { ...commonOf('transform'), INGESTION_BUCKET: ingestion, PROCESSED_BUCKET: processed } }]);
      expect(environmentOf('load')).toEqual([{
        variables: { ...commonOf('load'), INGESTION_BUCKET: ingestion, PROCESSED_BUCKET: processed, WAREHOUSE_SECRET_ARN: WAREHOUSE_SECRET, WAREHOUSE_SCHEMA: 'public' },
      }]);
    });

    test('is woken by a schedule with retries and a place for what fails', () => {
      const schedules = all('aws_scheduler_schedule').map(({ values }) => values);
      const when = schedules.map(({ name, schedule_expression, state }) => [name, { schedule_expression, state }]);
      expect(Object.fromEntries(when)).toEqual({
        'starling-ingest': { schedule_expression: 'rate(15 minutes)', state: 'ENABLED' },
        'starling-transform': { schedule_expression: 'rate(5 minutes)', state: 'ENABLED' },
        'starling-load': { schedule_expression: 'rate(5 minutes)', state: 'ENABLED' },
      });
      for (const { name, target } of schedules) {
        expect(target).toMatchObject([{
          arn: `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${String(name)}`, role_arn: `arn:aws:iam::${ACCOUNT}:role/starling-scheduler`,
          input: name === 'starling-ingest' ? '{"wake":"schedule"}' : '{"wake":"sweep"}',
          retry_policy: [{ maximum_retry_attempts: 3 }], dead_letter_config: [{ arn: `arn:aws:sqs:${REGION}:${ACCOUNT}:starling-schedule-dead-letters` }],
        }]);
      }
    });
  });

  testQueues(one);

  describe('each alarm', () => {
    const alarm = v.object({
      alarm_name: v.string(), alarm_description: v.string(), threshold: v.number(), treat_missing_data: v.string(), actions_enabled: v.boolean(),
      alarm_actions: v.array(v.string()), ok_actions: v.nullish(v.array(v.string())), insufficient_data_actions: v.nullish(v.array(v.string())),
    });
    const alarms = (): readonly v.InferOutput<typeof alarm>[] => all('aws_cloudwatch_metric_alarm').map(({ values }) => v.parse(alarm, values));

    test('is there, with its threshold and what silence means', () => {
      const known = alarms().map(({ alarm_name, threshold, treat_missing_data }) => [alarm_name, [threshold, treat_missing_data]]);
      expect(Object.fromEntries(known)).toEqual({
        ...Object.fromEntries(STAGES.flatMap((stage) => [
          [`starling-${stage}-errors`, [0, 'notBreaching']], [`starling-${stage}-duration`, [720_000, 'notBreaching']],
          [`starling-${stage}-range-dead-letters`, [0, 'notBreaching']], [`starling-${stage}-range-age`, [21_600, 'notBreaching']],
        ])),
        'starling-undelivered': [0, 'notBreaching'],
        'starling-freshness': [1500, 'breaching'],
        'starling-quarantine': [0, 'ignore'],
        'starling-cursor-age': [3600, 'notBreaching'],
      });
    });

    test('acts on ALARM and on nothing else, by the topic', () => {
      for (const { alarm_actions, ok_actions, insufficient_data_actions, actions_enabled } of alarms()) {
        expect({ alarm_actions, actions_enabled, others: [...(ok_actions ?? []), ...(insufficient_data_actions ?? [])] }).toEqual({
          alarm_actions: [TOPIC], actions_enabled: true, others: [],
        });
      }
    });

    test('says what to do, with a link into the runbook', () => {
      for (const { alarm_name, alarm_description } of alarms()) {
        const anchor = alarm_name.replace(/^starling-((ingest|transform|load)-)?/, '');
        expect(alarm_description).toMatch(new RegExp(`[.?] https://example\\.com/RUNBOOK\\.md#${anchor}$`));
        expect(alarm_description.length).toBeLessThanOrEqual(1024);
      }
    });

    test('can publish to the topic, which is encrypted and leads to phone and mailbox', () => {
      const alarmsOfThisPipeline = { StringEquals: { 'aws:SourceAccount': [ACCOUNT] }, ArnLike: { 'aws:SourceArn': [`arn:aws:cloudwatch:${REGION}:${ACCOUNT}:alarm:starling-*`] } };
      const service = { Effect: 'Allow', Principal: { Service: 'cloudwatch.amazonaws.com' }, Condition: alarmsOfThisPipeline };
      expect(one('aws_sns_topic').values).toMatchObject({ arn: TOPIC, kms_master_key_id: keyArn, display_name: 'Starling' });
      expect(statementsOf(one('aws_sns_topic_policy').values['policy'])).toContainEqual({ ...service, Sid: 'AlarmsPublish', Action: ['sns:Publish'], Resource: [TOPIC] });
      expect(one('aws_kms_key').values['enable_key_rotation']).toBe(true);
      expect(statementsOf(one('aws_kms_key').values['policy'])).toContainEqual({
        ...service, Sid: 'AlarmsPublishToTheTopic', Action: ['kms:Decrypt', 'kms:GenerateDataKey'], Resource: ['*'],
      });
      const subscriptions = all('aws_sns_topic_subscription').map(({ values }) => [values['protocol'], values['endpoint']]);
      expect(Object.fromEntries(subscriptions)).toEqual({ sms: '+447700900123', email: 'oncall@example.com' });
    });

    test('and the dashboard look at metrics that the stages send', async () => {
      const sent = await readFile(METRICS, 'utf8');
      const body = String(one('aws_cloudwatch_dashboard').values['dashboard_body']);
      const shown = [...body.matchAll(/"Starling","(\w+)"|MetricName=\\"(\w+)\\"/g)].map(([, name, searched]) => name ?? searched ?? '');
      const watched = all('aws_cloudwatch_metric_alarm').filter(({ values }) => values['namespace'] === 'Starling').map(({ values }) => String(values['metric_name']));
      const names = new Set([...shown, ...watched]);
      expect(names).toContain('NewQuarantinedRows');
      expect(names.size).toBeGreaterThan(6);
      expect([...names].filter((name) => !new RegExp(`'${name}'|\\b${name}\\?:`).test(sent))).toEqual([]);
    });
  });

  describe('the network', () => {
    test('has the endpoints that the functions need, and no more', () => {
      const endpoints = all('aws_vpc_endpoint').map(({ values }) => [String(values['service_name']).replace(`com.amazonaws.${REGION}.`, ''), values['vpc_endpoint_type']]);
      expect(Object.fromEntries(endpoints)).toEqual({ s3: 'Gateway', secretsmanager: 'Interface', sns: 'Interface', sqs: 'Interface', monitoring: 'Interface' });
    });

    test('lets them out to these over TLS, and nobody else in', () => {
      const rules = [...all('aws_vpc_security_group_egress_rule'), ...all('aws_vpc_security_group_ingress_rule')];
      expect(rules.map(({ name }) => name)).toEqual(['functions_to_endpoints', 'functions_to_s3', 'endpoints_from_functions']);
      for (const { values } of rules) {
        expect(values).toMatchObject({ ip_protocol: 'tcp', from_port: 443, to_port: 443 });
        expect([values['cidr_ipv4'] ?? '', values['cidr_ipv6'] ?? '']).toEqual(['', '']);
      }
    });
  });

  test('no resource that could hold a secret is there, nor a password in any attribute', () => {
    const types = new Set(resources.map(({ type }) => type));
    for (const type of types) expect(type).not.toMatch(/secret|password|ssm_parameter|access_key/);
    expect(JSON.stringify(resources)).not.toMatch(/postgres(ql)?:\/\/[^"@]*:[^"@]*@|"password":"/i);
  });
});
