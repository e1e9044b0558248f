import { PipelineError } from '../errors.ts';
import type { Side } from './errors.ts';

/** How long to wait for a server, in milliseconds. */
export interface Timeouts {
  readonly connect: number;
  /** For nothing to come and nothing to go, on a connection that is open. */
  readonly silence: number;
}

/** Long enough for a sleeping serverless database to wake, short enough for a Lambda. */
const CONNECT_SECONDS = 20;

/**
 * A statement that takes long is silent until it is done, and a loader waits for another one for up to 15 minutes: what
 * is silent for longer than that is taken for gone. Keepalives do not tell, where the machine answers and the server on
 * it does not, or where a proxy in between does.
 */
const SILENCE_SECONDS = 20 * 60;

/** Of a URL, in seconds. The first one is psql's, the other our own. */
const PARAMETERS = ['connect_timeout', 'silence_timeout'] as const;

/**
 * Takes apart a URL: how long to wait, and the rest of it. `connect_timeout` may also come from `PGCONNECT_TIMEOUT`, as
 * it does for psql.
 * @throws PipelineError `config` for what is no whole number of seconds.
 */
export function splitTimeouts(side: Side, url: string, environment: NodeJS.ProcessEnv): readonly [string, Timeouts] {
  const [base = '', query = ''] = url.split(/\?(.*)/s);
  const parameters = new URLSearchParams(query);
  const [connect, silence] = PARAMETERS.map((name) => secondsOf(side, name, parameters.get(name)));
  const usual = secondsOf(side, 'PGCONNECT_TIMEOUT', environment['PGCONNECT_TIMEOUT'] ?? null);
  for (const name of PARAMETERS) parameters.delete(name);
  const rest = parameters.size > 0 ? `${base}?${parameters.toString()}` : base;
  return [rest, {
    connect: 1_000 * (connect ?? usual ?? CONNECT_SECONDS),
    silence: 1_000 * (silence ?? SILENCE_SECONDS),
  }];
}

/** Null where nothing is said. That is also what 0 means: nothing is waited for without end. */
function secondsOf(side: Side, name: string, text: string | null): number | null {
  if (text === null || text === '') return null;
  // Node's timers end at 2³¹ milliseconds, 24 days.
  if (/^\d{1,6}$/.test(text)) return Number(text) || null;
  throw new PipelineError('config', `${side}: ${name} is not a whole number of seconds, six digits at most`);
}
