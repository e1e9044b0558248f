import { type Command, CommanderError } from 'commander';
import { DEFAULT_ORDERS, embeddedExists, stopEmbedded } from '../local/embedded.ts';
import { initialise } from '../load/load.ts';
import { PipelineError } from '../shared/errors.ts';
import { KEPT_MS, Sessions } from '../shared/postgres/sessions.ts';
import { backfill, parseTeam } from './backfill/backfill.ts';
import { checkWorker, workForParent } from './backfill/worker.ts';
import { agrees, compare } from './compare/compare.ts';
import { printComparison } from './compare/print.ts';
import { type Need, readConfig, STATE_DIRECTORY } from './config.ts';
import { type PipelineContext, wire } from './context.ts';
import { demo } from './demo.ts';
import { findFact, printHistory, readHistory } from './history.ts';
import { count, createOutput, type Output, type Streams } from './output.ts';
import { run, runStage, runToEnd } from './pipeline.ts';
import { checkQuarantine, quarantine, readWaiting } from './quarantine.ts';
import { buildProgram, type Flags, type Request } from './program.ts';
import { checkSkip, skip } from './skip.ts';
import { printStatus, readStatus } from './status.ts';
import { every, parseInterval } from './watch.ts';

/** The process around a command; a test brings its own. */
export interface Surroundings extends Streams {
  readonly environment: NodeJS.ProcessEnv;
  /** Aborted when the command is to end: it finishes the batch in hand. */
  readonly signal: AbortSignal;
  readonly version: string;
}

export const [DONE, FAILED, WRONG_USAGE] = [0, 1, 2] as const;

/** Runs one command; never throws. @returns the exit status. */
export async function main(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  let status: number = DONE;
  const program = buildProgram(surroundings.version, async (request, flags) => {
    status = await perform(request, flags, surroundings);
  });
  for (const command of allOf(program)) {
    command.exitOverride().configureOutput({
      writeOut: (text) => surroundings.stdout.write(text),
      writeErr: (text) => surroundings.stderr.write(text),
    });
  }
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : WRONG_USAGE;
    throw error;
  }
}

function allOf(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(allOf)];
}

async function perform(request: Request, flags: Flags, surroundings: Surroundings): Promise<number> {
  const output = createOutput(flags.json, surroundings);
  const { signal } = surroundings;
  try {
    return (await act(request, flags, surroundings, output)) ? DONE : FAILED;
  } catch (error) {
    if (signal.aborted && error === signal.reason) {
      output.log.warn('interrupted; what is left is done when it is started again');
      return FAILED;
    }
    output.fail(error);
    return error instanceof PipelineError && error.kind === 'config' ? WRONG_USAGE : FAILED;
  } finally {
    output.close();
  }
}

const NEEDS: Readonly<Record<Request['command'] | 'ingest' | 'transform' | 'load', readonly Need[]>> = {
  init: ['warehouse'],
  run: ['source', 'warehouse'],
  watch: ['source', 'warehouse'],
  backfill: ['source', 'warehouse'],
  'backfill-worker': ['source', 'warehouse'],
  status: ['warehouse'],
  compare: ['source', 'warehouse'],
  history: ['warehouse'],
  quarantine: ['warehouse'],
  skip: ['lake', 'warehouse'],
  demo: [],
  stop: [],
  stage: [],
  ingest: ['source'],
  transform: ['lake'],
  load: ['warehouse'],
};

