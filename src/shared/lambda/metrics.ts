import type { CloudWatchClient, MetricDatum } from '@aws-sdk/client-cloudwatch';
import { awsClientSettings } from '../aws/client.ts';
import type { ReportEvent, Stage } from '../report.ts';

export const NAMESPACE = 'Starling';

/** What a stage measures when it is done, beside what it reports on the way. Durations are in seconds. */
export interface Gauges {
  readonly Freshness?: number;
  readonly QuarantinedRows?: number;
  readonly CursorAge?: number;
  readonly BatchesPending?: number;
  /** Columns and tables that the source has and the model does not declare. */
  readonly Undeclared?: number;
}

/** Those of the whole pipeline; the others are a stage's. */
const OF_PIPELINE = new Set(['Freshness', 'QuarantinedRows', 'CursorAge', 'Undeclared']);
const IN_SECONDS = new Set(['Freshness', 'CursorAge']);

type Unit = 'Seconds' | 'Count' | 'Bytes';

/** PutMetricData takes 1,000, and 1 MB. */
const DATA_PER_CALL = 500;

/** The container's. */
let client: CloudWatchClient | undefined;

/** Collects what a call of a function measured, and sends it at the end. */
export class Metrics {
  readonly #stage: Stage;
  readonly #pipeline: string;
  readonly #now: () => Date;
  #data: MetricDatum[] = [];
  #tables: MetricDatum[] = [];

  constructor(stage: Stage, pipeline: string, now: () => Date) {
    this.#stage = stage;
    this.#pipeline = pipeline;
    this.#now = now;
  }

  /** Tables count when their batch is committed: an attempt that fails or loses has brought nothing. */
  event({ event, table, rows = 0, bytes = 0, quarantined = 0, seconds }: ReportEvent): void {
    if (event === 'table' && table !== undefined) {
      const dimensions = { ...this.#ofStage(), Table: table };
      if (rows > 0) this.#tables.push(this.#datum('Rows', 'Count', rows, dimensions));
      if (rows > 0 && bytes > 0) this.#tables.push(this.#datum('Bytes', 'Bytes', bytes, dimensions));
      return;
    }
    if (event === 'batch') {
      this.#data.push(...this.#tables);
      if (seconds !== undefined) this.#data.push(this.#datum('Duration', 'Seconds', seconds, this.#ofStage()));
      if (quarantined > 0) this.#data.push(this.#datum('NewQuarantinedRows', 'Count', quarantined, this.#ofStage()));
    }
    if (event !== 'warning') this.#tables = [];
  }

  /** What an attempt counted that did not end in a batch. */
  forgetAttempt(): void {
    this.#tables = [];
  }

  gauges(gauges: Gauges): void {
    for (const [name, value] of Object.entries(gauges)) {
      const unit = IN_SECONDS.has(name) ? 'Seconds' : 'Count';
      const dimensions = OF_PIPELINE.has(name) ? this.#ofPipeline() : this.#ofStage();
      this.#data.push(this.#datum(name, unit, value, dimensions));
    }
  }

  /** Sends what was collected. @throws what the SDK throws. */
  async send(): Promise<void> {
    const data = this.#data;
    this.#data = [];
    const sdk = await import('../aws/cloudwatch.ts');
    client ??= new sdk.CloudWatchClient({ ...awsClientSettings, maxAttempts: 3 });
    for (let at = 0; at < data.length; at += DATA_PER_CALL) {
      const MetricData = data.slice(at, at + DATA_PER_CALL);
      await client.send(new sdk.PutMetricDataCommand({ Namespace: NAMESPACE, MetricData }));
    }
  }

  #ofPipeline(): Readonly<Record<string, string>> {
    return { Pipeline: this.#pipeline };
  }

  #ofStage(): Readonly<Record<string, string>> {
    return { Pipeline: this.#pipeline, Stage: this.#stage };
  }

  #datum(name: string, unit: Unit, value: number, dimensions: Readonly<Record<string, string>>): MetricDatum {
    const Dimensions = Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value }));
    return { MetricName: name, Unit: unit, Value: value, Timestamp: this.#now(), Dimensions };
  }
}
