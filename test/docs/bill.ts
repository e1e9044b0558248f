import type { DayFigures, Figures, StageFigures } from '../aws/day-figures.ts';
import type { Stage } from '../../src/shared/report.ts';
import type { Deployed } from './deployed.ts';

/** Of a month of 30 days. */
export const WORKING_DAYS = 22;
export const QUIET_DAYS = 8;
const DAYS = WORKING_DAYS + QUIET_DAYS;
const HOURS = DAYS * 24;

/** What no day tells; the page says so. */
export const ASSUMED = {
  /** Each role asks KMS anew for the key of each bucket that it uses. */
  kmsRoleAndBucket: 5,
  kmsAskedAnewADay: 288,
  alerts: 10,
  /** Five long polls of 20 seconds at a time, which is what Lambda does to a queue that is empty. */
  pollsAQueueAndDay: 5 * 3 * 60 * 24,
  zones: 2,
  /** Lambda's START, END and REPORT. */
  platformLines: 3,
  platformBytes: 300,
} as const;

/** CloudWatch Logs adds this to every line. */
const LINE_OVERHEAD_BYTES = 26;
/** Memory that comes with one whole vCPU. */
const MB_A_VCPU = 1769;
const GB = 2 ** 30;
/** A version under `state/` goes a day after the next one has come. */
const STATE_DAYS = 2;

const STAGES = ['ingest', 'transform', 'load'] as const satisfies readonly Stage[];

/** A line of the bill: how much of it there is a day, null where it does not come by the day, and a month. */
export interface Line {
  readonly name: string;
  readonly workingDay: number | null;
  readonly quietDay: number | null;
  readonly month: number;
}

/** Unit prices by the name of their line. */
export type Prices = ReadonlyMap<string, { readonly usd: number; readonly per: number; readonly free: number }>;

/** What is there all month, or is assumed. */
function standing(name: string, month: number): Line {
  return { name, workingDay: null, quietDay: null, month };
}

export function linesOf(figures: Figures, deployed: Deployed): readonly Line[] {
  const { working_day: working, quiet_day: quiet } = figures;
  const daily = (name: string, of: (day: DayFigures) => number): Line =>
    ({ name, workingDay: of(working), quietDay: of(quiet), month: WORKING_DAYS * of(working) + QUIET_DAYS * of(quiet) });
  const ingested = daily('Logs: ingestion, GB', (day) => sum(day, logBytes) / GB);
  return [
    daily('Lambda: requests', invocations),
    daily('Lambda: duration, GB-s', (day) => gigabyteSeconds(day, deployed)),
    daily('Scheduler: invocations', ({ looks, sweeps_a_stage }) => looks + 2 * sweeps_a_stage),
    daily('S3: PUT, POST, LIST', (day) => requests(day, ['s3:PutObject', 's3:ListBucket'])),
    daily('S3: GET, HEAD', (day) => requests(day, ['s3:GetObject'])),
    { ...daily('S3: storage, GB-month', (day) => bytesOf(day.stored) / GB), month: storedGb(figures) },
    standing('KMS: key', deployed.keys),
    standing('KMS: requests', ASSUMED.kmsRoleAndBucket * ASSUMED.kmsAskedAnewADay * DAYS),
    standing('Secrets Manager: secrets', deployed.secrets),
    // Once a call. In the measured day the calls follow each other within the minute for which one is kept.
    daily('Secrets Manager: requests', ({ stages }) => stages.ingest.invocations + stages.load.invocations),
    daily('SQS: requests', () => deployed.queues * ASSUMED.pollsAQueueAndDay),
    { ...daily('CloudWatch: metrics', metricHours), month: metricMonths(working, quiet) },
    daily('CloudWatch: PutMetricData', (day) => requests(day, ['cloudwatch:PutMetricData'])),
    standing('CloudWatch: metrics in alarms', deployed.alarmMetrics),
    standing('CloudWatch: dashboard', deployed.dashboards),
    ingested,
    standing('Logs: storage, GB-month', (ingested.month * deployed.logRetentionDays) / DAYS),
    standing('SNS: SMS', ASSUMED.alerts),
    standing('SNS: emails', ASSUMED.alerts),
  ];
}

/** In a VPC that leads nowhere: the endpoints, by the hour and zone. */
export function endpointHours({ endpoints }: Deployed): Line {
  return standing('VPC: endpoint hours', endpoints * ASSUMED.zones * HOURS);
}

export function usdOf({ name, month }: Pick<Line, 'name' | 'month'>, prices: Prices, isFreeCounted = false): number {
  const price = prices.get(name);
  if (!price) throw new Error(`the page has no price of ${name}`);
  return (Math.max(0, month - (isFreeCounted ? price.free : 0)) / price.per) * price.usd;
}

export function total(lines: readonly Line[], prices: Prices, isFreeCounted = false): number {
  return lines.reduce((usd, line) => usd + usdOf(line, prices, isFreeCounted), 0);
}

