import { describe, expect, test } from 'vitest';
import { ERROR_KINDS, type ErrorKind, PipelineError } from '../../src/shared/errors.ts';

const isKind = (kind: string): kind is ErrorKind => ERROR_KINDS.includes(kind);
const errors = ERROR_KINDS.filter(isKind).map((kind) => new PipelineError(kind, 'what happened'));

/** GSM 03.38's basic characters that text in English is made of: one other, and an SMS holds 70 characters, not 160. */
const GSM = /^[A-Za-z0-9 @$_.,:;!?'"()/*+=<>%&#-]+$/;

describe('the table of errors', () => {
  test('has them all', () => {
    expect(errors.length).toBeGreaterThan(20);
  });

  test.each(errors.map((error) => [error.kind, error] as const))('%s says what to do, for a log and for an SMS', (_kind, error) => {
    expect(error.hint).toMatch(/^[A-Z].*\.$/);
    expect(error.sms.length).toBeLessThanOrEqual(70);
    expect(error.sms).toMatch(GSM);
    expect(error.sms).toMatch(/^(?!.*\.$)/);
  });
});