async function act(request: Request, flags: Flags, surroundings: Surroundings, output: Output): Promise<boolean> {
  if (request.command === 'stop') return stop(output);
  if (request.command === 'quarantine') checkQuarantine(request.wanted);
  if (request.command === 'skip') checkSkip(request.wanted);
  if (request.command === 'backfill') parseTeam(request.team);
  if (request.command === 'backfill-worker') checkWorker(process);
  const interval = request.command === 'watch' ? parseInterval(request.every) : 0;
  const needs = new Set(NEEDS[request.command === 'stage' ? request.stage : request.command]);
  const isDemo = request.command === 'demo';
  const config = readConfig(flags.settings, isDemo ? {} : surroundings.environment, needs);
  const { signal } = surroundings;
  const orders = parseOrders(flags.orders);
  const databases = needs.has('source') || needs.has('warehouse') || isDemo;
  if (config.embedded && databases && !isDemo && !(await embeddedWillDo(request, output))) return false;
  const context = await wire(config, { output, signal, whole: flags.whole, databases, orders });
  if (request.command === 'backfill-worker') return workForParent(context, process);
  if (request.command === 'backfill') return backfill(context, config.lake, parseTeam(request.team), output);
  return carryOut(request, context, interval, output);
}

const LOOKS = new Set<Request['command']>(['status', 'compare', 'history', 'quarantine', 'skip']);

/** Says whose databases they are; none is started and filled for whoever only looks. */
async function embeddedWillDo({ command }: Request, output: Output): Promise<boolean> {
  output.log.info('no SOURCE_URL and WAREHOUSE_URL: using the embedded PostgreSQL and a made-up source');
  if (!LOOKS.has(command) || (await embeddedExists(STATE_DIRECTORY))) return true;
  output.log.error('nothing here yet: `starling run` or `starling demo` starts it');
  return false;
}

async function carryOut(
  request: Exclude<Request, { readonly command: 'stop' | 'backfill' | 'backfill-worker' }>,
  context: PipelineContext,
  interval: number,
  output: Output,
): Promise<boolean> {
  switch (request.command) {
    case 'init':
      return init(context, output);
    case 'run':
      return runToEnd(context, output);
    case 'watch':
      return watch(context, interval, output);
    case 'stage':
      await runStage(request.stage, context);
      context.signal.throwIfAborted();
      return true;
    case 'status':
      return status(context, output);
    case 'compare': {
      const comparisons = await compare(context);
      printComparison(comparisons, await readWaiting(context), output);
      return comparisons.every(agrees);
    }
    case 'history': {
      const fact = findFact(context.model, request.fact);
      return printHistory(fact, await readHistory(context, fact, request.key), output);
    }
    case 'quarantine':
      return quarantine(request.wanted, context, output);
    case 'skip':
      return skip(request.wanted, context, output);
    case 'demo':
      return demo(context, output);
  }
}

async function stop(output: Output): Promise<boolean> {
  const wasRunning = await stopEmbedded(STATE_DIRECTORY);
  output.object({ event: wasRunning ? 'stopped' : 'not_running' });
  output.line(wasRunning ? 'The embedded PostgreSQL is stopped.' : 'No embedded PostgreSQL is running here.');
  return true;
}

async function watch(context: PipelineContext, interval: number, output: Output): Promise<boolean> {
  const sessions = interval <= KEPT_MS ? new Sessions() : null;
  try {
    await every(interval, context.signal, async () => {
      output.line(`-- ${context.now().toISOString()}`);
      await run(sessions ? { ...context, sessions } : context, output);
    });
  } finally {
    await sessions?.close();
  }
  output.line('stopped');
  return true;
}

async function status(context: PipelineContext, output: Output): Promise<boolean> {
  const status = await readStatus(context);
  printStatus(status, context.now(), output);
  if (status.unanswered) output.fail(status.unanswered);
  return status.unanswered === null;
}

function parseOrders(text: string | undefined): number {
  if (text === undefined) return DEFAULT_ORDERS;
  const orders = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (orders >= 1 && orders <= 100_000_000) return orders;
  throw new PipelineError('config', '--orders takes a whole number from 1 to 100,000,000');
}

async function init(context: PipelineContext, output: Output): Promise<boolean> {
  const statements = await initialise(context);
  output.object({ event: 'initialised', statements: statements.length });
  const did = `Ran ${count(statements.length, 'statement')}.`;
  output.line(statements.length === 0 ? 'The warehouse is as the model says.' : did);
  return true;
}
