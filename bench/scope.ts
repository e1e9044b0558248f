import { availableParallelism } from 'node:os';
import type { Stage } from '../src/shared/report.ts';
import type { Compared } from './in-turn.ts';
import type { Prepared } from './prepared.ts';

/** One measured figure, as `results.json` has it. */
export interface Figure {
  readonly name: FigureName;
  /** What the target is for. */
  readonly value: number;
  readonly ours: number;
  /** Null where there is nothing to compare with. */
  readonly yardstick: number | null;
  /** Of `ours` and `yardstick`; `value` is their ratio unless there is no yardstick. */
  readonly unit: 's' | 'MB' | 'rows/s' | 'ms';
  readonly reached: boolean;
  readonly target: string;
  /** Processor seconds, ours with those of the server, where the system tells. */
  readonly ours_cpu: number | null;
  readonly yardstick_cpu: number | null;
  /** Whatever else was seen. */
  readonly detail?: Readonly<Record<string, number | string>>;
}

interface Target {
  readonly most?: number;
  readonly least?: number;
  /** A bound on ours as well. */
  readonly oursMost?: number;
}

/** What is to be reached, in the order in which it is told. */
export const TARGETS = {
  ingest_vs_copy: { most: 1.05 },
  transform_vs_duckdb: { most: 1 },
  transform_cold_vs_duckdb: { most: 1 },
  load_vs_copy: { most: 1.15 },
  endtoend_vs_sum: { most: 1 },
  delta_vs_scan: { most: 3 },
  idle_vs_scan: { most: 1.3 },
  current_vs_table: { most: 1.05 },
  transform_rss_growth: { most: 1.1, oursMost: 300 },
  ingest_rss_mb: { most: 200 },
  load_rss_mb: { most: 200 },
  rows_per_s_growth: { least: 0.95 },
  cold_import: { most: 1.25 },
  zip_mb: { most: 2 },
} as const satisfies Readonly<Record<string, Target>>;

export type FigureName = keyof typeof TARGETS;

/** What the stages took at so many rows. */
export interface CurvePoint extends Readonly<Record<Stage, { readonly seconds: number; readonly peak_mb: number }>> {
  readonly rows: number;
}

/** What a figure is measured with. */
export interface Scope {
  /** Of the project. */
  readonly root: string;
  readonly prepared: Prepared;
  /** Sales orders; `4 ×` in the figures of growth. */
  readonly rows: number;
  readonly rounds: number;
  readonly wanted: ReadonlySet<FigureName>;
  /** Of a figure that is not wanted nobody is told. */
  readonly tell: (figure: Figure) => void;
  /** For the plot, as far as it is measured. */
  readonly curve: CurvePoint[];
}

/** Ours are the one that reads and the one that encodes Parquet; DuckDB gets as many. */
export const THREADS = Math.min(2, availableParallelism());

type Detail = NonNullable<Figure['detail']>;

/** Ours in parts of the yardstick, by the clock. */
export function ratio(name: FigureName, { ours, yardstick }: Compared, detail?: Detail): Figure {
  const cpus = { ours_cpu: ours.cpu, yardstick_cpu: yardstick.cpu };
  return figure(name, { value: ours.seconds / yardstick.seconds, ours: ours.seconds, yardstick: yardstick.seconds, unit: 's', ...cpus }, detail);
}

type Found = Pick<Figure, 'value' | 'ours' | 'yardstick' | 'unit'> & Partial<Pick<Figure, 'ours_cpu' | 'yardstick_cpu'>>;

export function figure(name: FigureName, found: Found, detail?: Detail): Figure {
  const target: Target = TARGETS[name];
  const { most = Infinity, least = -Infinity, oursMost = Infinity } = target;
  const reached = found.value <= most && found.value >= least && found.ours <= oursMost;
  const common = { name, ours_cpu: null, yardstick_cpu: null, ...found, reached, target: wordsOf(target, found.unit) };
  return detail === undefined ? common : { ...common, detail };
}

function wordsOf({ most, least, oursMost }: Target, unit: string): string {
  return [
    ...(most === undefined ? [] : [`≤ ${most}`]),
    ...(least === undefined ? [] : [`≥ ${least}`]),
    ...(oursMost === undefined ? [] : [`ours ≤ ${oursMost} ${unit}`]),
  ].join(', ');
}

/** `name value (ours … yardstick …)`, and whether that is what was to be reached. */
export function lineOf({ name, value, ours, yardstick, unit, reached, target, ours_cpu, yardstick_cpu }: Figure): string {
  const theirs = yardstick === null ? '–' : `${short(yardstick)} ${unit}`;
  const cpus = ours_cpu === null || yardstick_cpu === null ? '' : `, of the processors ${short(ours_cpu)} and ${short(yardstick_cpu)} s`;
  const verdict = reached ? target : `MISSED, to reach: ${target}`;
  return `${name} ${short(value)} (ours ${short(ours)} ${unit} yardstick ${theirs}${cpus}) ${verdict}`;
}

export function short(value: number): string {
  return value >= 1_000 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
