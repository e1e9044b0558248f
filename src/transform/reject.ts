import type { FileColumn } from '../shared/parquet/arrow.ts';
import type { Cell } from '../shared/types/type.ts';
import type { CsvRecord } from './csv.ts';

/** A row that could not be made, whole and with the reason: an output of the batch like any other. */
export interface Reject {
  readonly table: string;
  readonly key: string | null;
  readonly column: string;
  readonly reason: string;
  /** The source row: its columns as PostgreSQL's text. */
  readonly row: Readonly<Record<string, string | null>>;
}

const text = { kind: 'text' } as const;

export const REJECT_COLUMNS: readonly FileColumn[] = [
  { name: 'table_name', type: text, nullable: false },
  { name: 'record_key', type: text, nullable: true },
  { name: 'column_name', type: text, nullable: false },
  { name: 'reason', type: text, nullable: false },
  { name: 'row', type: text, nullable: false },
];

export function rejectCells({ table, key, column, reason, row }: Reject): readonly Cell[] {
  return [table, key, column, reason, JSON.stringify(row)];
}

export function sourceRow(header: readonly string[], record: CsvRecord): Reject['row'] {
  return Object.fromEntries(header.map((column, at) => [column, record[at] ?? null]));
}
