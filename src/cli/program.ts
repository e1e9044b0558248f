import { Command, Option } from 'commander';
import type { Stage } from '../shared/report.ts';
import type { TeamFlags } from './backfill/backfill.ts';
import { flagOf, type Setting, SETTINGS, type Settings } from './config.ts';
import type { QuarantineRequest } from './quarantine.ts';
import type { SkipRequest } from './skip.ts';

/** What somebody asked for on the command line. */
export type Request =
  | { readonly command: 'init' | 'run' | 'status' | 'compare' }
  | { readonly command: 'stage'; readonly stage: Stage }
  | { readonly command: 'backfill'; readonly team: TeamFlags }
  | { readonly command: 'backfill-worker' }
  | { readonly command: 'demo' }
  | { readonly command: 'stop' }
  | { readonly command: 'watch'; readonly every: string }
  | { readonly command: 'history'; readonly fact: string; readonly key: string }
  | { readonly command: 'quarantine'; readonly wanted: QuarantineRequest }
  | { readonly command: 'skip'; readonly wanted: SkipRequest };

export interface Flags {
  readonly settings: Settings;
  readonly json: boolean;
  readonly whole: boolean;
  readonly orders: string | undefined;
}

type Handle = (request: Request, flags: Flags) => Promise<void>;

const DATABASES: readonly Setting[] = [
  'SOURCE_URL', 'SOURCE_SECRET_ARN', 'SOURCE_SCHEMA', 'WAREHOUSE_URL', 'WAREHOUSE_SECRET_ARN', 'WAREHOUSE_SCHEMA',
];
const LAKE: readonly Setting[] = ['LAKE_DIR', 'INGESTION_BUCKET', 'PROCESSED_BUCKET'];
const ALL = [...DATABASES, ...LAKE];
const SOURCE = ALL.filter((name) => !name.startsWith('WAREHOUSE'));
const WAREHOUSE = ALL.filter((name) => !name.startsWith('SOURCE'));

const WHOLE = new Option('--whole', 'read every table whole in this batch: after a restore of the source');

const ABOUT =
  'Keeps a star-schema warehouse in step with an operational database, with every version of every fact.';

const EPILOGUE = `
Without SOURCE_URL and WAREHOUSE_URL, Starling starts its own PostgreSQL below .starling and makes up a source.
Every setting is a flag or an environment variable: --source-url or SOURCE_URL. A .pgpass file and PGPASSWORD work too.

Examples:
  starling demo                                     see the whole thing on made-up data
  starling run                                      bring the warehouse up to date, once
  starling watch --every 15m                        and every 15 minutes, until it is interrupted
  starling backfill --workers 4                     a first load, or whatever is large, by four processes
  starling status                                   how far each stage is, how fresh the warehouse
  starling history sales_order 4711                 every version of one order
  starling quarantine list                          the rows that could not be used, and why

Exit status: 0 done (quarantined rows are reported, they are no error), 1 failed, 2 wrong usage.
Running anything twice, at once, or again after it was killed does no harm.`;

/** The command line: its words, and nothing of what they do. */
export function buildProgram(version: string, handle: Handle): Command {
  const program = new Command('starling')
    .description(ABOUT)
    .version(version)
    .addHelpText('after', EPILOGUE)
    .showHelpAfterError('(--help tells what there is)')
    .configureHelp({ sortSubcommands: false });
  const add = (name: string, description: string, settings: readonly Setting[], request: Request) =>
    withFlags(program.command(name).description(description), settings).action((_options, command: Command) =>
      handle(request, flagsOf(command)),
    );
  add('run', 'run the pipeline once: ingest, transform, load', ALL, { command: 'run' }).addOption(WHOLE);
  addWatch(program, handle);
  addBackfill(program, handle);
  add('ingest', 'read what changed in the source since the last batch', SOURCE, { command: 'stage', stage: 'ingest' })
    .addOption(WHOLE);
  add('transform', 'remodel the batches that are pending', LAKE, { command: 'stage', stage: 'transform' });
  add('load', 'load the batches that are pending', WAREHOUSE, { command: 'stage', stage: 'load' });
  add('init', 'make the schema of the warehouse, or what the model has grown by', WAREHOUSE, { command: 'init' });
  add('status', 'tell how far each stage is, how fresh the warehouse, what waits in quarantine', ALL, {
    command: 'status',
  });
  addHistory(program, handle);
  addQuarantine(program, handle);
  addSkip(program, handle);
  add('compare', 'compare the warehouse with the source, row by row', ALL, { command: 'compare' });
  add('demo', 'show it all on the embedded databases: a first load, a day in the life, a second load', [], {
    command: 'demo',
  }).option('--orders <number>', 'how many sales orders to make up, the first time');
  add('stop', 'stop the embedded PostgreSQL', [], { command: 'stop' });
  return program;
}

