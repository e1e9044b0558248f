import { daysFromCivil, isCivilDate } from '../shared/types/calendar.ts';

/** Values in PostgreSQL's text form, read from its bytes. Where the form is another one, they say so and no more. */

const [MINUS, POINT, ZERO, COLON, SPACE] = [45, 46, 48, 58, 32];

export const NOT_DIGITS = -1;

/** The number that the digits from `start` to before `end` stand for, 0 for none of them; at most 15. */
export function digitsAt(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at += 1) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return NOT_DIGITS;
    value = value * 10 + digit;
  }
  return value;
}

/** Two digits; without a branch, as this is done a dozen times a row. */
function pairAt(bytes: Uint8Array, at: number): number {
  const tens = (bytes[at] ?? 0) - ZERO;
  const ones = (bytes[at + 1] ?? 0) - ZERO;
  // Negative where one of them is no digit.
  return (tens | (9 - tens) | ones | (9 - ones)) < 0 ? -10_000 : tens * 10 + ones;
}

const DATE_LENGTH = 10;
const SECONDS_LENGTH = 19;
const MICROS_LENGTH = 26;
export const NO_DATE = -(2 ** 31);

/** Days since 1970-01-01 of `YYYY-MM-DD`; `NO_DATE` for anything else. */
export function dateAt(bytes: Uint8Array, start: number, end: number): number {
  return end - start === DATE_LENGTH ? dayAt(bytes, start) : NO_DATE;
}

/** The days of two centuries: looking one up takes a tenth of the time of computing it. */
const [FIRST_YEAR, YEARS] = [1900, 200];
const [MONTHS, DAYS] = [16, 32];
let table: Int32Array | undefined;

function dayAt(bytes: Uint8Array, start: number): number {
  if (bytes[start + 4] !== MINUS || bytes[start + 7] !== MINUS) return NO_DATE;
  const year = pairAt(bytes, start) * 100 + pairAt(bytes, start + 2);
  const month = pairAt(bytes, start + 5);
  const day = pairAt(bytes, start + 8);
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > 31) return NO_DATE;
  if (year < FIRST_YEAR || year >= FIRST_YEAR + YEARS) return computedDay(year, month, day);
  table ??= filledTable();
  return table[((year - FIRST_YEAR) * MONTHS + month) * DAYS + day] ?? NO_DATE;
}

function computedDay(year: number, month: number, day: number): number {
  const civil = { year, month, day };
  return isCivilDate(civil) ? daysFromCivil(civil) : NO_DATE;
}

function filledTable(): Int32Array {
  const days = new Int32Array(YEARS * MONTHS * DAYS).fill(NO_DATE);
  for (let year = 0; year < YEARS; year += 1) {
    for (let month = 1; month <= 12; month += 1) {
      for (let day = 1; day <= 31; day += 1) {
        days[(year * MONTHS + month) * DAYS + day] = computedDay(FIRST_YEAR + year, month, day);
      }
    }
  }
  return days;
}

/** A moment, taken apart: `YYYY-MM-DD HH:MM:SS[.ffffff]`. */
export class Instant {
  /** Since 1970-01-01. */
  day = 0;
  /** Since midnight. */
  micros = 0;

  /** Whether there is one; else what is here means nothing. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    if (length < SECONDS_LENGTH || length > MICROS_LENGTH || length === SECONDS_LENGTH + 1) return false;
    if (bytes[start + 10] !== SPACE || bytes[start + 13] !== COLON || bytes[start + 16] !== COLON) return false;
    const hour = pairAt(bytes, start + 11);
    const minute = pairAt(bytes, start + 14);
    const second = pairAt(bytes, start + 17);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return false;
    const fraction = length === SECONDS_LENGTH ? 0 : fractionAt(bytes, start + SECONDS_LENGTH, end);
    this.day = dayAt(bytes, start);
    this.micros = ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction;
    return fraction !== NOT_DIGITS && this.day !== NO_DATE;
  }
}

/** Microseconds of `.f` to `.ffffff`. */
function fractionAt(bytes: Uint8Array, start: number, end: number): number {
  if (bytes[start] !== POINT) return NOT_DIGITS;
  let value = digitsAt(bytes, start + 1, end);
  if (value === NOT_DIGITS) return NOT_DIGITS;
  for (let digits = end - start - 1; digits < 6; digits += 1) value *= 10;
  return value;
}
