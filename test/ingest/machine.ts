import { spawnSync } from 'node:child_process';
import { copyFile, cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runAs, serverAccount } from '../../src/local/postgres/account.ts';
import type { Cluster } from '../../src/local/postgres/cluster.ts';
import { findHome, homeAt } from '../../src/local/postgres/home.ts';
import { connectTo, otherServers, ownServer, temporaryDirectory } from '../support/postgres.ts';

type Settings = Readonly<Record<string, string | number>>;

/** As in production, but for what would write on its own, and for the disk. */
const SETTINGS = { autovacuum: 'off', synchronous_commit: 'on', wal_writer_delay: '10ms' };

interface MachineOptions {
  readonly binariesDirectory?: string | undefined;
  readonly settings?: Settings;
}

/** A server whose data can be taken away from under it, and copied. */
export class Machine {
  readonly directory: string;
  readonly #options: MachineOptions;
  #cluster: Cluster | undefined;

  constructor(directory: string, options: MachineOptions) {
    this.directory = directory;
    this.#options = options;
  }

  /** At `port`, or where it was last: a machine may take another's place. */
  async start(port?: number, settings: Settings = {}): Promise<string> {
    const { binariesDirectory } = this.#options;
    this.#cluster = await ownServer({
      directory: this.directory,
      settings: { ...SETTINGS, ...this.#options.settings, ...settings },
      ...(binariesDirectory === undefined ? {} : { binariesDirectory }),
      ...(port === undefined ? {} : { port }),
    });
    return this.#cluster.superuserUrl('postgres');
  }

  get port(): number {
    if (!this.#cluster) throw new Error('the machine has not been started');
    return this.#cluster.port;
  }

  /** In order, so that the data are as they would be after a restart; or `immediate`, so that it is a crash. */
  async stop(mode?: 'fast' | 'immediate'): Promise<string> {
    await this.#cluster?.stop(mode);
    const home = await findHome(this.directory);
    return home?.data ?? '';
  }

  /** Another machine with the data that this one, which has been stopped, has now. */
  async copied(): Promise<Machine> {
    const home = await findHome(this.directory);
    const directory = join(await temporaryDirectory(), 'postgres');
    await mkdir(directory, { mode: 0o755 });
    await copyOwned(home?.cluster ?? '', homeAt(directory, directory).cluster);
    return new Machine(directory, this.#options);
  }

  /** Another machine with the data of this one, which runs, as `pg_basebackup` brings them. */
  async backedUp(url: string): Promise<Machine> {
    const home = await findHome(this.directory);
    const directory = join(await temporaryDirectory(), 'postgres');
    const { cluster, data, passwordFile, portFile } = homeAt(directory, directory);
    await mkdir(cluster, { recursive: true, mode: 0o777 });
    await copyFile(home?.passwordFile ?? '', passwordFile);
    await copyFile(home?.portFile ?? '', portFile);
    await run('install', '-d', '-m', '0700', ...(await ownerFlags()), data);
    await runAsServer(join(this.#options.binariesDirectory ?? '', 'pg_basebackup'), '-D', data, '-c', 'fast', '-d', url);
    return new Machine(directory, this.#options);
  }

  /** Starts it, a copy, and has it replay an archive as `settings` say, until it can be written to. */
  async startRecovered(port: number, settings: Settings): Promise<void> {
    const home = await findHome(this.directory);
    await runAsServer('touch', join(home?.data ?? '', 'recovery.signal'));
    const url = await this.start(port, settings);
    const sql = await connectTo(url);
    while ((await sql.query<{ busy: boolean }>('select pg_is_in_recovery() as busy')).rows[0]?.busy === true) await sleep(20);
  }

  /** Starts it as a standby of the server at `url`. */
  async startAsStandby(url: string, port?: number): Promise<string> {
    const home = await findHome(this.directory);
    await runAsServer('touch', join(home?.data ?? '', 'standby.signal'));
    return this.start(port, { primary_conninfo: url });
  }
}

export async function machine(options: MachineOptions = {}): Promise<Machine> {
  return new Machine(join(await temporaryDirectory(), 'postgres'), options);
}

/** With its owner: the server runs as another account where the tests run as root. */
export async function copyOwned(from: string, to: string): Promise<void> {
  const { status } = spawnSync('cp', ['-a', from, to]);
  if (status !== 0) await cp(from, to, { recursive: true, preserveTimestamps: true });
}

async function ownerFlags(): Promise<readonly string[]> {
  const account = await serverAccount();
  return account === undefined ? [] : ['-o', String(account.uid), '-g', String(account.gid)];
}

async function run(program: string, ...args: readonly string[]): Promise<void> {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program}: ${stderr}`);
}

async function runAsServer(program: string, ...args: readonly string[]): Promise<void> {
  const { status, output } = await runAs(await serverAccount(), program, args);
  if (status !== 0) throw new Error(`${program}: ${output}`);
}

/** PostgreSQL as it comes with Starling, and whatever else there is. */
export const SERVERS: readonly (readonly [version: string, binariesDirectory: string | undefined])[] = [
  ['as it comes with Starling', undefined],
  ...otherServers().map(({ major, binariesDirectory }) => [String(major), binariesDirectory] as const),
];
