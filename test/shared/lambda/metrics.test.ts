import { CloudWatchClient, type MetricDatum, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { describe, expect, test, vi } from 'vitest';
import { Metrics } from '../../../src/shared/lambda/metrics.ts';
import type { ReportEvent } from '../../../src/shared/report.ts';

const NOON = new Date('2031-03-01T12:00:00Z');

/** What would be sent for these events, call by call. */
async function sent(events: readonly ReportEvent[], measured = {}): Promise<readonly (readonly MetricDatum[])[]> {
  const calls: (readonly MetricDatum[])[] = [];
  vi.stubEnv('AWS_REGION', 'eu-west-2');
  vi.spyOn(CloudWatchClient.prototype, 'send').mockImplementation((command: unknown) => {
    if (command instanceof PutMetricDataCommand) calls.push(command.input.MetricData ?? []);
  });
  const metrics = new Metrics('ingest', 'starling', () => NOON);
  for (const event of events) metrics.event(event);
  metrics.gauges(measured);
  await metrics.send();
  return calls;
}

const told = (calls: readonly (readonly MetricDatum[])[]) =>
  calls.flat().map(({ MetricName, Value, Dimensions = [] }) => {
    const names = Dimensions.map((dimension) => dimension.Value).join(' ');
    return `${MetricName} ${names}: ${Value}`;
  });

const table = (batch: number, name: string, rows: number): ReportEvent => ({
  event: 'table', stage: 'ingest', batch, table: name, rows, bytes: rows * 10,
});

describe('the metrics of a call', () => {
  test('have the tables of batches that were committed', async () => {
    const events: ReportEvent[] = [
      table(7, 'staff', 3), table(7, 'design', 0), { event: 'batch', stage: 'ingest', batch: 7, rows: 3, seconds: 1.5, quarantined: 2 },
    ];
    expect(told(await sent(events, { CursorAge: 12 }))).toEqual([
      'Rows starling ingest staff: 3', 'Bytes starling ingest staff: 30', 'Duration starling ingest: 1.5',
      'NewQuarantinedRows starling ingest: 2', 'CursorAge starling: 12',
    ]);
  });

  test('have nothing of attempts that lost, were left to others, or failed', async () => {
    const events: ReportEvent[] = [
      table(7, 'staff', 100), { event: 'lost', stage: 'ingest', batch: 7, seconds: 1 },
      table(8, 'staff', 100), { event: 'busy', stage: 'ingest', batch: 8 },
      table(9, 'staff', 100), { event: 'warning', stage: 'ingest', batch: 9, message: 'then it failed' },
    ];
    expect(told(await sent(events))).toEqual([]);
  });

  test('are sent in portions that CloudWatch takes, each with its time', async () => {
    const events = [...Array(300).keys()].map((at) => table(1, `table_${at}`, 1));
    const calls = await sent([...events, { event: 'batch', stage: 'ingest', batch: 1, rows: 300, seconds: 1 }]);
    expect(calls.map((data) => data.length)).toEqual([500, 101]);
    for (const datum of calls.flat()) expect(datum.Timestamp).toEqual(NOON);
  });
});
