/**
 * The column types of the model language: plain data, and the JavaScript value ("cell") that holds one value of each.
 *
 * | type                    | cell                                                                      |
 * |-------------------------|---------------------------------------------------------------------------|
 * | int, double             | number                                                                    |
 * | bigint                  | bigint                                                                    |
 * | text                    | string                                                                    |
 * | boolean                 | boolean                                                                   |
 * | numeric                 | string: plain decimal digits; exactly `scale` decimals where one is given |
 * | date                    | number: days since 1970-01-01                                             |
 * | time                    | number: microseconds since midnight                                       |
 * | timestamp, timestamptz  | bigint: microseconds since 1970-01-01 00:00 UTC                           |
 */
export type ColumnType =
  | { readonly kind: 'int' | 'bigint' | 'double' | 'text' | 'boolean' | 'date' | 'time' | 'timestamp' | 'timestamptz' }
  | { readonly kind: 'numeric'; readonly digits: NumericDigits | null };

/** `numeric(precision, scale)`; PostgreSQL's unbounded `numeric` has none. */
export interface NumericDigits {
  readonly precision: number;
  readonly scale: number;
}

export type TypeKind = ColumnType['kind'];
export type Value = string | number | bigint | boolean;
export type Cell = Value | null;

/** Why a value cannot be held by a type. Says what was expected, never what was found: that is a customer's data. */
export class Unfit {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** How one kind of type reads and writes PostgreSQL's text form (under the session settings that ingest fixes). */
export interface TextCodec<V extends Value> {
  parse(text: string, type: ColumnType): V | Unfit;
  format(value: V, type: ColumnType): string;
}
