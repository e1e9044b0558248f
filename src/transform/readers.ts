import type { OutputColumn } from '../shared/model/expression.ts';
import { BooleanBuffer, type ColumnBuffer, Int32Buffer, TextBuffer, WordsBuffer } from '../shared/parquet/columns.ts';
import { MICROS_PER_DAY } from '../shared/types/time.ts';
import type { ColumnType } from '../shared/types/type.ts';
import { dateAt, digitsAt, Instant, NO_DATE, NOT_DIGITS } from './bytes.ts';
import { type CsvBlock, NULL_FIELD } from './csv.ts';

/** The records of a block from one to before another, and the row that the first of them becomes. */
export interface Span {
  readonly block: CsvBlock;
  readonly from: number;
  readonly to: number;
  readonly into: number;
}

/** Makes the cell of one record that a reader does not know; false where the column cannot hold it. */
export type ReadOne = (record: number, into: number) => boolean;

/**
 * Reads one field of many records from their bytes straight into a column: tight loops over typed arrays. Each knows the
 * form that PostgreSQL gives to nearly all values of a type, and leaves the others to `readOne`, which is the evaluator
 * of the model: a reader never says more than that would.
 */
export type ColumnReader = (span: Span, field: number, readOne: ReadOne) => boolean;

/**
 * The reader of a column; null where there is none.
 * @param moments Those of the column's field.
 */
export function columnReader(
  column: OutputColumn,
  source: ColumnType,
  buffer: ColumnBuffer,
  moments: Moments,
): ColumnReader | null {
  const { origin, type } = column;
  const kinds = `${origin.kind} ${source.kind} ${type.kind}`;
  if (buffer instanceof Int32Buffer) {
    if (kinds === 'column int int') return readInts(buffer);
    if (kinds === 'column date date' || kinds === 'date text date') return readDates(buffer);
    if (kinds === 'date_part timestamp date') return readDays(buffer, moments);
  }
  if (buffer instanceof WordsBuffer) {
    if (kinds === 'column int bigint') return readBigints(buffer, INT_DIGITS);
    if (kinds === 'column bigint bigint') return readBigints(buffer, EXACT_DIGITS);
    if (kinds === 'time_part timestamp time') return readTimes(buffer, moments);
    if (kinds === 'column timestamp timestamp') return readTimestamps(buffer, moments);
    if (kinds === 'column numeric numeric') return readDecimals(source, type, buffer);
  }
  if (buffer instanceof BooleanBuffer && kinds === 'column boolean boolean') return readBooleans(buffer);
  if (buffer instanceof TextBuffer && kinds === 'column text text') return readTexts(buffer);
  return null;
}

/** Every record by `readOne`. */
export const readAny: ColumnReader = ({ from, to, into }, _field, readOne) => {
  for (let record = from; record < to; record += 1) if (!readOne(record, into + record - from)) return false;
  return true;
};

const [MINUS, POINT, LETTER_F, LETTER_T] = [45, 46, 102, 116];

/** Digits that a number holds exactly, whatever they are; and those that 32 bits do. */
const EXACT_DIGITS = 15;
const INT_DIGITS = 9;

function readInts(buffer: Int32Buffer): ColumnReader {
  return ({ block, from, to, into }, field, readOne) => {
    const { bytes, bounds, header } = block;
    const stride = header.length * 2;
    for (let record = from, at = from * stride + field * 2; record < to; record += 1, at += stride) {
      const start = bounds[at] ?? 0;
      const end = bounds[at + 1] ?? NULL_FIELD;
      const first = start >= 0 && bytes[start] === MINUS ? start + 1 : start;
      const digits = end - first;
      const value = start >= 0 && digits > 0 && digits <= INT_DIGITS ? digitsAt(bytes, first, end) : NOT_DIGITS;
      const row = into + record - from;
      if (value !== NOT_DIGITS) buffer.setNumber(row, first === start ? value : -value);
      else if (!readOne(record, row)) return false;
    }
    return true;
  };
}

function readBigints(buffer: WordsBuffer, maxDigits: number): ColumnReader {
  return ({ block, from, to, into }, field, readOne) => {
    const { bytes, bounds, header } = block;
    const stride = header.length * 2;
    for (let record = from, at = from * stride + field * 2; record < to; record += 1, at += stride) {
      const start = bounds[at] ?? 0;
      const end = bounds[at + 1] ?? NULL_FIELD;
      const first = start >= 0 && bytes[start] === MINUS ? start + 1 : start;
      const digits = end - first;
      const value = start >= 0 && digits > 0 && digits <= maxDigits ? digitsAt(bytes, first, end) : NOT_DIGITS;
      const row = into + record - from;
      if (value !== NOT_DIGITS) buffer.setNumber(row, first === start ? value : -value);
      else if (!readOne(record, row)) return false;
    }
    return true;
  };
}

function readBooleans(buffer: BooleanBuffer): ColumnReader {
  return ({ block, from, to, into }, field, readOne) => {
    const { bytes, bounds, header } = block;
    const stride = header.length * 2;
    for (let record = from, at = from * stride + field * 2; record < to; record += 1, at += stride) {
      const start = bounds[at] ?? 0;
      const letter = (bounds[at + 1] ?? NULL_FIELD) - start === 1 ? bytes[start] : undefined;
      const row = into + record - from;
      if (letter === LETTER_T || letter === LETTER_F) buffer.setBoolean(row, letter === LETTER_T);
      else if (!readOne(record, row)) return false;
    }
    return true;
  };
}

