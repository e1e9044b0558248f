import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readWakeUp } from '../../src/shared/lambda/wake-up.ts';
import { fuzz, FUZZ_TIMEOUT_MS } from './fuzzing.ts';
import { hostileNames, hostileTexts, hostileValues } from './hostile.ts';
import { mutationsOf } from './mutations.ts';

const s3Record = { eventVersion: '2.1', eventSource: 'aws:s3', eventName: 'ObjectCreated:Put', s3: { bucket: { name: 'b' }, object: { key: 'log/00000000000000000042.json', size: 7 } } };

/** What is sent by whom it is meant to be sent. */
const KNOWN: readonly unknown[] = [
  { Records: [s3Record] },
  { Records: [s3Record, s3Record] },
  { wake: 'sweep' },
  { wake: 'schedule', whole: false },
  { whole: true },
  { wake: 'deploy', whole: true },
  { version: '0', id: 'x', source: 'aws.scheduler', 'detail-type': 'Scheduled Event', detail: {} },
];

/** JSON is all that a function is ever called with; what is none never gets to it. */
function parsed(json: string): { readonly event: unknown } | null {
  try {
    return { event: JSON.parse(json) };
  } catch {
    return null;
  }
}

const asObject = fc.tuple(hostileNames, hostileValues, fc.boolean()).map(([name, value, whole]) => JSON.stringify({ [name]: value, whole }));
const events = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...KNOWN).chain(mutationsOf).map(({ bytes }) => bytes.toString()) },
  { weight: 2, arbitrary: hostileValues.map((value) => JSON.stringify(value)) },
  { weight: 2, arbitrary: fc.json({ maxDepth: 6 }) },
  { weight: 2, arbitrary: asObject },
  { weight: 2, arbitrary: hostileTexts.map((key) => JSON.stringify({ Records: [{ s3: { object: { key } } }] })) },
);

/** As it is documented: an object that says so, and nothing else but what woke it. */
function asksForWhole(event: unknown): boolean {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) return false;
  return Object.keys(event).every((name) => name === 'whole' || name === 'wake') && 'whole' in event && event.whole === true;
}

test('any event is a wake-up, that says nothing of what is in it and reads the source whole only when asked to', { timeout: FUZZ_TIMEOUT_MS }, async () => {
  await fuzz('event: wake-up', events, (json) => {
    const known = parsed(json);
    if (!known) return;
    const wakeUp = readWakeUp(known.event);
    expect(Object.keys(wakeUp).toSorted()).toEqual(['by', 'malformed', 'whole']);
    expect(wakeUp.by).toMatch(/^(hand|schedule|sweep|deploy|unknown|s3 \(another key\)|s3 [A-Za-z0-9._/-]{1,300})$/);
    expect([json, wakeUp.whole && !asksForWhole(known.event)]).toEqual([json, false]);
    expect(wakeUp).toEqual(wakeUp.malformed ? { by: 'unknown', whole: false, malformed: true } : wakeUp);
  });
});
