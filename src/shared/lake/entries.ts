import * as v from 'valibot';
import { logEntryBase } from './log.ts';

/**
 * What the entries of the two logs say. They are the pipeline's only state: whoever reads them can rebuild everything
 * that comes after. Changing a field's meaning takes a new `format`.
 */
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** An object that a batch consists of: nothing counts that no entry names. */
const partSchema = v.object({ key: v.string(), rows: count, bytes: count });
export type Part = v.InferOutput<typeof partSchema>;

/** What makes a source the same source: when any of it changes, transaction ids mean something else. */
const identitySchema = v.object({
  system_identifier: v.nullable(v.string()),
  database_oid: v.string(),
  in_recovery: v.boolean(),
  timeline: v.nullable(v.string()),
  address: v.nullable(v.string()),
  port: v.nullable(v.number()),
  /** When each of the server's statistics began, by name. Not in older entries. */
  statistics: v.optional(v.record(v.string(), v.nullable(v.string()))),
});
export type SourceIdentity = v.InferOutput<typeof identitySchema>;

/** A physical relation that holds rows of a table: itself, or its partitions and children. */
const leafSchema = v.object({ oid: v.string(), filenode: v.string(), fingerprint: v.string() });
export type Leaf = v.InferOutput<typeof leafSchema>;

/** A row that a batch saw. */
const witnessSchema = v.object({
  /** Where it was. */
  leaf: v.string(),
  ctid: v.string(),
  /** Which transaction had written it: the 32 bits that the row keeps. */
  xmin: v.string(),
  key: v.string(),
  /** Of what it held. */
  digest: v.string(),
});
export type Witness = v.InferOutput<typeof witnessSchema>;

const tableSchema = v.object({
  declaration: v.string(),
  fingerprint: v.string(),
  /** Where the next batch starts: a 64-bit transaction id (`xmin`), the column's highest value (`cursor`), or nothing. */
  cursor: v.nullable(v.string()),
  leaves: v.array(leafSchema),
  /** The columns of its CSV, in order. */
  columns: v.array(v.string()),
  /** Why the table was read whole, where it was. */
  whole: v.nullable(v.string()),
  /** SHA-256 of what `full` read, or of what `cursor` will read again, to tell whether the next look finds the same. */
  digest: v.nullable(v.string()),
  rows: count,
  /**
   * All rows that the table had at the snapshot, where it is followed by transaction id. Not known of other tables, nor
   * in older entries.
   */
  rows_in_source: v.optional(count),
  /** Some of the rows last read: in a history that is not this one, others wrote them. Not in older entries. */
  witnesses: v.optional(v.array(witnessSchema)),
  parts: v.array(partSchema),
});
export type IngestedTable = v.InferOutput<typeof tableSchema>;

export const ingestionEntrySchema = v.object({
  ...logEntryBase,
  /** Starling's own clock when the snapshot was taken. */
  snapshot_at: v.string(),
  model: v.string(),
  source: identitySchema,
  /** `pg_current_snapshot()` of the batch. */
  snapshot: v.string(),
  /** Where the primary's log was just behind the snapshot; it had been flushed up to there before the commit. */
  lsn: v.optional(v.nullable(v.string())),
  tables: v.record(v.string(), tableSchema),
});
export type IngestionEntry = v.InferOutput<typeof ingestionEntrySchema>;

const outputSchema = v.object({
  hash: v.string(),
  /** All rows of the output, not only those that changed: for people who read the log. */
  whole: v.boolean(),
  rows: count,
  parts: v.array(partSchema),
});
export type TransformedOutput = v.InferOutput<typeof outputSchema>;

const mirrorSchema = v.object({ columns: v.array(v.string()), rows: count, parts: v.array(partSchema) });
export type MirrorObjects = v.InferOutput<typeof mirrorSchema>;

export const processedEntrySchema = v.object({
  ...logEntryBase,
  snapshot_at: v.string(),
  model: v.string(),
  outputs: v.record(v.string(), outputSchema),
  /** Every mirror as of this batch: transform of the next one reads exactly these. */
  mirrors: v.record(v.string(), mirrorSchema),
  /** All skips that transform knew of: those it did not are news to the next batch. Not in older entries. */
  skips: v.optional(v.array(v.string())),
  /** Rows of source tables that this batch does without, as an operator wished. */
  skipped: v.optional(v.record(v.string(), count)),
});
export type ProcessedEntry = v.InferOutput<typeof processedEntrySchema>;
