import { describe, expect, test } from 'vitest';
import { runMain } from '../support/cli.ts';

const COMMANDS = [
  'run', 'watch', 'backfill', 'ingest', 'transform', 'load', 'init', 'status', 'history', 'compare', 'demo', 'stop',
] as const;

const SOURCE_FLAGS = ['--source-url', '--source-schema'];
const WAREHOUSE_FLAGS = ['--warehouse-url', '--warehouse-schema'];
const LAKE_FLAGS = ['--lake-dir', '--ingestion-bucket', '--processed-bucket'];

async function help(...argv: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runMain([...argv, '--help']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.replaceAll(/\s+/g, ' ');
}

describe('--help', () => {
  test('tells all commands, the embedded databases, examples and the exit status', async () => {
    const text = await help();
    for (const command of COMMANDS) expect(text).toMatch(new RegExp(` ${command}( \\[options\\]| <)`));
    expect(text).toContain('Without SOURCE_URL and WAREHOUSE_URL, Starling starts its own PostgreSQL below .starling');
    expect(text).toContain('starling history sales_order 4711');
    expect(text).toMatch(/Exit status: 0 done \(quarantined rows are reported, .*\), 1 failed, 2 wrong usage\./);
  });

  test.each(COMMANDS)('of %s says what it does and takes --json', async (command) => {
    const text = await help(command);
    expect(text).toMatch(new RegExp(`^Usage: starling ${command} \\[options\\]`));
    expect(text).toContain('--json one JSON object a line on stdout, logs as JSON on stderr');
    expect(await runMain(['help', command])).toEqual(await runMain([command, '--help']));
  });

  test.each([
    ['run', [...SOURCE_FLAGS, ...WAREHOUSE_FLAGS, ...LAKE_FLAGS, '--whole'], ['--every', '--orders']],
    ['watch', [...SOURCE_FLAGS, ...WAREHOUSE_FLAGS, ...LAKE_FLAGS, '--every'], ['--orders']],
    ['backfill', [...SOURCE_FLAGS, ...WAREHOUSE_FLAGS, ...LAKE_FLAGS, '--workers', '--ranges', '--whole'], ['--every', '--orders']],
    ['ingest', [...SOURCE_FLAGS, ...LAKE_FLAGS, '--whole'], WAREHOUSE_FLAGS],
    ['transform', LAKE_FLAGS, [...SOURCE_FLAGS, ...WAREHOUSE_FLAGS, '--whole']],
    ['load', [...WAREHOUSE_FLAGS, ...LAKE_FLAGS], [...SOURCE_FLAGS, '--whole']],
    ['history', [...WAREHOUSE_FLAGS, '<fact>', '<key>'], SOURCE_FLAGS],
    ['demo', ['--orders'], [...SOURCE_FLAGS, ...WAREHOUSE_FLAGS, ...LAKE_FLAGS]],
  ])('of %s has the settings that it takes and no others', async (command, has, hasNot) => {
    const text = await help(command);
    for (const flag of has) expect(text).toContain(flag);
    for (const flag of hasNot) expect(text).not.toContain(flag);
  });

  test('says nothing of what only backfill starts', async () => {
    expect(await help()).not.toContain('backfill-worker');
  });

  test('of watch tells how intervals are written, and the one it takes by itself', async () => {
    expect(await help('watch')).toContain('--every <interval> from start to start: 30s, 15m, 1h, 1d (default: "15m")');
  });
});

test('--version is the version alone', async () => {
  expect(await runMain(['--version'])).toEqual({ status: 0, stdout: '1.2.3\n', stderr: '' });
});

describe('wrong usage', () => {
  test.each([
    ['no command', [], /Usage: starling/],
    ['an unknown command', ['rum'], /unknown command 'rum'[\s\S]*Did you mean run\?[\s\S]*--help tells/],
    ['an unknown flag', ['run', '--warehose-url', 'x'], /unknown option '--warehose-url'/],
    ['a flag of another command', ['transform', '--whole'], /unknown option '--whole'/],
    ['a flag without its value', ['run', '--source-url'], /argument missing/],
    ['a missing argument', ['history', 'sales_order'], /missing required argument 'key'/],
    ['one argument too many', ['run', 'now'], /too many arguments/],
    ['no number of workers', ['backfill', '--workers', 'all'], /--workers takes a whole number from 1 to 256/],
    ['a number of ranges that is none', ['backfill', '--ranges', '0'], /--ranges takes a whole number from 1 to 5,000/],
    ['help on what is not there', ['help', 'rum'], /Usage: starling/],
  ])('%s is exit status 2, told on stderr', async (_, argv, message) => {
    const { status, stdout, stderr } = await runMain(argv);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });
});