function addWatch(program: Command, handle: Handle): void {
  withFlags(program.command('watch').description('run the pipeline on a schedule, until SIGINT or SIGTERM'), ALL)
    .option('--every <interval>', 'from start to start: 30s, 15m, 1h, 1d', '15m')
    .action((options: { readonly every: string }, command: Command) =>
      handle({ command: 'watch', every: options.every }, flagsOf(command)),
    );
}

/** Its workers are started by itself. */
function addBackfill(program: Command, handle: Handle): void {
  const about = 'run the pipeline once, with several processes that do large batches in ranges';
  withFlags(program.command('backfill').description(about), ALL)
    .option('--workers <number>', 'how many processes (default: as many as there are cores)')
    .option('--ranges <number>', 'in about how many ranges a batch is done (default: twice as many)')
    .addOption(WHOLE)
    .action((team: TeamFlags, command: Command) => handle({ command: 'backfill', team }, flagsOf(command)));
  program.command('backfill-worker', { hidden: true })
    .action((_options, command: Command) => handle({ command: 'backfill-worker' }, flagsOf(command)));
}

function addHistory(program: Command, handle: Handle): void {
  withFlags(program.command('history').description('show every version of one row of a fact'), WAREHOUSE)
    .argument('<fact>', 'the fact; fact_ may be left out')
    .argument('<key>', "the row's key in the source")
    .action((fact: string, key: string, _options: unknown, command: Command) =>
      handle({ command: 'history', fact, key }, flagsOf(command)),
    );
}

function addQuarantine(program: Command, handle: Handle): void {
  const group = program.command('quarantine').description('look at the rows that could not be used; retry or drop them');
  const add = (name: string, description: string) => withFlags(group.command(name).description(description), WAREHOUSE);
  const ask = (wanted: QuarantineRequest, command: Command) =>
    handle({ command: 'quarantine', wanted }, flagsOf(command));
  add('list', 'what waits, newest first: batch, table, key and reason of at most 100 rows')
    .option('--table <table>', 'those of one table; fact_ may be left out')
    .option('--all', 'those that were released or dropped, too')
    .action((options: { readonly table?: string; readonly all?: boolean }, command: Command) =>
      ask({ action: 'list', ...options }, command),
    );
  add('show', 'one row whole, with all its values')
    .argument('<id>', "the row's number in quarantine")
    .action((id: string, _options: unknown, command: Command) => ask({ action: 'show', id }, command));
  add('retry', 'release now what the model, or a row that has arrived, makes usable; the next batch would, too')
    .argument('[id...]', 'their numbers in quarantine (default: all that waits)')
    .action((ids: string[], _options: unknown, command: Command) => ask({ action: 'retry', ids }, command));
  add('drop', 'give rows up for good: they wait no more, and stay as part of what happened')
    .argument('[id...]', 'their numbers in quarantine')
    .option('--table <table>', 'with --batch: all that wait of one table')
    .option('--batch <number>', 'and of one batch')
    .action((ids: string[], options: { readonly table?: string; readonly batch?: string }, command: Command) =>
      ask({ action: 'drop', ids, ...options }, command),
    );
}

function addSkip(program: Command, handle: Handle): void {
  const about = 'the last resort where a batch cannot be used: have it go on without one table';
  withFlags(program.command('skip').description(about), WAREHOUSE)
    .argument('<batch>', 'the number of the batch that is stuck')
    .requiredOption('--table <table>', 'a table of the source, a dimension or a fact, by its whole name')
    .action((batch: string, { table }: { readonly table: string }, command: Command) =>
      handle({ command: 'skip', wanted: { batch, table } }, flagsOf(command)),
    );
}

function withFlags(command: Command, settings: readonly Setting[]): Command {
  for (const name of settings) command.option(`--${flagOf(name)} <value>`, SETTINGS[name]);
  return command.option('--json', 'one JSON object a line on stdout, logs as JSON on stderr');
}

/** Commander names options in camelCase. */
function flagsOf(command: Command): Flags {
  const options = new Map<string, unknown>(Object.entries(command.opts()));
  const text = (name: string) => {
    const value = options.get(name);
    return typeof value === 'string' ? value : undefined;
  };
  const settings: Partial<Record<Setting, string>> = {};
  for (const name of ALL) {
    const value = text(flagOf(name).replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase()));
    if (value !== undefined) settings[name] = value;
  }
  return { settings, json: options.get('json') === true, whole: options.get('whole') === true, orders: text('orders') };
}
