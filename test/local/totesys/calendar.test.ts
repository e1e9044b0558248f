import { describe, expect, it } from 'vitest';
import {
  dayOf, dayText, isWorkingDay, momentText, settlementDay, workingDayBefore, workingDayFrom, workingDaysUntil,
} from '../../../src/local/totesys/calendar.ts';

const day = (text: string): number => dayOf(Date.parse(text));

describe('the calendar', () => {
  it('knows weekdays from weekends', () => {
    const week = Array.from({ length: 7 }, (_, index) => isWorkingDay(day('2024-02-26') + index));
    expect(week).toEqual([true, true, true, true, true, false, false]);
  });

  it('goes over weekends in both directions', () => {
    expect(dayText(workingDayFrom(day('2024-03-02')))).toBe('2024-03-04');
    expect(dayText(workingDayFrom(day('2024-03-01')))).toBe('2024-03-01');
    expect(dayText(workingDayBefore(day('2024-03-04')))).toBe('2024-03-01');
  });

  it('lists weekdays up to one of them', () => {
    expect(workingDaysUntil(day('2024-03-05'), 4).map(dayText))
      .toEqual(['2024-02-29', '2024-03-01', '2024-03-04', '2024-03-05']);
  });

  it.each([
    ['on the agreed day', '2024-03-04', '2024-03-06', '2024-03-06'],
    ['on the next day when the agreed morning is over', '2024-03-04', '2024-03-04', '2024-03-05'],
    ['on Monday when a weekend was agreed', '2024-03-04', '2024-03-09', '2024-03-11'],
    ['on Monday when the morning of Friday is over', '2024-03-01', '2024-03-01', '2024-03-04'],
  ])('settles %s', (_, created, agreed, settled) => {
    expect(dayText(settlementDay(day(created), day(agreed)))).toBe(settled);
  });

  it('writes moments to the millisecond', () => {
    expect(momentText(Date.UTC(2024, 1, 29, 8, 5, 9, 7))).toBe('2024-02-29 08:05:09.007');
  });
});
