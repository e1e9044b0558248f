import type { Cell, ColumnType } from '../types/type.ts';
import { ColumnBuffer, larger, packed } from './column-buffer.ts';
import { TextBuffer } from './text-buffer.ts';
import { WordsBuffer } from './words-buffer.ts';

/** `int` and `date`. */
export class Int32Buffer extends ColumnBuffer {
  #values = new Int32Array(0);

  override grow(rows: number): void {
    super.grow(rows);
    this.#values = larger(this.#values, new Int32Array(rows));
  }

  setNumber(row: number, value: number): void {
    this.#values[row] = value;
    this.mark(row);
  }

  protected override setValue(row: number, cell: Exclude<Cell, null>): void {
    this.setNumber(row, Number(cell));
  }

  protected override clear(row: number): void {
    this.#values[row] = 0;
  }

  protected override takeValues(rows: number) {
    const data = this.#values.subarray(0, rows);
    this.#values = new Int32Array(0);
    return { data };
  }
}

export class DoubleBuffer extends ColumnBuffer {
  #values = new Float64Array(0);

  override grow(rows: number): void {
    super.grow(rows);
    this.#values = larger(this.#values, new Float64Array(rows));
  }

  protected override setValue(row: number, cell: Exclude<Cell, null>): void {
    this.#values[row] = Number(cell);
    this.mark(row);
  }

  protected override clear(row: number): void {
    this.#values[row] = 0;
  }

  protected override takeValues(rows: number) {
    const data = this.#values.subarray(0, rows);
    this.#values = new Float64Array(0);
    return { data };
  }
}

export class BooleanBuffer extends ColumnBuffer {
  #values = new Uint8Array(0);

  override grow(rows: number): void {
    super.grow(rows);
    this.#values = larger(this.#values, new Uint8Array(rows));
  }

  setBoolean(row: number, value: boolean): void {
    this.#values[row] = value ? 1 : 0;
    this.mark(row);
  }

  protected override setValue(row: number, cell: Exclude<Cell, null>): void {
    this.setBoolean(row, cell === true);
  }

  protected override clear(row: number): void {
    this.#values[row] = 0;
  }

  protected override takeValues(rows: number) {
    const data = packed(this.#values.subarray(0, rows));
    this.#values = new Uint8Array(0);
    return { data };
  }
}

export function columnBuffer(type: ColumnType): ColumnBuffer {
  switch (type.kind) {
    case 'int':
    case 'date':
      return new Int32Buffer(type);
    case 'double':
      return new DoubleBuffer(type);
    case 'boolean':
      return new BooleanBuffer(type);
    case 'bigint':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return new WordsBuffer(type);
    case 'text':
      return new TextBuffer(type);
    case 'numeric':
      return type.digits ? new WordsBuffer(type) : new TextBuffer(type);
  }
}
