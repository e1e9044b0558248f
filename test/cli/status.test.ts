import { expect, test } from 'vitest';
import { createOutput } from '../../src/cli/output.ts';
import { printStatus, type Status } from '../../src/cli/status.ts';
import { Capture } from '../support/cli.ts';

const NOW = new Date('2024-08-07T12:00:00.000Z');

/** What people read where everything was last looked at so many seconds ago. */
function shown(seconds: number): string {
  const at = new Date(NOW.getTime() - seconds * 1000);
  const state = { stage: 'ingest', looked_at: at.toISOString(), batch: 1, outcome: 'committed' } as const;
  const status: Status = {
    stages: [{ stage: 'ingest', batch: 1, pending: 0, state }],
    freshAsOf: at,
    quarantine: [{ table: 'fact_payment', rows: 1_234 }],
    unanswered: null,
  };
  const stdout = new Capture();
  printStatus(status, NOW, createOutput(false, { stdout, stderr: new Capture() }));
  return stdout.text;
}

test.each([
  [0, '0 s ago'],
  [119, '119 s ago'],
  [121, '2 min ago'],
  [7_199, '120 min ago'],
  [7_200, '2 h ago'],
  [86_400, '24 h ago'],
  [-5, '0 s ago'],
])('%i seconds are told as %s', (seconds, ago) => {
  expect(shown(seconds)).toContain(`Freshness:   the source as of ${ago}\n`);
  expect(shown(seconds)).toMatch(new RegExp(`^ingest +1 +0 +${ago} +committed$`, 'm'));
  expect(shown(seconds)).toContain('Quarantine:  fact_payment 1,234\n');
});
