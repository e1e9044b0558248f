import type { Readable } from 'node:stream';

/**
 * The object store that ingest and transform write to and transform and load read from: one bucket, or one directory.
 * Two implementations, `S3Lake` and `DirectoryLake`; `test/shared/lake/contract.ts` holds what both must do.
 *
 * Keys are slash-separated, without a leading slash, of `[A-Za-z0-9._-]` segments that do not start with a dot; others
 * are refused (`lake_corrupt`) before anything is touched, and listings leave them out. All methods throw
 * `PipelineError`s of the `lake_*` kinds, or `config` where there is no such bucket.
 */
export interface Lake {
  /** For people: where this is, without secrets (`s3://bucket`, a directory). */
  readonly location: string;

  /**
   * The object as a stream of bytes. A broken or short stream fails with an error; it never just ends. `lake_missing`
   * when there is none. The chunks are whose who asked for them, memory and all.
   */
  get(key: string): Promise<Readable>;

  /**
   * Writes a new object from a stream of unknown length with bounded memory; resolves to its size in bytes once it is
   * durable. It exists whole or not at all: when `body` fails, there is no object and its error passes unchanged. Keys
   * carry an attempt id and are never reused: `lake_unavailable` where another object is. The chunks must not be
   * written to again.
   */
  put(key: string, body: AsyncIterable<Uint8Array>): Promise<number>;

  /** Writes `body` unless the key exists: of any number of racers exactly one is told `created`. */
  putIfAbsent(key: string, body: Uint8Array): Promise<'created' | 'exists'>;

  /** Overwrites a small object (`state/…`), whole or not at all. */
  replace(key: string, body: Uint8Array): Promise<void>;

  /** Keys under `prefix` in byte order, those greater than `after` only; fetched a page at a time. */
  list(prefix: string, after?: string): AsyncIterable<string>;

  /** Removes an object; that there is none is no error. */
  delete(key: string): Promise<void>;
}
