import type { Cell, ColumnType } from '../types/type.ts';

/** A declared column as plain data. */
export interface ColumnSpec {
  readonly type: ColumnType;
  readonly nullable: boolean;
  readonly key: boolean;
}

/**
 * A column of a source table while it is being declared; `table()` makes plain data of it. `C` is the cell it holds:
 * `Row<typeof staff>` is inferred from it. Columns are not null unless they say `.nullable()`: a null where none
 * may be goes to quarantine, not into a report.
 */
export class Column<out C extends Cell = Cell> {
  /** Only a type: what `Row` is inferred from. */
  declare readonly cell: C;
  readonly spec: ColumnSpec;

  constructor(spec: ColumnSpec) {
    this.spec = spec;
  }

  /** The column that tells one row from another; one a table. */
  key(): Column<C> {
    return new Column<C>({ ...this.spec, key: true });
  }

  nullable(): Column<C | null> {
    return new Column<C | null>({ ...this.spec, nullable: true });
  }
}

function of<C extends Cell>(type: ColumnType): Column<C> {
  return new Column<C>({ type, nullable: false, key: false });
}

export const int = () => of<number>({ kind: 'int' });
export const bigint = () => of<bigint>({ kind: 'bigint' });
export const double = () => of<number>({ kind: 'double' });
/** Also for every type that Starling does not know: its text form is kept as it is. */
export const text = () => of<string>({ kind: 'text' });
export const boolean = () => of<boolean>({ kind: 'boolean' });
export const date = () => of<number>({ kind: 'date' });
export const time = () => of<number>({ kind: 'time' });
export const timestamp = () => of<bigint>({ kind: 'timestamp' });
export const timestamptz = () => of<bigint>({ kind: 'timestamptz' });

/** `numeric()` holds any decimal, `numeric(10, 2)` those with at most 10 digits, 2 of them decimals. */
export function numeric(): Column<string>;
export function numeric(precision: number, scale: number): Column<string>;
export function numeric(precision?: number, scale?: number): Column<string> {
  const digits = precision === undefined ? null : { precision, scale: scale ?? 0 };
  return of<string>({ kind: 'numeric', digits });
}
