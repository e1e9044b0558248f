import { evaluator } from '../shared/model/evaluate.ts';
import type { FactSpec } from '../shared/model/fact.ts';
import type { TableSpec } from '../shared/model/table.ts';
import { type Cell, Unfit } from '../shared/types/type.ts';
import type { CsvRecord } from './csv.ts';
import { type Reject, sourceRow } from './reject.ts';

/** Makes the fact row of a source record, or says why there can be none. */
export type FactMaker = (record: CsvRecord) => readonly Cell[] | Reject;

/** Compiled for one header: batches from before a column was declared lack it, and it is null in their versions. */
export function factMaker(fact: FactSpec, source: TableSpec, header: readonly string[]): FactMaker {
  const columns = fact.columns.map((column) => {
    const at = header.indexOf(column.origin.column);
    const spec = source.columns[column.origin.column];
    if (!spec) throw new Error(`${source.name}.${column.origin.column} passed the checks of the model, but is not in it`);
    return { name: column.name, at, evaluate: evaluator(column, spec) };
  });
  const keyAt = header.indexOf(source.key);
  return (record) => {
    const cells: Cell[] = [];
    for (const { name, at, evaluate } of columns) {
      const cell = at < 0 ? null : evaluate(record[at] ?? null);
      if (cell instanceof Unfit) {
        const row = sourceRow(header, record);
        return { table: fact.name, key: record[keyAt] ?? null, column: name, reason: cell.reason, row };
      }
      cells.push(cell);
    }
    return cells;
  };
}
