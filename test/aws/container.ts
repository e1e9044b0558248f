import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { SQSBatchResponse } from 'aws-lambda';
import { unzipSync } from 'fflate';
import * as v from 'valibot';

/** One call of a function, as AWS would answer it. */
export interface Answer {
  readonly result?: { readonly stage: string; readonly batches: number; readonly head: number };
  /** To an event of its queue. */
  readonly batch?: SQSBatchResponse;
  readonly error?: { readonly name: string; readonly message: string };
  /** What it wrote to its log, a JSON object a line. */
  readonly log: readonly Readonly<Record<string, unknown>>[];
  readonly milliseconds: number;
  /** How much of that it computed; the rest it waited. */
  readonly cpuMilliseconds: number;
  /** Of a container's first call only, as in Lambda's own report: what the start took before it. */
  readonly initMilliseconds?: number;
}

/**
 * A container: a process of its own that has unpacked the deployed zip, imports `index.mjs`, calls `handler`, and stays
 * warm from call to call.
 */
export interface Container {
  /** @param remaining what is left of the time, in milliseconds, each time that it is asked for; the last one stays. */
  readonly invoke: (event: unknown, remaining?: readonly number[]) => Promise<Answer>;
  readonly stop: () => Promise<void>;
}

/** Says on both streams that the log of a call is complete: the answer takes another way. */
const END = '#end of call';

/** `remaining`: what `getRemainingTimeInMillis` answers, call by call; the last one stays. */
const RUNTIME = `
const { handler } = await import('./index.mjs');
let cold = { initMilliseconds: performance.now() };
process.on('message', async ({ event, remaining }) => {
  const getRemainingTimeInMillis = () => (remaining.length > 1 ? remaining.shift() : remaining[0]);
  const started = performance.now();
  const cpuBefore = process.cpuUsage();
  const done = (answer) => {
    const { user, system } = process.cpuUsage(cpuBefore);
    const took = { milliseconds: performance.now() - started, cpuMilliseconds: (user + system) / 1000 };
    for (const stream of [process.stdout, process.stderr]) stream.write('${END}\\n');
    process.send({ ...answer, ...took, ...cold });
    cold = {};
  };
  try {
    done({ result: await handler(event, { getRemainingTimeInMillis }) });
  } catch (error) {
    done({ error: { name: error.name, message: error.message } });
  }
});
process.send('ready');
`;

const answerSchema = v.object({
  result: v.optional(v.union([
    v.object({ stage: v.string(), batches: v.number(), head: v.number() }),
    v.object({ batchItemFailures: v.array(v.object({ itemIdentifier: v.string() })) }),
  ])),
  error: v.optional(v.object({ name: v.string(), message: v.string() })),
  milliseconds: v.number(),
  cpuMilliseconds: v.number(),
  initMilliseconds: v.optional(v.number()),
});

export async function startContainer(
  zip: string,
  directory: string,
  environment: Readonly<Record<string, string>>,
): Promise<Container> {
  await unpack(zip, directory);
  const runtime = join(directory, 'runtime.mjs');
  await writeFile(runtime, RUNTIME);
  // Without the flags that this process was started with: they are the test runner's.
  const options = { cwd: directory, env: { ...environment }, execArgv: [] };
  const child = fork(runtime, { ...options, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const failed = once(child, 'exit').then(() => Promise.reject(new Error(`the container ended: ${output}`)));
  // Only while somebody waits for it.
  failed.catch(() => undefined);
  await Promise.race([once(child, 'message'), failed]);
  return {
    invoke: async (event, remaining = [900_000]) => {
      output = '';
      child.send({ event, remaining });
      const [message] = (await Promise.race([once(child, 'message'), failed])) as unknown[];
      while (output.split(END).length < 3) await delay(1);
      const { result, error, initMilliseconds, ...took } = v.parse(answerSchema, message);
      const cold = initMilliseconds === undefined ? {} : { initMilliseconds };
      return { ...answerOf(result), ...(error ? { error } : {}), log: linesOf(output), ...took, ...cold };
    },
    stop: async () => stop(child),
  };
}

function answerOf(result: v.InferOutput<typeof answerSchema>['result']): Pick<Answer, 'result' | 'batch'> {
  if (result === undefined) return {};
  return 'stage' in result ? { result } : { batch: result };
}

async function unpack(zip: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const [name, content] of Object.entries(unzipSync(await readFile(zip)))) {
    await writeFile(join(directory, name), content);
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

const lineSchema = v.record(v.string(), v.unknown());

/** What is no JSON is kept as it is: the tests then see it. */
function linesOf(output: string): Readonly<Record<string, unknown>>[] {
  return output.split('\n').filter((line) => line !== '' && line !== END).map((line) => {
    try {
      return v.parse(lineSchema, JSON.parse(line));
    } catch {
      return { unstructured: line };
    }
  });
}
