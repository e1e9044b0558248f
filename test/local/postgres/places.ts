/** A project where the server's account cannot get to, and a place that stands for /var/tmp. */

import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { serverAccount } from '../../../src/local/postgres/account.ts';
import { makeHome, type Home } from '../../../src/local/postgres/home.ts';
import { temporaryDirectory } from '../../support/postgres.ts';

export interface Places {
  /** Stands for /var/tmp. */
  readonly elsewhere: string;
  /** The project, in a directory of mode 0700. */
  readonly project: string;
  readonly directory: string;
}

export async function places(): Promise<Places> {
  const [elsewhere, closed] = [await temporaryDirectory(), await temporaryDirectory()];
  await chmod(closed, 0o700);
  const project = join(closed, 'project');
  return { elsewhere, project, directory: join(project, 'postgres') };
}

/** As if a cluster had been made there. */
export async function make({ directory, elsewhere }: Places): Promise<Home> {
  const home = await makeHome(directory, await serverAccount(), elsewhere);
  await mkdir(home.cluster, { recursive: true });
  return home;
}
