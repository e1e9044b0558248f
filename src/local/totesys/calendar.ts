/**
 * Time in the simulated source. Days are whole numbers (days since 1970-01-01), moments are milliseconds since then,
 * both in UTC: the source's timestamps have no zone and are taken for UTC.
 */

export const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** Orders come in from 08:00 until just before 19:00, on weekdays. In milliseconds after midnight. */
export const OPENS_MS = 8 * HOUR_MS;
export const CLOSES_MS = 19 * HOUR_MS;

/** The bank's daily file is booked at 07:55, before the office opens. In milliseconds after midnight. */
export const SETTLES_MS = 7 * HOUR_MS + 55 * 60_000;

export function dayOf(moment: number): number {
  return Math.floor(moment / DAY_MS);
}

/** `YYYY-MM-DD` */
export function dayText(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

/** `YYYY-MM-DD HH:MM:SS.mmm`, as PostgreSQL reads a timestamp without time zone. */
export function momentText(moment: number): string {
  return new Date(moment).toISOString().slice(0, 23).replace('T', ' ');
}

export function isWorkingDay(day: number): boolean {
  // 1970-01-01 was a Thursday: Sunday is 0, Saturday 6.
  const weekday = (day + 4) % 7;
  return weekday !== 0 && weekday !== 6;
}

/** The day itself when it is a weekday, else the Monday after. */
export function workingDayFrom(day: number): number {
  return isWorkingDay(day) ? day : workingDayFrom(day + 1);
}

/** The last weekday before a day. */
export function workingDayBefore(day: number): number {
  return isWorkingDay(day - 1) ? day - 1 : workingDayBefore(day - 1);
}

/** `count` weekdays in order, the last of them `last`, which must be one. */
export function workingDaysUntil(last: number, count: number): number[] {
  const days = [last];
  for (let day = last; days.length < count; ) {
    day = workingDayBefore(day);
    days.push(day);
  }
  return days.toReversed();
}

/**
 * The day on whose morning a payment can be booked: the agreed one, or the next weekday where that is a weekend or
 * where the agreed morning was over before the payment was known.
 */
export function settlementDay(createdOn: number, agreed: number): number {
  return workingDayFrom(Math.max(agreed, createdOn + 1));
}
