import { CloudWatchClient, GetMetricStatisticsCommand, ListMetricsCommand, type StandardUnit } from '@aws-sdk/client-cloudwatch';
import type { Moto } from './moto.ts';

/** Metrics that were sent, by name and dimensions: `Rows{Stage=load,Table=dim_date}`. */
export interface MetricReader {
  readonly names: () => Promise<readonly string[]>;
  /** All values' sum, highest and number. */
  readonly statistics: (name: string, dimensions: Readonly<Record<string, string>>, unit: StandardUnit) => Promise<{
    readonly sum: number;
    readonly maximum: number;
    readonly samples: number;
  }>;
}

export function metricsOf(moto: Pick<Moto, 'endpoint'>): MetricReader {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const client = new CloudWatchClient({ endpoint: moto.endpoint, region: 'eu-west-2', credentials });
  return {
    names: async () => {
      const { Metrics = [] } = await client.send(new ListMetricsCommand({ Namespace: 'Starling' }));
      return Metrics.map(({ MetricName, Dimensions = [] }) => {
        const dimensions = Dimensions.filter(({ Name }) => Name !== 'Pipeline').map(({ Name, Value }) => `${Name}=${Value}`);
        return `${MetricName}{${dimensions.join(',')}}`;
      });
    },
    statistics: async (name, dimensions, unit) => {
      const { Datapoints = [] } = await client.send(new GetMetricStatisticsCommand({
        Namespace: 'Starling',
        MetricName: name,
        Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value })),
        StartTime: new Date(Date.now() - 3_600_000),
        EndTime: new Date(Date.now() + 3_600_000),
        Period: 60,
        Statistics: ['Sum', 'Maximum', 'SampleCount'],
        Unit: unit,
      }));
      return {
        sum: Datapoints.reduce((sum, { Sum = 0 }) => sum + Sum, 0),
        maximum: Math.max(...Datapoints.map(({ Maximum = Number.NaN }) => Maximum)),
        samples: Datapoints.reduce((sum, { SampleCount = 0 }) => sum + SampleCount, 0),
      };
    },
  };
}
