/** Processor time as Linux accounts for it in `/proc`: proc_pid_stat(5). Elsewhere nothing is known of it. */

import { readdir, readFile } from 'node:fs/promises';
import { cpus } from 'node:os';

/** `sysconf(_SC_CLK_TCK)`, which is 100 on every Linux that Node runs on. */
const TICKS_A_SECOND = 100;

interface Stat {
  readonly parent: number;
  /** Its own. */
  readonly ticks: number;
  /** Of those of its children that have ended and been waited for. */
  readonly childTicks: number;
}

async function readStat(pid: number | 'self'): Promise<Stat | null> {
  const line = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => null);
  if (line === null) return null;
  // The second field is the program's name, in parentheses, and may hold anything.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ').map(Number);
  const [parent = 0, user = 0, system = 0, childUser = 0, childSystem = 0] = [1, 11, 12, 13, 14].map((at) => fields[at]);
  return { parent, ticks: user + system, childTicks: childUser + childSystem };
}

export async function parentOf(pid: number): Promise<number | null> {
  return (await readStat(pid))?.parent ?? null;
}

/** Seconds of a server and all processes that it ever started: a backend that ends is counted on by its parent. */
export async function treeSeconds(root: number): Promise<number | null> {
  for (;;) {
    const top = await readStat(root);
    if (top === null) return null;
    const ticks = top.ticks + (await liveTicks(root));
    // What ended in between may be counted on neither side, or on both.
    if ((await readStat(root))?.childTicks === top.childTicks) return (ticks + top.childTicks) / TICKS_A_SECOND;
  }
}

async function liveTicks(parent: number): Promise<number> {
  let ticks = 0;
  for (const name of await readdir('/proc')) {
    const child = /^\d+$/.test(name) ? await readStat(Number(name)) : null;
    if (child?.parent === parent) ticks += child.ticks + child.childTicks;
  }
  return ticks;
}

/** Seconds that all processors together were busy, whoever with, since the system was started. */
export function busySeconds(): number {
  return cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0) / 1_000;
}

/** Seconds of the programs that this process has started and that have ended. */
export async function endedChildrenSeconds(): Promise<number | null> {
  const own = await readStat('self');
  return own && own.childTicks / TICKS_A_SECOND;
}