/** By which changes the bill becomes another, and what it is then. */
export function variations(figures: Figures, deployed: Deployed, prices: Prices): ReadonlyMap<string, number> {
  const of = (changed: Partial<Figures>, other: Partial<Deployed> = {}): number =>
    total(linesOf({ ...figures, ...changed }, { ...deployed, ...other }), prices);
  const both = (change: (day: DayFigures) => DayFigures): Partial<Figures> =>
    ({ working_day: change(figures.working_day), quiet_day: change(figures.quiet_day) });
  return new Map([
    ['without the dashboard', of({}, { dashboards: 0 })],
    ['without the metrics a table', of(both(withoutTableMetrics))],
    ['without both', of(both(withoutTableMetrics), { dashboards: 0 })],
    ['sweeps every 15 minutes', of(both((day) => withFewerSweeps(day, figures.quiet_day)))],
    ['all answers take twice as long', of(both(withSlowAnswers))],
    ['the free allowances of an account with nothing else in it', total(linesOf(figures, deployed), prices, true)],
    ['with endpoints of its own in a VPC', of({}) + usdOf(endpointHours(deployed), prices)],
  ]);
}

/** How much the lake holds after a year, in GB. */
export function storedAfterAYear({ first_load, working_day }: Figures): number {
  return (bytesOf(first_load.stored) + 12 * WORKING_DAYS * bytesOf(working_day.stored)) / GB;
}

/** How long Lambda would take for what was measured: waiting is waiting, computing takes its share of a core. */
export function billedSeconds({ milliseconds, cpu_milliseconds, init_milliseconds }: StageFigures, memoryMb: number): number {
  // One call computes on one thread, hardly ever on two: a second core is of no use to it.
  const share = Math.min(1, memoryMb / MB_A_VCPU);
  const waiting = Math.max(0, milliseconds - cpu_milliseconds);
  return (waiting + (cpu_milliseconds + init_milliseconds) / share) / 1000;
}

function gigabyteSeconds({ stages }: DayFigures, { memoryMb }: Deployed): number {
  return STAGES.reduce((sum, stage) => sum + (billedSeconds(stages[stage], memoryMb[stage]) * memoryMb[stage]) / 1024, 0);
}

function sum({ stages }: DayFigures, of: (stage: StageFigures) => number): number {
  return STAGES.reduce((total, stage) => total + of(stages[stage]), 0);
}

function invocations(day: DayFigures): number {
  return sum(day, (stage) => stage.invocations);
}

function requests(day: DayFigures, actions: readonly string[]): number {
  return sum(day, (stage) => actions.reduce((total, action) => total + (stage.requests[action] ?? 0), 0));
}

function logBytes({ log_bytes, log_lines, invocations }: StageFigures): number {
  const { platformLines, platformBytes } = ASSUMED;
  return log_bytes + LINE_OVERHEAD_BYTES * (log_lines + platformLines * invocations) + platformBytes * invocations;
}

function metricHours({ metric_hours }: DayFigures): number {
  return Object.values(metric_hours).reduce((total, hours) => total + hours, 0);
}

function metricMonths(working: DayFigures, quiet: DayFigures): number {
  return (WORKING_DAYS * metricHours(working) + QUIET_DAYS * metricHours(quiet)) / HOURS;
}

function bytesOf({ ingestion, processed }: DayFigures['stored']): number {
  return ingestion.bytes + processed.bytes;
}

/** Over the first month: what was there at its beginning, and on average half of what came. */
function storedGb({ first_load, working_day }: Figures): number {
  const came = WORKING_DAYS * bytesOf(working_day.stored);
  return (bytesOf(first_load.stored) + came / 2 + STATE_DAYS * bytesOf(working_day.state)) / GB;
}

function withStages(day: DayFigures, change: (stage: StageFigures, name: Stage) => StageFigures): DayFigures {
  const { ingest, transform, load } = day.stages;
  const stages = { ingest: change(ingest, 'ingest'), transform: change(transform, 'transform'), load: change(load, 'load') };
  return { ...day, stages };
}

/** Two of three sweeps less; what such a sweep costs is what it costs on the quiet day. */
function withFewerSweeps(day: DayFigures, quiet: DayFigures): DayFigures {
  const less = (Math.trunc((day.sweeps_a_stage * 2) / 3)) / quiet.sweeps_a_stage;
  const fewer = withStages(day, (stage, name) => {
    if (name === 'ingest') return stage;
    const idle = quiet.stages[name];
    const minus = (of: (figures: StageFigures) => number): number => of(stage) - less * of(idle);
    return {
      ...stage,
      invocations: minus((figures) => figures.invocations),
      milliseconds: minus((figures) => figures.milliseconds),
      cpu_milliseconds: minus((figures) => figures.cpu_milliseconds),
      log_lines: minus((figures) => figures.log_lines),
      log_bytes: minus((figures) => figures.log_bytes),
      requests: Object.fromEntries(Object.keys(stage.requests).map((action) =>
        [action, minus((figures) => figures.requests[action] ?? 0)])),
    };
  });
  return { ...fewer, sweeps_a_stage: day.sweeps_a_stage / 3 };
}

function withoutTableMetrics(day: DayFigures): DayFigures {
  const { Rows: _rows, Bytes: _bytes, ...others } = day.metric_hours;
  return { ...day, metric_hours: others };
}

function withSlowAnswers(day: DayFigures): DayFigures {
  return withStages(day, (stage) =>
    ({ ...stage, milliseconds: 2 * stage.milliseconds - Math.min(stage.milliseconds, stage.cpu_milliseconds) }));
}
