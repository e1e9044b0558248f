import { daysOf, formatDay, INFINITE } from './date.ts';
import { formatTime, MICROS_PER_DAY, microsOf } from './time.ts';
import { type TextCodec, Unfit } from './type.ts';

const TIMESTAMP = /^(\d{4,7})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(\+00)?( BC)?$/;
const NOT_TIMESTAMP = new Unfit('is not a timestamp (YYYY-MM-DD HH:MM:SS)');
const OUT_OF_RANGE = new Unfit('is outside the years that 64-bit microseconds can hold');
const DAY = BigInt(MICROS_PER_DAY);

/** Sessions run under `TimeZone = UTC`, so that a `timestamptz` ends in `+00` and a naive time is read as UTC. */
function codec(zone: '' | '+00'): TextCodec<bigint> {
  return {
    parse(text) {
      if (text === 'infinity' || text === '-infinity') return INFINITE;
      const match = TIMESTAMP.exec(text);
      if (!match || (match[8] ?? '') !== zone) return NOT_TIMESTAMP;
      const days = daysOf(match[1], match[2], match[3], match[9] !== undefined);
      const micros = microsOf(match[4], match[5], match[6], match[7]);
      return days === null || micros === null ? NOT_TIMESTAMP : instant(days, micros);
    },
    format(value) {
      const { date, era } = formatDay(dayOf(value));
      return `${date} ${formatTime(microsOfDay(value))}${zone}${era}`;
    },
  };
}

export const timestampCodec = codec('');
export const timestamptzCodec = codec('+00');

function instant(days: number, micros: number): bigint | Unfit {
  const value = BigInt(days) * DAY + BigInt(micros);
  return BigInt.asIntN(64, value) === value ? value : OUT_OF_RANGE;
}

/** The day (days since 1970-01-01) that an instant falls on in UTC. */
export function dayOf(value: bigint): number {
  const day = value / DAY;
  return Number(value < 0n && day * DAY !== value ? day - 1n : day);
}

/** Microseconds since midnight UTC. */
export function microsOfDay(value: bigint): number {
  return Number(value - BigInt(dayOf(value)) * DAY);
}
