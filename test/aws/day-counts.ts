import { ListObjectVersionsCommand, type ListObjectVersionsCommandOutput, type S3Client } from '@aws-sdk/client-s3';
import { CloudWatchClient, GetMetricDataCommand, ListMetricsCommand, type ListMetricsCommandOutput, type Metric } from '@aws-sdk/client-cloudwatch';
import { STAGES, type Stage } from '../../src/shared/report.ts';
import type { Moto } from '../support/moto.ts';
import type { Called } from './cloud.ts';
import type { Buckets, StageFigures } from './day-figures.ts';
import type { Call } from './gateway.ts';

type Record3<T> = Readonly<Record<Stage, T>>;

/** What each stage's calls came to, and what they asked of AWS. */
export function stageFigures(called: readonly Called[], requests: Record3<readonly Call[]>): Record3<StageFigures> {
  const [ingest, transform, load] = STAGES.map((stage) =>
    figuresOf(called.filter((call) => call.stage === stage), requests[stage]));
  if (!ingest || !transform || !load) throw new Error('there are three stages');
  return { ingest, transform, load };
}

function figuresOf(called: readonly Called[], requests: readonly Call[]): StageFigures {
  // What Node and the SDK say of themselves at a cold start is no JSON, and not said on Lambda's Node.
  const lines = called.flatMap(({ log }) => log).filter((line) => !('unstructured' in line));
  const sum = (valueOf: (call: Called) => number) => Math.round(called.reduce((total, call) => total + valueOf(call), 0));
  return {
    invocations: called.length,
    cold_starts: called.filter(({ initMilliseconds }) => initMilliseconds !== undefined).length,
    batches: sum(({ result }) => result?.batches ?? 0),
    // Billed by the millisecond that was begun.
    milliseconds: sum(({ milliseconds }) => Math.ceil(milliseconds)),
    cpu_milliseconds: sum(({ cpuMilliseconds }) => cpuMilliseconds),
    init_milliseconds: sum(({ initMilliseconds = 0 }) => Math.ceil(initMilliseconds)),
    log_lines: lines.length,
    log_bytes: lines.reduce((total, line) => total + Buffer.byteLength(JSON.stringify(line)), 0),
    requests: tally(requests.map(({ action }) => action)),
  };
}

export function tally(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names.toSorted()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** All versions of all objects, those that stay and those under `state/`. */
export interface Stored {
  readonly kept: Buckets;
  readonly state: Buckets;
}

export async function storedIn(client: S3Client, buckets: Readonly<Record<keyof Buckets, string>>): Promise<Stored> {
  const [ingestion, processed] = [await versionsOf(client, buckets.ingestion), await versionsOf(client, buckets.processed)];
  return {
    kept: { ingestion: ingestion.kept, processed: processed.kept },
    state: { ingestion: ingestion.state, processed: processed.state },
  };
}

async function versionsOf(client: S3Client, bucket: string) {
  const kept = { objects: 0, bytes: 0 };
  const state = { objects: 0, bytes: 0 };
  let marker: { KeyMarker?: string; VersionIdMarker?: string } | undefined = {};
  while (marker) {
    const page: ListObjectVersionsCommandOutput = await client.send(new ListObjectVersionsCommand({ Bucket: bucket, ...marker }));
    for (const { Key = '', Size = 0 } of page.Versions ?? []) {
      const sum = Key.startsWith('state/') ? state : kept;
      sum.objects += 1;
      sum.bytes += Size;
    }
    const { IsTruncated, NextKeyMarker, NextVersionIdMarker } = page;
    marker = IsTruncated === true && NextKeyMarker !== undefined
      ? { KeyMarker: NextKeyMarker, ...(NextVersionIdMarker === undefined ? {} : { VersionIdMarker: NextVersionIdMarker }) }
      : undefined;
  }
  return { kept, state };
}

export function difference(after: Buckets, before: Buckets): Buckets {
  const of = (bucket: keyof Buckets) => ({
    objects: after[bucket].objects - before[bucket].objects,
    bytes: after[bucket].bytes - before[bucket].bytes,
  });
  return { ingestion: of('ingestion'), processed: of('processed') };
}

/** Which metrics of ours had data in a stretch of time, as CloudWatch bills them: name and dimensions, by the hour. */
export class MetricsWithData {
  readonly #client: CloudWatchClient;

  constructor({ endpoint }: Pick<Moto, 'endpoint'>) {
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
    this.#client = new CloudWatchClient({ endpoint, region: 'eu-west-2', credentials });
  }

  /** @param from and @param to whole seconds: moto takes no others. */
  async between(from: Date, to: Date): Promise<readonly Metric[]> {
    const metrics = await this.#all();
    const queries = metrics.map((Metric, at) => ({ Id: `m${at}`, MetricStat: { Metric, Period: 86_400, Stat: 'SampleCount' } }));
    const command = new GetMetricDataCommand({ StartTime: from, EndTime: to, MetricDataQueries: queries });
    const { MetricDataResults = [] } = await this.#client.send(command);
    const withData = new Set(MetricDataResults.flatMap(({ Id, Values = [] }) => (Values.length > 0 ? [Id] : [])));
    return metrics.filter((_, at) => withData.has(`m${at}`));
  }

  /** Each once: moto lists a metric again and again. */
  async #all(): Promise<readonly Metric[]> {
    const metrics = new Map<string, Metric>();
    let token: string | undefined;
    do {
      const page: ListMetricsCommandOutput = await this.#client.send(new ListMetricsCommand({ Namespace: 'Starling', NextToken: token }));
      for (const metric of page.Metrics ?? []) metrics.set(identityOf(metric), metric);
      token = page.NextToken;
    } while (token !== undefined);
    return [...metrics.values()];
  }
}

export function identityOf({ MetricName = '', Dimensions = [] }: Metric): string {
  return `${MetricName}{${Dimensions.map(({ Name, Value }) => `${Name}=${Value}`).toSorted().join(',')}}`;
}
