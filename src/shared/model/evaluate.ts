import { parserOf, formatCell } from '../types/codecs.ts';
import { dayOf, microsOfDay } from '../types/timestamp.ts';
import { type Cell, type ColumnType, Unfit } from '../types/type.ts';
import { modelError } from './check.ts';
import type { OutputColumn } from './expression.ts';
import type { ColumnSpec } from './column.ts';

/** Turns the text of a source value into the cell of an output column, or says why it cannot be one. */
export type Evaluate = (text: string | null) => Cell | Unfit;

const IS_NULL = new Unfit('is null');
const DATE: ColumnType = { kind: 'date' };

/**
 * What a column of a dimension or fact makes of the source column `source` that it shows.
 *
 * Values come as PostgreSQL's text because that is what a batch holds and what quarantine keeps: transform reads rows
 * by this function, and load reads a quarantined row by it again when the model has been mended.
 */
export function evaluator(column: OutputColumn, source: ColumnSpec): Evaluate {
  const value = evaluateValue(column, source.type);
  if (column.nullable) return (text) => (text === null ? null : value(text));
  return (text) => (text === null ? IS_NULL : value(text));
}

function evaluateValue(column: OutputColumn, source: ColumnType): (text: string) => Cell | Unfit {
  switch (column.origin.kind) {
    case 'column':
    case 'lookup':
      return converted(source, column.type);
    case 'date':
      return converted(source, DATE, true);
    case 'date_part':
      return ofInstant(source, dayOf);
    case 'time_part':
      return ofInstant(source, microsOfDay);
    case 'currency_name':
      return currencyNameOf;
  }
}

/** Through the declared type first: what that cannot hold does not pass as a looser one. */
function converted(from: ColumnType, to: ColumnType, reparse = false): (text: string) => Cell | Unfit {
  const [parse, parseAgain] = [parserOf(from), parserOf(to)];
  if (sameType(from, to)) return parse;
  return (text) => {
    const cell = parse(text);
    if (cell instanceof Unfit) return cell;
    return parseAgain(reparse ? text : (formatCell(from, cell) ?? text));
  };
}

function ofInstant(type: ColumnType, part: (instant: bigint) => number): (text: string) => Cell | Unfit {
  const parse = parserOf(type);
  return (text) => {
    const cell = parse(text);
    if (cell instanceof Unfit) return cell;
    if (typeof cell !== 'bigint') throw modelError('a part was taken of what is no instant', {});
    return part(cell);
  };
}

/** ISO 4217 in CLDR's English, which Node carries. */
const currencyNames = new Intl.DisplayNames('en', { type: 'currency', fallback: 'code' });

function currencyNameOf(code: string): string {
  return /^[A-Z]{3}$/.test(code) ? (currencyNames.of(code) ?? code) : code;
}

function sameType(a: ColumnType, b: ColumnType): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
