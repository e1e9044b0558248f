import { CommanderError } from 'commander';
import { stopCluster } from '../local/postgres/cluster.ts';
import { DEFAULT_ORDERS, serverDirectory } from '../local/embedded.ts';
import { initialise } from '../load/load.ts';
import { PipelineError } from '../shared/errors.ts';
import { agrees, compare } from './compare/compare.ts';
import { printComparison } from './compare/print.ts';
import { type Need, readConfig, STATE_DIRECTORY } from './config.ts';
import { type PipelineContext, wire } from './context.ts';
import { demo } from './demo.ts';
import { findFact, printHistory, readHistory } from './history.ts';
import { createOutput, type Output, type Streams } from './output.ts';
import { run, runStage, runToEnd } from './pipeline.ts';
import { buildProgram, type Flags, type Request } from './program.ts';
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
  for (const command of [program, ...program.commands]) {
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
  status: ['warehouse'],
  compare: ['source', 'warehouse'],
  history: ['warehouse'],
  demo: [],
  stop: [],
  stage: [],
  ingest: ['source'],
  transform: [],
  load: ['warehouse'],
};

async function act(request: Request, flags: Flags, surroundings: Surroundings, output: Output): Promise<boolean> {
  if (request.command === 'stop') {
    await stopCluster(serverDirectory(STATE_DIRECTORY));
    return true;
  }
  const interval = request.command === 'watch' ? parseInterval(request.every) : 0;
  const needs = new Set(NEEDS[request.command === 'stage' ? request.stage : request.command]);
  const environment = request.command === 'demo' ? {} : surroundings.environment;
  const config = readConfig(flags.settings, environment, needs);
  const { signal } = surroundings;
  const orders = parseOrders(flags.orders);
  const databases = needs.size > 0 || request.command === 'demo';
  const context = await wire(config, { report: output.report, signal, whole: flags.whole, databases, orders });
  switch (request.command) {
    case 'init':
      return init(context, output);
    case 'run':
      return runToEnd(context, output);
    case 'watch':
      await every(interval, signal, async () => void (await run(context, output)));
      return true;
    case 'stage':
      await runStage(request.stage, context);
      signal.throwIfAborted();
      return true;
    case 'status': {
      const status = await readStatus(context);
      printStatus(status, context.now(), output);
      if (status.unanswered) output.fail(status.unanswered);
      return status.unanswered === null;
    }
    case 'compare': {
      const comparisons = await compare(context);
      printComparison(comparisons, output);
      return comparisons.every(agrees);
    }
    case 'history': {
      const fact = findFact(context.model, request.fact);
      printHistory(fact, await readHistory(context, fact, request.key), output);
      return true;
    }
    case 'demo':
      return demo(context, output);
  }
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
  output.line(statements.length === 0 ? 'The warehouse is as the model says.' : `Ran ${statements.length} statements.`);
  return true;
}
