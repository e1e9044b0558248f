import * as v from 'valibot';
import { isDataKey, isMirrorKey } from './key.ts';
import { instant, logEntryBase } from './log.ts';

/**
 * What the entries of the two logs say. They are the pipeline's only state: whoever reads them can rebuild everything
 * that comes after. Changing a field's meaning takes a new `format`.
 */
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** Numbers beyond 53 bits, as PostgreSQL writes them. */
const digits = v.pipe(v.string(), v.regex(/^\d{1,20}$/));

/**
 * Things by the names of their tables. Without a prototype: a table may be called `toString`, and an entry that does not
 * name it must not seem to. An array would pass for a record of nothing.
 */
function byName<T>(value: v.GenericSchema<unknown, T>): v.GenericSchema<unknown, Record<string, T>> {
  const isNoArray = v.check((input: unknown) => !Array.isArray(input));
  return v.pipe(v.unknown(), isNoArray, v.record(v.string(), value), v.transform(withoutPrototype));
}

export function withoutPrototype<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  const bare: Record<string, T> = Object.create(null);
  return Object.assign(bare, record);
}

/** An object that a batch consists of: nothing counts that no entry names. */
export const partSchema = v.object({ key: v.string(), rows: count, bytes: count });
export type Part = v.InferOutput<typeof partSchema>;

interface Counted {
  readonly rows: number;
  readonly parts: readonly Part[];
}

/** What has no rows is not looked at, and an object that is named twice would be read twice. */
function isCounted({ rows, parts }: Counted): boolean {
  const distinct = new Set(parts.map((part) => part.key));
  return distinct.size === parts.length && parts.reduce((sum, part) => sum + part.rows, 0) === rows;
}

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
const leafSchema = v.object({ oid: digits, filenode: digits, fingerprint: v.string() });
export type Leaf = v.InferOutput<typeof leafSchema>;

/** A row that a batch saw. */
const witnessSchema = v.object({
  /** Where it was. */
  leaf: digits,
  ctid: v.pipe(v.string(), v.regex(/^\(\d{1,10},\d{1,5}\)$/)),
  /** Which transaction had written it: the 32 bits that the row keeps. */
  xmin: digits,
  key: v.string(),
  /** Of what it held. */
  digest: v.string(),
});
export type Witness = v.InferOutput<typeof witnessSchema>;

/** A transaction id or another number, or a day or time in ISO's form. */
const CURSOR = /^(?:-?\d{1,20}|\d{4,}-\d\d-\d\d(?: [\d:.+-]+)?(?: BC)?)$/;

const tableFields = v.object({
  declaration: v.string(),
  fingerprint: v.string(),
  /** Where the next batch starts: a 64-bit transaction id (`xmin`), the column's highest value (`cursor`), or nothing. */
  cursor: v.nullable(v.pipe(v.string(), v.regex(CURSOR))),
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
const tableSchema = v.pipe(tableFields, v.check((held) => isCounted(held)));
export type IngestedTable = v.InferOutput<typeof tableSchema>;

const ingestionFields = v.object({
  ...logEntryBase,
  /** Starling's own clock when the snapshot was taken. */
  snapshot_at: instant,
  model: v.string(),
  source: identitySchema,
  /** `pg_current_snapshot()` of the batch. */
  snapshot: v.pipe(v.string(), v.regex(/^\d{1,20}:\d{1,20}:[\d,]*$/)),
  /** Where the primary's log was just behind the snapshot; it had been flushed up to there before the commit. */
  lsn: v.optional(v.nullable(v.pipe(v.string(), v.regex(/^[\dA-F]{1,8}\/[\dA-F]{1,8}$/)))),
  tables: byName<IngestedTable>(tableSchema),
});

/** Who follows a key that an entry names reads what the key says: so it has to say what the entry says. */
export const ingestionEntrySchema = v.pipe(
  ingestionFields,
  v.forward(
    v.check(({ batch, attempt, tables }) =>
      Object.entries(tables).every(([table, { parts }]) =>
        parts.every(({ key }) => isDataKey(key, table, batch, attempt, 'csv')))),
    ['tables'],
  ),
);
export type IngestionEntry = v.InferOutput<typeof ingestionEntrySchema>;

const outputFields = v.object({
  hash: v.string(),
  /** All rows of the output, not only those that changed: for people who read the log. */
  whole: v.boolean(),
  rows: count,
  parts: v.array(partSchema),
});
const outputSchema = v.pipe(outputFields, v.check((held) => isCounted(held)));
export type TransformedOutput = v.InferOutput<typeof outputSchema>;

const mirrorFields = v.object({ columns: v.array(v.string()), rows: count, parts: v.array(partSchema) });
const mirrorSchema = v.pipe(mirrorFields, v.check((held) => isCounted(held)));
export type MirrorObjects = v.InferOutput<typeof mirrorSchema>;

const processedFields = v.object({
  ...logEntryBase,
  snapshot_at: instant,
  model: v.string(),
  outputs: byName<TransformedOutput>(outputSchema),
  /** Every mirror as of this batch: transform of the next one reads exactly these. */
  mirrors: byName<MirrorObjects>(mirrorSchema),
  /** The attempt of ingest whose batch this is. Not in older entries. */
  ingested: v.optional(v.pipe(v.string(), v.uuid())),
  /** Skips of earlier batches that transform knew of: those it did not know of are news to the next batch. */
  skips: v.optional(v.array(v.string())),
  /** What this batch does without, as an operator wished: rows that it brought of a source table, or of an output's. */
  skipped: v.optional(byName<number>(count)),
});

export const processedEntrySchema = v.pipe(
  processedFields,
  v.forward(
    v.check(({ batch, attempt, outputs }) =>
      Object.entries(outputs).every(([table, { parts }]) =>
        parts.every(({ key }) => isDataKey(key, table, batch, attempt, 'parquet')))),
    ['outputs'],
  ),
  v.forward(
    v.check(({ batch, attempt, mirrors }) =>
      Object.entries(mirrors).every(([table, { parts }]) =>
        parts.every(({ key }) => isMirrorKey(key, table, batch, attempt)))),
    ['mirrors'],
  ),
);
export type ProcessedEntry = v.InferOutput<typeof processedEntrySchema>;
