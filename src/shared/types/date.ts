import { type CivilDate, civilFromDays, daysFromCivil, isCivilDate } from './calendar.ts';
import { type TextCodec, Unfit } from './type.ts';

/** ISO `DateStyle`: at least four digits of year, and ` BC` behind it all for the years before 1. */
const DATE = /^(\d{4,7})-(\d\d)-(\d\d)( BC)?$/;
const NOT_DATE = new Unfit('is not a date (YYYY-MM-DD)');
export const INFINITE = new Unfit('is infinite');

/** The earliest and the latest day that PostgreSQL's `date` has: 4714-11-24 BC and 5874897-12-31. */
const FIRST_DAY = daysFromCivil({ year: -4713, month: 11, day: 24 });
const LAST_DAY = daysFromCivil({ year: 5_874_897, month: 12, day: 31 });

export const dateCodec: TextCodec<number> = {
  parse(text) {
    if (text === 'infinity' || text === '-infinity') return INFINITE;
    const match = DATE.exec(text);
    return (match && daysOf(match[1], match[2], match[3], match[4] !== undefined)) ?? NOT_DATE;
  },
  format(days) {
    const { date, era } = formatDay(days);
    return date + era;
  },
};

/** Days since 1970-01-01, or null where the calendar has no such day. */
export function daysOf(year?: string, month?: string, day?: string, bc = false): number | null {
  const written = Number(year);
  // The calendar that people write has no year 0: 1 BC is followed by 1 AD.
  if (written === 0) return null;
  const civil: CivilDate = { year: bc ? 1 - written : written, month: Number(month), day: Number(day) };
  if (!isCivilDate(civil)) return null;
  const days = daysFromCivil(civil);
  return days < FIRST_DAY || days > LAST_DAY ? null : days;
}

export function formatDay(days: number): { readonly date: string; readonly era: '' | ' BC' } {
  const { year, month, day } = civilFromDays(days);
  const written = year > 0 ? year : 1 - year;
  const date = `${String(written).padStart(4, '0')}-${two(month)}-${two(day)}`;
  return { date, era: year > 0 ? '' : ' BC' };
}

export function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}
