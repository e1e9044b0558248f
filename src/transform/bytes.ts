import { daysFromCivil, isCivilDate } from '../shared/types/calendar.ts';

/** Values in PostgreSQL's text form, read from its bytes. Where the form is another one, they say so and no more. */

const [MINUS, ZERO, COLON] = [45, 48, 58];

/** What a reader says of another form; never a place or a time. */
export const UNKNOWN = -1;

/** The digit that stands there; below 0 or above 9 where none does. */
export function digitAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) - ZERO;
}

/** Two digits; without a branch, as this is done a dozen times a row. */
function pairAt(bytes: Uint8Array, at: number): number {
  const tens = (bytes[at] ?? 0) - ZERO;
  const ones = (bytes[at + 1] ?? 0) - ZERO;
  // Negative where one of them is no digit.
  return (tens | (9 - tens) | ones | (9 - ones)) < 0 ? -10_000 : tens * 10 + ones;
}

export const DATE_LENGTH = 10;
/** Days may be negative. */
export const NO_DATE = -(2 ** 31);

/** The days of two centuries: looking one up takes a tenth of the time of computing it. */
const [FIRST_YEAR, YEARS] = [1900, 200];
const [MONTHS, DAYS] = [16, 32];
let table: Int32Array | undefined;

/** Days since 1970-01-01 of the `YYYY-MM-DD` that stands there; `NO_DATE` where something else does. */
export function dateAt(bytes: Uint8Array, start: number): number {
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

export const TIME_LENGTH = 8;

/** Seconds since midnight of the `HH:MM:SS` that stands there; `UNKNOWN` where something else does. */
export function timeAt(bytes: Uint8Array, start: number): number {
  if (bytes[start + 2] !== COLON || bytes[start + 5] !== COLON) return UNKNOWN;
  const hour = pairAt(bytes, start);
  const minute = pairAt(bytes, start + 3);
  const second = pairAt(bytes, start + 6);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return UNKNOWN;
  return (hour * 60 + minute) * 60 + second;
}
