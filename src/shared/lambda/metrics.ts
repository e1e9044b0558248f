import { CloudWatchClient, type MetricDatum, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { awsClientSettings } from '../aws/client.ts';
import type { ReportEvent, Stage } from '../report.ts';

export const NAMESPACE = 'Starling';

/** What a stage measures when it is done, beside what it reports on the way. Durations are in seconds. */
export interface Gauges {
  readonly Freshness?: number;
  readonly QuarantinedRows?: number;
  readonly CursorAge?: number;
  readonly BatchesPending?: number;
}

/** Those of the whole pipeline; the others are a stage's. */
const OF_PIPELINE = new Set(['Freshness', 'QuarantinedRows', 'CursorAge']);
const IN_SECONDS = new Set(['Freshness', 'CursorAge']);

/** PutMetricData takes 1,000, and 1 MB. */
const DATA_PER_CALL = 500;

/** Collects what a call of a function measured, and sends it at the end. */
export class Metrics {
  readonly #stage: Stage;
  readonly #pipeline: string;
  readonly #now: () => Date;
  #data: MetricDatum[] = [];

  constructor(stage: Stage, pipeline: string, now: () => Date) {
    this.#stage = stage;
    this.#pipeline = pipeline;
    this.#now = now;
  }

  event({ event, table, rows = 0, bytes = 0, quarantined = 0, seconds }: ReportEvent): void {
    if (event === 'batch') {
      if (seconds !== undefined) this.#add('Duration', 'Seconds', seconds, this.#ofStage());
      if (quarantined > 0) this.#add('RowsQuarantined', 'Count', quarantined, this.#ofStage());
    }
    if (event === 'table' && table !== undefined) {
      const dimensions = { ...this.#ofStage(), Table: table };
      if (rows > 0) this.#add('Rows', 'Count', rows, dimensions);
      if (bytes > 0) this.#add('Bytes', 'Bytes', bytes, dimensions);
    }
  }

  gauges(gauges: Gauges): void {
    for (const [name, value] of Object.entries(gauges)) {
      const unit = IN_SECONDS.has(name) ? 'Seconds' : 'Count';
      this.#add(name, unit, value, OF_PIPELINE.has(name) ? this.#ofPipeline() : this.#ofStage());
    }
  }

  /** Sends what was collected. @throws what the SDK throws. */
  async send(client: CloudWatchClient): Promise<void> {
    const data = this.#data;
    this.#data = [];
    for (let at = 0; at < data.length; at += DATA_PER_CALL) {
      const MetricData = data.slice(at, at + DATA_PER_CALL);
      await client.send(new PutMetricDataCommand({ Namespace: NAMESPACE, MetricData }));
    }
  }

  #ofPipeline(): Readonly<Record<string, string>> {
    return { Pipeline: this.#pipeline };
  }

  #ofStage(): Readonly<Record<string, string>> {
    return { Pipeline: this.#pipeline, Stage: this.#stage };
  }

  #add(name: string, unit: 'Seconds' | 'Count' | 'Bytes', value: number, dimensions: Readonly<Record<string, string>>) {
    const Dimensions = Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value }));
    this.#data.push({ MetricName: name, Unit: unit, Value: value, Timestamp: this.#now(), Dimensions });
  }
}

export function cloudWatchClient(): CloudWatchClient {
  return new CloudWatchClient({ ...awsClientSettings, maxAttempts: 3 });
}
