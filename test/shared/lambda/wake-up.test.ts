import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readWakeUp } from '../../../src/shared/lambda/wake-up.ts';

const s3Event = (key: string) => ({ Records: [{ eventName: 'ObjectCreated:Put', s3: { bucket: { name: 'b' }, object: { key } } }] });

describe('an event', () => {
  test.each([
    [{ wake: 'schedule' }, 'schedule'],
    [{ wake: 'sweep' }, 'sweep'],
    [{}, 'hand'],
    [s3Event('log/00000000000000000042.json'), 's3 log/00000000000000000042.json'],
    [s3Event('../../etc/passwd\n'), 's3 (another key)'],
    [{ version: '0', source: 'aws.scheduler', 'detail-type': 'Scheduled Event' }, 'schedule'],
  ])('%j is known', (event, by) => {
    expect(readWakeUp(event)).toEqual({ by, whole: false, malformed: false });
  });

  test('can ask for the source to be read whole, and for nothing else', () => {
    expect(readWakeUp({ whole: true })).toEqual({ by: 'hand', whole: true, malformed: false });
    expect(readWakeUp({ whole: 'yes' })).toMatchObject({ whole: false, malformed: true });
    expect(readWakeUp({ ...s3Event('log/1.json'), whole: true })).toMatchObject({ whole: false });
  });

  test.each([[null], [undefined], [''], ['wake up'], [7], [[]], [{ Records: [] }], [{ Records: [{ s3: {} }] }], [{ Event: 's3:TestEvent' }]])(
    '%j is malformed, and still a wake-up',
    (event) => {
      expect(readWakeUp(event)).toEqual({ by: 'unknown', whole: false, malformed: true });
    },
  );

  test('of any form is a wake-up, and only one that asks for it reads the source whole', () => {
    fc.assert(
      fc.property(fc.anything(), (event) => {
        const { whole } = readWakeUp(event);
        expect(whole).toBe(whole && typeof event === 'object' && event !== null && 'whole' in event && event.whole === true);
      }),
    );
  });
});
