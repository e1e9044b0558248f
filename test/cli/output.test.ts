import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createOutput, type Output, table } from '../../src/cli/output.ts';
import { PipelineError } from '../../src/shared/errors.ts';
import type { ReportEvent } from '../../src/shared/report.ts';
import { Capture, eventsOf } from '../support/cli.ts';

/** What a stream that is a terminal has beside others. */
class Terminal extends Capture {
  readonly columns = 100;

  constructor() {
    super(true);
  }

  clearLine(): boolean {
    return true;
  }

  cursorTo(): boolean {
    return true;
  }

  moveCursor(): boolean {
    return true;
  }
}

const EVENTS: readonly ReportEvent[] = [
  { event: 'table', stage: 'ingest', batch: 3, table: 'sales_order', rows: 12_345, bytes: 99 },
  { event: 'table', stage: 'ingest', batch: 3, table: 'design', rows: 1, quarantined: 2, released: 1_000 },
  { event: 'warning', stage: 'ingest', batch: 3, table: 'staff', message: 'staff is read whole' },
  { event: 'batch', stage: 'ingest', batch: 3, rows: 12_346, seconds: 1.234 },
  { event: 'lost', stage: 'transform', batch: 3 },
  { event: 'nothing_new', stage: 'load', batch: 2 },
];

function tell(json: boolean, stderr = new Capture(), say: (output: Output) => void = tellEvents) {
  const stdout = new Capture();
  const output = createOutput(json, { stdout, stderr });
  say(output);
  output.close();
  return { stdout: stdout.text, stderr: stderr.text };
}

function tellEvents(output: Output): void {
  for (const event of EVENTS) output.report(event);
}

describe('for people', () => {
  test('a batch is a line and its tables another', () => {
    expect(tell(false).stdout.split('\n')).toEqual([
      'ingest     batch 3: 12,346 rows in 1.23 s',
      '           sales_order 12,345, design 1 (2 to quarantine, 1,000 released)',
      'transform  batch 3: another worker committed it first',
      'load       nothing new (batch 2)',
      '',
    ]);
  });

  test('a range is a line at once, and leaves the tables to their batch', () => {
    const { stdout } = tell(false, new Capture(), (output) => {
      output.report({ event: 'table', stage: 'ingest', batch: 2, table: 'staff', rows: 5 });
      output.report({ event: 'range', stage: 'ingest', batch: 2, table: 'sales_order', rows: 1_000, bytes: 9 });
      output.report({ event: 'range', stage: 'ingest', batch: 2, rows: 1 });
      output.report({ event: 'batch', stage: 'ingest', batch: 2, rows: 1_006, seconds: 0 });
    });
    expect(stdout.split('\n')).toEqual([
      'ingest     batch 2, a range of sales_order: 1,000 rows', 'ingest     batch 2, a range: 1 row',
      'ingest     batch 2: 1,006 rows in 0.00 s', '           staff 5', '',
    ]);
  });

  test('a warning goes to stderr, with where it is', () => {
    expect(tell(false).stderr).toMatch(/WARN: staff is read whole\s+stage: "ingest"\s+batch: 3\s+table: "staff"/);
  });

  test('objects are not printed', () => {
    expect(tell(false, new Capture(), (output) => output.object({ event: 'x' })).stdout).toBe('');
  });
});

describe('with --json', () => {
  test('every event is one object on stdout, by the names that programs rely on', () => {
    const events = eventsOf(tell(true).stdout);
    expect(events).toEqual(EVENTS);
  });

  test('lines for people are not printed, and logs are objects on stderr', () => {
    const { stdout, stderr } = tell(true, new Capture(), (output) => {
      output.line('for people');
      tellEvents(output);
    });
    expect(eventsOf(stdout)).toHaveLength(EVENTS.length);
    const [warning, ...others] = eventsOf(stderr);
    expect(others).toEqual([]);
    expect(warning).toMatchObject({ level: 40, stage: 'ingest', batch: 3, table: 'staff', msg: 'staff is read whole' });
    expect(new Date(String(warning?.['time'])).getTime()).not.toBeNaN();
  });
});