function readTexts(buffer: TextBuffer): ColumnReader {
  return ({ block, from, to, into }, field, readOne) => {
    const { bytes, bounds, header } = block;
    const stride = header.length * 2;
    for (let record = from, at = from * stride + field * 2; record < to; record += 1, at += stride) {
      const start = bounds[at] ?? 0;
      const end = bounds[at + 1] ?? NULL_FIELD;
      const row = into + record - from;
      if (start >= 0 && end !== NULL_FIELD) buffer.setBytes(row, bytes, start, end);
      else if (!readOne(record, row)) return false;
    }
    return true;
  };
}

/** `[-]digits[.digits]` with no more decimals than the type has, and no more digits than are exact. */
function readDecimals(source: ColumnType, type: ColumnType, buffer: WordsBuffer): ColumnReader | null {
  if (type.kind !== 'numeric' || !type.digits || (source.kind === 'numeric' && source.digits)) return null;
  const { precision, scale } = type.digits;
  const wholeMax = Math.min(precision, EXACT_DIGITS) - scale;
  const powers = Array.from({ length: scale + 1 }, (_, decimals) => 10 ** (scale - decimals));
  return ({ block, from, to, into }, field, readOne) => {
    const { bytes, bounds, header } = block;
    const stride = header.length * 2;
    for (let record = from, at = from * stride + field * 2; record < to; record += 1, at += stride) {
      const start = bounds[at] ?? 0;
      const end = bounds[at + 1] ?? NULL_FIELD;
      const first = start >= 0 && bytes[start] === MINUS ? start + 1 : start;
      let point = first;
      while (point < end && bytes[point] !== POINT) point += 1;
      const [whole, decimals] = [point - first, Math.max(0, end - point - 1)];
      const isUsual = start >= 0 && whole > 0 && whole <= wholeMax && decimals <= scale && point !== end - 1;
      const value = isUsual ? digitsAt(bytes, first, point) : NOT_DIGITS;
      const fraction = isUsual ? digitsAt(bytes, point + 1, point + 1 + decimals) : NOT_DIGITS;
      const row = into + record - from;
      if (value === NOT_DIGITS || fraction === NOT_DIGITS) {
        if (!readOne(record, row)) return false;
        continue;
      }
      const unscaled = value * (powers[0] ?? 1) + fraction * (powers[decimals] ?? 1);
      buffer.setNumber(row, first === start ? unscaled : -unscaled);
    }
    return true;
  };
}

function readDates(buffer: Int32Buffer): ColumnReader {
  return ({ block, from, to, into }, field, readOne) => {
    const { bytes, bounds, header } = block;
    const stride = header.length * 2;
    for (let record = from, at = from * stride + field * 2; record < to; record += 1, at += stride) {
      const start = bounds[at] ?? 0;
      const day = start >= 0 ? dateAt(bytes, start, bounds[at + 1] ?? NULL_FIELD) : NO_DATE;
      const row = into + record - from;
      if (day !== NO_DATE) buffer.setNumber(row, day);
      else if (!readOne(record, row)) return false;
    }
    return true;
  };
}

/** The moments of a field, taken apart: a fact often shows the day and the time of one. */
export class Moments {
  #of: Span | null = null;
  days = new Int32Array(0);
  micros = new Float64Array(0);

  /** Reads those of the span, unless they have been; the day of what is no moment is `NO_DATE`. */
  read(span: Span, field: number): void {
    if (this.#of === span) return;
    this.#of = span;
    const { block, from, to } = span;
    const { bytes, bounds, header } = block;
    if (this.days.length < to - from) {
      this.days = new Int32Array(to - from);
      this.micros = new Float64Array(to - from);
    }
    const [instant, stride] = [new Instant(), header.length * 2];
    for (let record = from, at = from * stride + field * 2; record < to; record += 1, at += stride) {
      const start = bounds[at] ?? 0;
      const isRead = start >= 0 && instant.read(bytes, start, bounds[at + 1] ?? NULL_FIELD);
      this.days[record - from] = isRead ? instant.day : NO_DATE;
      this.micros[record - from] = instant.micros;
    }
  }
}

function readDays(buffer: Int32Buffer, moments: Moments): ColumnReader {
  return (span, field, readOne) => {
    moments.read(span, field);
    const { from, to, into } = span;
    for (let record = from; record < to; record += 1) {
      const day = moments.days[record - from] ?? NO_DATE;
      const row = into + record - from;
      if (day !== NO_DATE) buffer.setNumber(row, day);
      else if (!readOne(record, row)) return false;
    }
    return true;
  };
}

function readTimes(buffer: WordsBuffer, moments: Moments): ColumnReader {
  return (span, field, readOne) => {
    moments.read(span, field);
    const { from, to, into } = span;
    for (let record = from; record < to; record += 1) {
      const row = into + record - from;
      if (moments.days[record - from] !== NO_DATE) buffer.setNumber(row, moments.micros[record - from] ?? 0);
      else if (!readOne(record, row)) return false;
    }
    return true;
  };
}

function readTimestamps(buffer: WordsBuffer, moments: Moments): ColumnReader {
  return (span, field, readOne) => {
    moments.read(span, field);
    const { from, to, into } = span;
    for (let record = from; record < to; record += 1) {
      const day = moments.days[record - from] ?? NO_DATE;
      const value = day * MICROS_PER_DAY + (moments.micros[record - from] ?? 0);
      const row = into + record - from;
      if (day !== NO_DATE && Number.isSafeInteger(value)) buffer.setNumber(row, value);
      else if (!readOne(record, row)) return false;
    }
    return true;
  };
}
