import { daysFromCivil } from '../types/calendar.ts';
import { formatCell, parseCell, parserOf } from '../types/codecs.ts';
import { dayOf, microsOfDay } from '../types/timestamp.ts';
import { type Cell, type ColumnType, Unfit } from '../types/type.ts';
import { modelError } from './check.ts';
import { dimDate } from './dimension.ts';
import type { OutputColumn } from './expression.ts';
import type { ColumnSpec } from './column.ts';

/** Turns the text of a source value into the cell of an output column, or says why it cannot be one. */
export type Evaluate = (text: string | null) => Cell | Unfit;

type EvaluateValue = (text: string) => Cell | Unfit;

const IS_NULL = new Unfit('is null');
const DATE: ColumnType = { kind: 'date' };
const TIME: ColumnType = { kind: 'time' };

/**
 * What a column of a dimension or fact makes of the source column `source` that it shows.
 *
 * Values come as PostgreSQL's text because that is what a batch holds and what quarantine keeps: transform reads rows
 * by this function, and load reads a quarantined row by it again when the model has been mended.
 */
export function evaluator(column: OutputColumn, source: ColumnSpec): Evaluate {
  const made = evaluateValue(column, source.type);
  const value = column.references === dimDate.name ? onCalendar(made) : made;
  if (column.nullable) return (text) => (text === null ? null : value(text));
  return (text) => (text === null ? IS_NULL : value(text));
}

/** 294276-12-31: where `timestamp` ends, through which PostgreSQL names days and months. Its `date` goes on. */
const LAST_DAY = daysFromCivil({ year: 294_276, month: 12, day: 31 });
const OFF_CALENDAR = new Unfit('is after the year 294276, where the calendar ends');

function onCalendar(make: EvaluateValue): EvaluateValue {
  return (text) => {
    const day = make(text);
    return typeof day === 'number' && day > LAST_DAY ? OFF_CALENDAR : day;
  };
}

function evaluateValue(column: OutputColumn, source: ColumnType): EvaluateValue {
  const { origin, type } = column;
  switch (origin.kind) {
    case 'column':
    case 'lookup':
      return readAs(source, type);
    case 'date':
      return converted(readAs(source, DATE), DATE, type);
    case 'date_part':
      return converted(ofInstant(source, dayOf), DATE, type);
    case 'time_part':
      return converted(ofInstant(source, microsOfDay), TIME, type);
    case 'currency_name':
      return currencyNameOf;
  }
}

/** Through the declared type first: what that cannot hold does not pass as a looser one. */
function readAs(declared: ColumnType, shown: ColumnType): EvaluateValue {
  const [check, parse] = [parserOf(declared), parserOf(shown)];
  if (sameType(declared, shown)) return parse;
  return (text) => {
    const cell = check(text);
    return cell instanceof Unfit ? cell : parse(text);
  };
}

function converted(make: EvaluateValue, from: ColumnType, to: ColumnType): EvaluateValue {
  if (sameType(from, to)) return make;
  return (text) => {
    const cell = make(text);
    return cell instanceof Unfit ? cell : parseCell(to, formatCell(from, cell));
  };
}

function ofInstant(type: ColumnType, part: (instant: bigint) => number): EvaluateValue {
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
