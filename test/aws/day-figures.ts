import * as v from 'valibot';

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const stageSchema = v.object({
  invocations: count,
  /** Containers that were started for them. */
  cold_starts: count,
  batches: count,
  /** Of the calls, on the machine that measured: computing and waiting. */
  milliseconds: count,
  /** How much of that was computing. */
  cpu_milliseconds: count,
  /** Of the cold starts, before the first call. */
  init_milliseconds: count,
  log_lines: count,
  log_bytes: count,
  /** By action, as IAM calls it. */
  requests: v.record(v.string(), count),
});

const storedSchema = v.object({ objects: count, bytes: count });
const bucketsSchema = v.object({ ingestion: storedSchema, processed: storedSchema });

const daySchema = v.object({
  looks: count,
  sweeps_a_stage: count,
  /** Batches that ingest wrote: looks that found something. */
  batches: count,
  stages: v.object({ ingest: stageSchema, transform: stageSchema, load: stageSchema }),
  /** Metrics of one's own that had data, each once an hour, by name. */
  metric_hours: v.record(v.string(), count),
  /** Names and dimensions that are different. */
  metrics: count,
  /** What came to `log/`, `data/` and `mirror/`, and stays. */
  stored: bucketsSchema,
  /** Versions under `state/`, which go after a day. */
  state: bucketsSchema,
});

/** docs/cost-day.json */
export const figuresSchema = v.object({
  measured_on: v.pipe(v.string(), v.isoDate()),
  node: v.string(),
  processor: v.string(),
  /** Sales orders that were there before the first day. */
  orders: count,
  rows_changed: v.record(v.string(), count),
  first_load: v.object({ stored: bucketsSchema }),
  working_day: daySchema,
  quiet_day: daySchema,
});

export type Figures = v.InferOutput<typeof figuresSchema>;
export type DayFigures = Figures['working_day'];
export type StageFigures = v.InferOutput<typeof stageSchema>;
export type Buckets = v.InferOutput<typeof bucketsSchema>;
