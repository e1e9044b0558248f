#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { createOutput } from './output.ts';

/** The process: its arguments, streams and signals. */
const packageFile = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
const { version } = v.parse(v.object({ version: v.string() }), JSON.parse(packageFile));

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The first asks to end after the batch in hand; whoever asks again means at once, which does no harm either.
    if (stop.signal.aborted) process.exit(128 + (signal === 'SIGINT' ? 2 : 15));
    stop.abort();
  });
}

const { stdout, stderr, env: environment } = process;
// Whoever reads this may have heard enough, as `| head` has: the work goes on all the same.
for (const stream of [stdout, stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}
const argv = process.argv.slice(2);
// On Node 20 the SDK warns, at every command, of releases to come; which ones are used is for package.json to say.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
// What Node and the drivers warn of would be the only lines on stderr that are not JSON.
if (argv.includes('--json')) {
  const { log } = createOutput(true, { stdout, stderr });
  process.removeAllListeners('warning').on('warning', ({ name, message }) => log.warn({ warning: name }, message));
}
process.exitCode = await run();

/** The models are built when they are imported: a mistake in one is told like any other error, not as a crash. */
async function run(): Promise<number> {
  const imported = await import('./main.ts').catch((error: unknown) => {
    createOutput(argv.includes('--json'), { stdout, stderr }).fail(error);
  });
  return imported ? imported.main(argv, { stdout, stderr, environment, signal: stop.signal, version }) : 1;
}
