/**
 * A PostgreSQL server of our own, for the local source and warehouse and for tests.
 *
 * There are no locks of ours. The data directory is made aside and renamed, so one maker wins; postmaster.pid is
 * PostgreSQL's own lock, so one starter wins; whoever loses attaches to the winner's server.
 */

import { PipelineError } from '../../shared/errors.ts';
import { errorCode } from '../disk.ts';
import { serverAccount } from './account.ts';
import { prepareBinaries } from './binaries.ts';
import { sweepAsides } from './files.ts';
import { findHome, makeHome, recordOrigin, removeHome, type Home } from './home.ts';
import { initialise, readPassword } from './initialise.ts';
import { stopOrphans, sweepOrphans } from './orphans.ts';
import { type StopMode } from './postmaster.ts';
import { knock, serverUrl, startOrAttach, type ServerOptions } from './start.ts';
import { stopServer } from './stop.ts';

export interface ClusterOptions extends ServerOptions {
  /** Where its state lives; made if missing. */
  readonly directory: string;
}

export interface Cluster {
  readonly port: number;
  /** Such as '18.4'. */
  readonly version: string;
  readonly logPath: string;
  /** For the user `postgres`; holds the password. */
  superuserUrl(database: string): string;
  /** Whether it answers. */
  running(): Promise<boolean>;
  /** 'fast' ends all sessions in order, 'immediate' leaves the next start to recover. No error if it has stopped. */
  stop(mode?: StopMode): Promise<void>;
}

const NOT_ALLOWED = 'run Starling as the user that made that directory, or give another directory';
const ADVICE: Readonly<Record<string, string>> = {
  EACCES: NOT_ALLOWED,
  EPERM: NOT_ALLOWED,
  EROFS: 'give a directory that can be written to',
  ENOSPC: 'free some space',
  ENOTDIR: 'give another directory',
  EEXIST: 'there is something else that is not a directory; give another one',
};

/** Makes the cluster if there is none, starts it if it does not run, or attaches to the server that does. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  return explained(options.directory, async () => {
    const home = await findOrMakeHome(options);
    const password = await readPassword(home);
    const { port, version } = await startOrAttach(home, options, password);
    return {
      port,
      version,
      logPath: home.log,
      superuserUrl: (database) => serverUrl(password, port, database),
      running: async () => 'version' in (await knock(serverUrl(password, port, 'postgres'))),
      stop: async (mode) => stopServer(home, mode),
    };
  });
}

/** Whether a cluster has been made for that directory, running or not. Makes nothing and starts nothing. */
export async function clusterExists(directory: string): Promise<boolean> {
  return explained(directory, async () => (await findHome(directory)) !== undefined);
}

/**
 * Stops the server of that directory, whoever started it, also one that was left running when the directory was
 * removed. No error if none runs or the directory is not there.
 */
export async function stopCluster(directory: string, mode: StopMode = 'fast'): Promise<void> {
  await explained(directory, async () => {
    const home = await findHome(directory);
    if (home !== undefined) await stopServer(home, mode);
    await stopOrphans(directory, mode);
    await sweepOrphans();
  });
}

/** Stops the server of that directory and removes its data, wherever they are, for good. */
export async function removeCluster(directory: string): Promise<void> {
  await stopCluster(directory, 'immediate');
  await explained(directory, async () => removeHome(directory));
}

async function findOrMakeHome(options: ClusterOptions): Promise<Home> {
  const found = await findHome(options.directory);
  if (found !== undefined) {
    await recordOrigin(found);
    for (const place of [found.path, found.binaries]) await sweepAsides(place);
    await sweepOrphans();
    return found;
  }
  const account = await serverAccount();
  const home = await makeHome(options.directory, account);
  // Now that the directory points to the new home, an old one of it has been given up. Before initdb, for its space.
  await sweepOrphans();
  const binaries = await prepareBinaries(account, home.binaries, options.binariesDirectory);
  await initialise(home, binaries, account, options.port);
  return home;
}

/** What the system refused (a right, the disk's space) as an error that says for which directory. */
async function explained<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = errorCode(error);
    if (!(error instanceof Error) || error instanceof PipelineError || code === undefined) throw error;
    const advice = ADVICE[code] ?? 'see to that and start again';
    throw new PipelineError('local', `The PostgreSQL of ${directory}: ${error.message}: ${advice}.`, {}, error);
  }
}
