import {
  Bool,
  type DataType,
  DateDay,
  Decimal,
  Field,
  Float64,
  Int32,
  Int64,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  TimeMicrosecond,
  TimestampMicrosecond,
  Utf8,
} from 'apache-arrow';
import type { ColumnType } from '../types/type.ts';

/** A column of a Parquet file. */
export interface FileColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
}

/** The values of a column in Arrow's layout, and nothing else: it goes from one thread to another. */
export interface ColumnData {
  readonly length: number;
  readonly nullCount: number;
  readonly nullBitmap: Uint8Array | null;
  readonly data: Int32Array | Uint32Array | Float64Array | Uint8Array | BigInt64Array;
  /** Of texts: where each starts, and behind the last where it ends. */
  readonly valueOffsets?: Int32Array;
}

export interface FilledColumn extends FileColumn {
  readonly values: ColumnData;
}

/** The logical type that the column has in Parquet. An unbounded numeric fits no decimal, so its digits travel as text. */
export function arrowType(type: ColumnType): DataType {
  switch (type.kind) {
    case 'int':
      return new Int32();
    case 'bigint':
      return new Int64();
    case 'double':
      return new Float64();
    case 'text':
      return new Utf8();
    case 'boolean':
      return new Bool();
    case 'date':
      return new DateDay();
    case 'time':
      return new TimeMicrosecond();
    case 'timestamp':
      return new TimestampMicrosecond();
    case 'timestamptz':
      return new TimestampMicrosecond('UTC');
    case 'numeric':
      return type.digits ? new Decimal(type.digits.scale, type.digits.precision, 128) : new Utf8();
  }
}

/** An Arrow table of one record batch. A column that may not be null is, where a batch is older than its declaration. */
export function arrowTable(columns: readonly FilledColumn[]): Table {
  const children = columns.map(({ type, values }) => makeData({ type: arrowType(type), ...values }));
  const fields = columns.map(
    ({ name, type, nullable, values }) => new Field(name, arrowType(type), nullable || values.nullCount > 0),
  );
  const struct = makeData({ type: new Struct(fields), length: columns[0]?.values.length ?? 0, nullCount: 0, children });
  const schema = new Schema(fields);
  return new Table(schema, [new RecordBatch(schema, struct)]);
}
