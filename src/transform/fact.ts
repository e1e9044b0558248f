import { type Evaluate, evaluator } from '../shared/model/evaluate.ts';
import type { FactSpec } from '../shared/model/fact.ts';
import type { TableSpec } from '../shared/model/table.ts';
import type { ColumnBuffer } from '../shared/parquet/columns.ts';
import { Unfit } from '../shared/types/type.ts';
import { type CsvBlock, fieldText, recordAt } from './csv.ts';
import { columnReader, type ColumnReader, Moments, readAny, type ReadOne, type Span } from './readers.ts';
import { type Reject, sourceRow } from './reject.ts';

/** What a fact's column is made of, and where it goes. */
interface Made {
  readonly name: string;
  /** The field of the record; -1 in batches from before a column was declared: it is null in their versions. */
  readonly field: number;
  readonly evaluate: Evaluate;
  readonly read: ColumnReader;
  readonly buffer: ColumnBuffer;
}

/** Makes fact rows of the records of one header, into the columns of a part. */
export class FactMaker {
  readonly #fact: FactSpec;
  readonly #keyField: number;
  readonly #header: readonly string[];
  readonly #columns: readonly Made[];

  constructor(fact: FactSpec, source: TableSpec, header: readonly string[], buffers: readonly ColumnBuffer[]) {
    this.#fact = fact;
    this.#keyField = header.indexOf(source.key);
    this.#header = header;
    const moments = new Map(fact.columns.map(({ origin }) => [origin.column, new Moments()]));
    this.#columns = fact.columns.flatMap((column, at): readonly Made[] => {
      const from = column.origin.column;
      const [spec, buffer, ofField] = [source.columns[from], buffers[at], moments.get(from)];
      if (!spec || !buffer || !ofField) throw new Error(`${fact.name}.${column.name} passed the checks of the model, but cannot be made`);
      const read = columnReader(column, spec.type, buffer, ofField) ?? readAny;
      const field = header.indexOf(from);
      return [{ name: column.name, field, evaluate: evaluator(column, spec), read, buffer }];
    });
  }

  /** Makes all records of the span, column by column; false where one cannot be made: then none counts. */
  makeAll(span: Span): boolean {
    for (const made of this.#columns) {
      const readOne: ReadOne = (record, into) => setCell(made, span.block, record, into) === null;
      const isMade = made.field < 0 ? readAny(span, made.field, readOne) : made.read(span, made.field, readOne);
      if (!isMade) return false;
    }
    return true;
  }

  /** Makes one record, or says why there can be no row of it. */
  make(block: CsvBlock, record: number, into: number): Reject | null {
    for (const made of this.#columns) {
      const unfit = setCell(made, block, record, into);
      if (!unfit) continue;
      const row = sourceRow(this.#header, recordAt(block, record));
      const key = fieldText(block, record, this.#keyField);
      return { table: this.#fact.name, key, column: made.name, reason: unfit.reason, row };
    }
    return null;
  }
}

function setCell({ field, evaluate, buffer }: Made, block: CsvBlock, record: number, into: number): Unfit | null {
  const cell = field < 0 ? null : evaluate(fieldText(block, record, field));
  if (cell instanceof Unfit) return cell;
  buffer.set(into, cell);
  return null;
}
