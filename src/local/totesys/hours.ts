import { CLOSES_MS, DAY_MS, OPENS_MS } from './calendar.ts';
import type { Random } from './random.ts';

/** A stretch of one day, in milliseconds after midnight; `to` is not part of it. */
export interface Hours {
  readonly from: number;
  readonly to: number;
}

export const OFFICE_HOURS: Hours = { from: OPENS_MS, to: CLOSES_MS };

/** The share of orders whose number was given out of turn. */
const OUT_OF_TURN_SHARE = 0.05;
const OUT_OF_TURN_REACH = 8;

function disorder(random: Random, inOrder: readonly number[]): number[] {
  const mixed = [...inOrder];
  for (let i = 0; i < mixed.length; i += 1) {
    if (!random.chance(OUT_OF_TURN_SHARE)) continue;
    const passage = mixed.slice(i, i + 1 + random.int(1, OUT_OF_TURN_REACH));
    mixed.splice(i, passage.length, ...passage.slice(-1), ...passage.slice(0, -1));
  }
  return mixed;
}

/**
 * `count` moments within the hours of a day, nearly in order; `burst` of them are the same millisecond, as when a
 * partner's system hands in all it has at once. `burstAt` (milliseconds after midnight) says when.
 */
export function moments(
  random: Random,
  day: number,
  { count, burst, burstAt, hours }: { count: number; burst: number; burstAt: number; hours: Hours },
): number[] {
  const drawn = Array.from({ length: count }, (_, index) =>
    day * DAY_MS + (index < burst ? burstAt : random.int(hours.from, hours.to - 1)));
  return disorder(random, drawn.toSorted((a, b) => a - b));
}
