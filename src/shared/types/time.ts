import { two } from './date.ts';
import { type TextCodec, Unfit } from './type.ts';

const TIME = /^(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?$/;
const NOT_TIME = new Unfit('is not a time (HH:MM:SS)');
export const MICROS_PER_DAY = 86_400_000_000;

export const timeCodec: TextCodec<number> = {
  parse(text) {
    const match = TIME.exec(text);
    return (match && microsOf(match[1], match[2], match[3], match[4])) ?? NOT_TIME;
  },
  format: formatTime,
};

/** Microseconds since midnight, or null where the clock has no such time. PostgreSQL's `time` has 24:00:00 too. */
export function microsOf(hour?: string, minute?: string, second?: string, fraction = ''): number | null {
  const [h, m, s] = [Number(hour), Number(minute), Number(second)];
  if (m > 59 || s > 59) return null;
  const micros = ((h * 60 + m) * 60 + s) * 1_000_000 + Number(fraction.padEnd(6, '0'));
  return micros <= MICROS_PER_DAY ? micros : null;
}

export function formatTime(micros: number): string {
  const seconds = Math.floor(micros / 1_000_000);
  const fraction = micros - seconds * 1_000_000;
  const clock = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return fraction === 0 ? clock : `${clock}.${String(fraction).padStart(6, '0').replace(/0+$/, '')}`;
}