describe('an error', () => {
  const error = new PipelineError('lake_full', 'no room', { stage: 'load', batch: 7, table: 'design' });

  test('is told with kind, place and what to do', () => {
    const { stdout, stderr } = tell(false, new Capture(), (output) => output.fail(error));
    expect(stdout).toBe('');
    expect(stderr).toMatch(/ERROR: no room\s+kind: "lake_full"\s+stage: "load"\s+batch: 7\s+table: "design"/);
    expect(stderr).toContain(`hint: "${error.hint}"`);
  });

  test('has the same in JSON', () => {
    const { stderr } = tell(true, new Capture(), (output) => output.fail(error));
    const place = { stage: 'load', batch: 7, table: 'design' };
    expect(eventsOf(stderr)).toEqual([
      { level: 50, time: expect.any(String), kind: 'lake_full', ...place, hint: error.hint, msg: 'no room' },
    ]);
  });

  test('takes the tables of its batch with it', () => {
    const { stdout } = tell(false, new Capture(), (output) => {
      output.report({ event: 'table', stage: 'ingest', batch: 2, table: 'staff', rows: 5 });
      output.fail(error);
      output.report({ event: 'batch', stage: 'transform', batch: 1, rows: 2, seconds: 0 });
    });
    expect(stdout).toBe('transform  batch 1: 2 rows in 0.00 s\n');
  });

  test('that is a bug is told with its stack', () => {
    const { stderr } = tell(true, new Capture(), (output) => output.fail(new TypeError('not a function')));
    const stack = expect.stringContaining('output.test.ts');
    expect(eventsOf(stderr)).toMatchObject([{ kind: 'bug', msg: 'not a function', stack }]);
  });

  test('that is no Error is told all the same', () => {
    const { stderr } = tell(true, new Capture(), (output) => output.fail('a text'));
    expect(eventsOf(stderr)).toMatchObject([{ kind: 'bug', msg: 'a text' }]);
  });
});

describe('progress', () => {
  beforeEach(() => {
    vi.stubEnv('TERM', 'xterm');
    vi.stubEnv('CI', undefined);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  test('is shown on a terminal, on stderr, and gone before a line is printed', () => {
    const { stdout, stderr } = tell(false, new Terminal());
    expect(stderr).toContain('ingest: batch 3, sales_order');
    expect(stdout).toBe(tell(false).stdout);
  });

  test('is not shown where stderr is no terminal', () => {
    expect(tell(false).stderr).not.toContain('batch 3, sales_order');
  });

  test('is not shown with --json, terminal or not', () => {
    const { stdout, stderr } = tell(true, new Terminal());
    expect(eventsOf(stdout)).toHaveLength(EVENTS.length);
    expect(eventsOf(stderr)).toHaveLength(1);
  });
});

test('a batch is told without the tables in which nothing happened, and one row is a row', () => {
  const common = { stage: 'load', batch: 4 } as const;
  const { stdout } = tell(false, new Capture(), ({ report }) => {
    report({ ...common, event: 'table', table: 'dim_staff', rows: 0 });
    report({ ...common, event: 'table', table: 'fact_payment', rows: 0, quarantined: 1 });
    report({ ...common, event: 'batch', rows: 1, seconds: 0 });
  });
  expect(stdout.split('\n')).toEqual([
    'load       batch 4: 1 row in 0.00 s', '           fact_payment 0 (1 to quarantine)', '',
  ]);
});

test('a table is as wide as its cells, without trailing spaces, and numbers end where numbers end', () => {
  expect(table(['a', 'name'], [['1', 'x'], ['1,000', ''], ['2']]).split('\n')).toEqual([
    '    a  name', '─────  ────', '    1  x', '1,000', '    2',
  ]);
});
