import { evaluator } from '../shared/model/evaluate.ts';
import type { FactSpec } from '../shared/model/fact.ts';
import type { TableSpec } from '../shared/model/table.ts';
import type { ColumnBuffer } from '../shared/parquet/column-buffer.ts';
import { Unfit } from '../shared/types/type.ts';
import { UNKNOWN } from './bytes.ts';
import type { CsvBlock } from './csv.ts';
import { fieldReader, type ReadField, type Sink } from './fields.ts';
import { type Reject, sourceRow } from './reject.ts';

/** What a fact's column is made of, and where it goes. */
interface Made extends Sink {
  /** The field of the record; -1 in batches from before a column was declared: it is null in their versions. */
  readonly field: number;
}

/** Makes fact rows of the records of one header, into the columns of a part. */
export class FactMaker {
  readonly #fact: FactSpec;
  readonly #keyField: number;
  readonly #columns: readonly Made[];
  readonly #lacking: readonly ColumnBuffer[];
  readonly #readers: readonly ReadField[];

  constructor(fact: FactSpec, source: TableSpec, header: readonly string[], buffers: readonly ColumnBuffer[]) {
    this.#fact = fact;
    this.#keyField = header.indexOf(source.key);
    this.#columns = fact.columns.map((column, at) => {
      const [from, buffer] = [source.columns[column.origin.column], buffers[at]];
      if (!from || !buffer) throw new Error(`${fact.name}.${column.name} passed the checks of the model, but cannot be made`);
      return { column, field: header.indexOf(column.origin.column), evaluate: evaluator(column, from), buffer };
    });
    this.#lacking = this.#columns.filter(({ field }) => field < 0).map(({ buffer }) => buffer);
    this.#readers = header.map((name, at) => {
      const sinks = this.#columns.filter(({ field }) => field === at);
      return fieldReader(source.columns[name]?.type ?? null, sinks, at === header.length - 1);
    });
  }

  /**
   * Makes rows of the block's next records, of at most so many, up to one that none can be made of, or that is not whole.
   * @returns how many.
   */
  makeAll(block: CsvBlock, into: number, atMost: number): number {
    const [readers, bytes, end] = [this.#readers, block.bytes, block.end];
    let [at, row] = [block.at, into];
    for (const last = into + atMost; row < last && at < end; row += 1) {
      let next = at;
      for (let field = 0; field < readers.length && next !== UNKNOWN; field += 1) {
        next = readers[field]?.(bytes, next, end, row) ?? UNKNOWN;
      }
      if (next === UNKNOWN) break;
      at = next;
    }
    for (const buffer of this.#lacking) for (let lacking = into; lacking < row; lacking += 1) buffer.setNull(lacking);
    block.advance(at, row - into);
    return row - into;
  }

  /** Makes the record that the block read last, or says why there can be no row of it. */
  make(block: CsvBlock, into: number): Reject | null {
    for (const { column, field, evaluate, buffer } of this.#columns) {
      const cell = field < 0 ? null : evaluate(block.text(field));
      if (!(cell instanceof Unfit)) {
        buffer.set(into, cell);
        continue;
      }
      const row = sourceRow(block.header, block.record());
      const key = this.#keyField < 0 ? null : block.text(this.#keyField);
      return { table: this.#fact.name, key, column: column.name, reason: cell.reason, row };
    }
    return null;
  }
}
