/** The three stages, in the order that data takes. */
export const STAGES = ['ingest', 'transform', 'load'] as const;
export type Stage = (typeof STAGES)[number];

/**
 * What a stage tells of its work while it works: one flat object an event, the same for the command line's `--json`, for
 * people, and for metrics. Never a cell's value.
 *
 * - `table`: a table of a batch is done. `rows` is what was read (ingest), written (transform) or appended (load).
 * - `range`: a part of a table, or of a batch, that is done by several is done.
 * - `batch`: a batch is committed.
 * - `lost`: another worker committed the batch first; nothing is wrong.
 * - `busy`: another worker is at the batch, and it is left to it.
 * - `nothing_new`: the stage looked and had nothing to do.
 * - `warning`: something that somebody should know, in `message`.
 */
export interface ReportEvent {
  readonly event: 'table' | 'range' | 'batch' | 'lost' | 'busy' | 'nothing_new' | 'warning';
  readonly stage: Stage;
  readonly batch?: number;
  readonly table?: string;
  readonly rows?: number;
  readonly bytes?: number;
  /** Rows that went to quarantine, rows that a dimension changed, and whatever else is counted. */
  readonly quarantined?: number;
  readonly released?: number;
  readonly seconds?: number;
  readonly message?: string;
}

export type Report = (event: ReportEvent) => void;

/** What a stage did when it was asked to do all there is. */
export interface StageResult {
  readonly stage: Stage;
  /** How many batches this call committed. */
  readonly batches: number;
  /** The last batch that the stage has committed, by whomever. */
  readonly head: number;
  /** Nothing that the stage before has committed was left to do. */
  readonly isUpToDate: boolean;
  /** What the next call may want to know, and people: kept in `state/<stage>.json`, advisory. */
  readonly detail?: Readonly<Record<string, string>>;
}
