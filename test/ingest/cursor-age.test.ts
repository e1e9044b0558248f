import { describe, expect, test } from 'vitest';
import { cursorAge, heldCursor } from '../../src/ingest/cursor-age.ts';
import { parseSnapshot } from '../../src/ingest/session.ts';
import type { StageState } from '../../src/shared/lake/state.ts';

const at = (time: string) => new Date(`2031-03-01T${time}Z`);

function stateWith(detail: Readonly<Record<string, string>>): StageState {
  return { stage: 'ingest', looked_at: at('09:00:00').toISOString(), batch: 1, outcome: 'nothing_new', detail };
}

function ageAt(now: Date, detail: Readonly<Record<string, string>>): number {
  return cursorAge(now, { stage: 'ingest', batches: 0, head: 1, isUpToDate: true, detail });
}

describe('the age of the cursor', () => {
  test('is 0 where no transaction is running', () => {
    const held = heldCursor(parseSnapshot('100:100:'), stateWith({ cursor: '100', cursor_since: at('08:00:00').toISOString() }), at('09:00:00'));
    expect(ageAt(at('09:00:00'), held)).toBe(0);
  });

  test('does not count the time before the transaction began, whose id was the next one for long', () => {
    const idle = heldCursor(parseSnapshot('100:100:'), null, at('00:00:00'));
    expect(ageAt(at('10:00:00'), heldCursor(parseSnapshot('100:101:100'), stateWith(idle), at('10:00:00')))).toBe(0);
  });

  test('counts from the look that first met the transaction, while that runs', () => {
    const first = heldCursor(parseSnapshot('100:107:100,103'), null, at('09:00:00'));
    const second = heldCursor(parseSnapshot('100:250:100'), stateWith(first), at('09:15:00'));
    expect(ageAt(at('09:15:01'), second)).toBe(901);
  });

  test('starts anew when another transaction is the oldest', () => {
    const first = heldCursor(parseSnapshot('100:107:100,103'), null, at('09:00:00'));
    const second = heldCursor(parseSnapshot('103:250:103'), stateWith(first), at('09:15:00'));
    expect(ageAt(at('09:15:00'), second)).toBe(0);
  });

  test('is never negative, whatever the clocks say', () => {
    expect(ageAt(at('08:00:00'), heldCursor(parseSnapshot('100:101:100'), null, at('09:00:00')))).toBe(0);
    expect(cursorAge(at('09:00:00'), { stage: 'ingest', batches: 0, head: 0, isUpToDate: true })).toBe(0);
  });
});
