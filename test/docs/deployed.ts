import { readdir, readFile } from 'node:fs/promises';

const TERRAFORM = new URL('../../terraform/', import.meta.url);

/** What Terraform puts up by default, as far as it is on the bill. */
export interface Deployed {
  readonly memoryMb: Readonly<Record<'ingest' | 'transform' | 'load', number>>;
  readonly schedule: string;
  readonly sweep: string;
  /** An alarm is billed by the metrics that it watches. */
  readonly alarmMetrics: number;
  readonly dashboards: number;
  readonly keys: number;
  readonly secrets: number;
  readonly endpoints: number;
  /** Those that Lambda polls. */
  readonly queues: number;
  readonly logRetentionDays: number;
  /** Whether objects' keys come from the bucket's, and not one by one from KMS. */
  readonly hasBucketKeys: boolean;
}

export async function readDeployed(): Promise<Deployed> {
  const [root, stage, bucket] = [await textOf('./'), await textOf('modules/stage/'), await textOf('modules/bucket/')];
  const stages = [...root.matchAll(/source += +"\.\/modules\/stage"/g)].length;
  const memory = block(root, 'variable "memory_mb"');
  return {
    memoryMb: {
      ingest: numberIn(memory, /ingest += optional\(number, (\d+)\)/),
      transform: numberIn(memory, /transform += optional\(number, (\d+)\)/),
      load: numberIn(memory, /load += optional\(number, (\d+)\)/),
    },
    schedule: textIn(block(root, 'variable "schedule_expression"'), /default += "(.*)"/),
    sweep: textIn(block(root, 'variable "sweep_expression"'), /default += "(.*)"/),
    alarmMetrics: alarmMetricsIn(root) + stages * alarmMetricsIn(stage),
    dashboards: blocks(root, 'resource "aws_cloudwatch_dashboard"').length,
    keys: blocks(root, 'resource "aws_kms_key"').length,
    secrets: blocks(root, 'variable "').filter((variable) => /^variable "\w+_secret_arn"/.test(variable)).length,
    endpoints: textIn(root, /interface_endpoints += .*toset\(\[("[^\]]*)\]\)/).split(',').length,
    queues: stages * blocks(stage, 'resource "aws_lambda_event_source_mapping"').length,
    logRetentionDays: numberIn(block(root, 'variable "log_retention_days"'), /default += (\d+)/),
    hasBucketKeys: /bucket_key_enabled += true/.test(bucket),
  };
}

async function textOf(folder: string): Promise<string> {
  const directory = new URL(folder, TERRAFORM);
  const names = (await readdir(directory)).filter((name) => name.endsWith('.tf'));
  return (await Promise.all(names.map(async (name) => readFile(new URL(name, directory), 'utf8')))).join('\n');
}

/** Blocks at the left margin that begin so. */
function blocks(text: string, start: string): readonly string[] {
  return text.split(/^(?=\S)/m).filter((part) => part.startsWith(start));
}

function block(text: string, start: string): string {
  const [found] = blocks(text, start);
  if (found === undefined) throw new Error(`terraform/ has no ${start}`);
  return found;
}

/** One that does arithmetic has as many as it names, all others have one. */
function alarmMetricsIn(text: string): number {
  return blocks(text, 'resource "aws_cloudwatch_metric_alarm"').reduce((count, alarm) => {
    const named = /dynamic "metric_query" \{\s*for_each = \{([^}]*)\}/.exec(alarm)?.[1];
    return count + (named === undefined ? 1 : named.split(',').length);
  }, 0);
}

function textIn(text: string, pattern: RegExp): string {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`terraform/ has nothing like ${pattern}`);
  return found;
}

function numberIn(text: string, pattern: RegExp): number {
  return Number(textIn(text, pattern));
}
