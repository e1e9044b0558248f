import { SOURCE_SETTINGS } from '../../ingest/session.ts';
import { WAREHOUSE_SETTINGS } from '../../load/session.ts';
import type { OutputColumn } from '../../shared/model/expression.ts';
import { currentName, keyColumn, outputsOf, type OutputSpec } from '../../shared/model/model.ts';
import { close, connect } from '../../shared/postgres/client.ts';
import type { PipelineContext } from '../context.ts';
import { compareCalendar } from './calendar.ts';
import { actualRows, expectedRows } from './expected.ts';
import { compareKeys, inKeyOrder, type TextRow } from './pages.ts';

/** How a dimension or current table compares with the source. */
export interface Comparison {
  readonly table: string;
  /** Rows that are the same, column by column. */
  readonly same: number;
  readonly different: number;
  /** The columns in which rows differ. */
  readonly columns: readonly string[];
  /** In the source only: not loaded yet, or in quarantine. */
  readonly missing: number;
  /** In the warehouse only: deleted in the source; the warehouse keeps them. */
  readonly extra: number;
}

export function agrees({ different, missing, extra }: Comparison): boolean {
  return different + missing + extra === 0;
}

/** Compares every dimension and current fact with the source as it is now, row by row and column by column. */
export async function compare(context: PipelineContext): Promise<readonly Comparison[]> {
  const source = await connect('source', context.sourceUrl, SOURCE_SETTINGS);
  const connecting = connect('warehouse', context.warehouseUrl, WAREHOUSE_SETTINGS);
  const warehouse = await connecting.catch(async (error: unknown) => {
    await close(source);
    throw error;
  });
  try {
    context.signal.throwIfAborted();
    const comparisons: Comparison[] = [
      await compareCalendar(
        context.model,
        { client: source, schema: context.sourceSchema },
        { client: warehouse, schema: context.warehouseSchema },
      ),
    ];
    for (const output of outputsOf(context.model)) {
      context.signal.throwIfAborted();
      const order = { key: output.key, kind: keyColumn(output).type.kind };
      const table = 'recordKey' in output ? currentName(output) : output.name;
      const should = expectedRows(context.model, context.sourceSchema, output);
      const does = actualRows(context.warehouseSchema, table, output.columns);
      const expected = inKeyOrder({ side: 'source', client: source, table: output.source, query: should, ...order });
      const actual = inKeyOrder({ side: 'warehouse', client: warehouse, table, query: does, ...order });
      comparisons.push(await compareRows(table, output, expected, actual));
    }
    return comparisons;
  } finally {
    await Promise.all([close(source), close(warehouse)]);
  }
}

type Rows = AsyncGenerator<TextRow>;

/** A merge of two sorted sequences. */
async function compareRows(table: string, output: OutputSpec, expected: Rows, actual: Rows): Promise<Comparison> {
  const { kind } = keyColumn(output).type;
  const columns = new Set<string>();
  let [same, different, missing, extra] = [0, 0, 0, 0];
  let [left, right] = [await next(expected), await next(actual)];
  while (left || right) {
    const order = left && right ? compareKeys(left[output.key] ?? '', right[output.key] ?? '', kind) : left ? -1 : 1;
    if (order < 0) missing += 1;
    if (order > 0) extra += 1;
    if (order === 0 && left && right) {
      const differing = differences(output.columns, left, right);
      for (const column of differing) columns.add(column);
      if (differing.length === 0) same += 1;
      else different += 1;
    }
    if (order <= 0) left = await next(expected);
    if (order >= 0) right = await next(actual);
  }
  return { table, same, different, columns: [...columns], missing, extra };
}

async function next(rows: Rows): Promise<TextRow | null> {
  const { value, done } = await rows.next();
  return done === true ? null : value;
}

function differences(columns: readonly OutputColumn[], expected: TextRow, actual: TextRow): readonly string[] {
  return columns
    .filter((column) => shown(column, expected[column.name] ?? null) !== (actual[column.name] ?? null))
    .map((column) => column.name);
}

/** The names of currencies are the one thing that a source cannot compute. */
const currencyNames = new Intl.DisplayNames('en', { type: 'currency', fallback: 'code' });

function shown({ origin }: OutputColumn, text: string | null): string | null {
  if (origin.kind !== 'currency_name' || text === null || !/^[A-Z]{3}$/.test(text)) return text;
  return currencyNames.of(text) ?? text;
}
